"""qct train-prior: learn the fissure prior from five-lobe label maps."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "train-prior",
        help="learn the fissure prior from five-lobe label maps",
        description="Learn the fissure prior from five-lobe label maps.",
    )
    parser.add_argument(
        "labels",
        type=Path,
        metavar="LABELS",
        help="folder of label maps (1 to 5: lungmask's lobes)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="PRIOR", help="file to write (.npz)"
    )
    parser.add_argument(
        "--source",
        type=Path,
        metavar="JSON",
        help="origin, licence and attribution of the label maps, to store in the prior",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Learn and write the prior."""
    from qct.errors import WriteError
    from qct.segment.prior import save_prior
    from qct.segment.training import train_prior, with_source

    source = _read_source(args.source) if args.source else {}
    prior = with_source(train_prior(args.labels), source)
    try:
        save_prior(prior, args.output)
    except OSError as error:
        hint = "Name a file in a folder that exists and may be written."
        raise WriteError(f"{args.output} cannot be written", hint=hint) from error
    sys.stdout.write(f"{args.output}: {prior.metadata['n_cases']} cases\n")
    return 0


def _read_source(path: Path) -> dict[str, Any]:
    from qct.errors import OptionError

    try:
        source = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        hint = "Give a file with one JSON object."
        raise OptionError(f"{path} cannot be read as JSON", hint=hint) from error
    if not isinstance(source, dict):
        raise OptionError(f"{path} holds no JSON object", hint="Give a file with one JSON object.")
    return source
