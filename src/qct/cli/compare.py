"""qct compare: what changed between two or more scans of one person."""

import argparse
import sys
from pathlib import Path
from typing import Any

from qct.cli.analyze import shown_progress
from qct.options import PROFILES, Options


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "compare",
        help="tell what changed between two or more scans",
        description="Compare results of qct analyze, or scans, of one person: changed, within "
        "repeatability, or not comparable and why.",
    )
    parser.add_argument("prior", type=Path, help="result folder, or scan, of the baseline")
    parser.add_argument("current", type=Path, nargs="+", help="later ones, any number")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the tables")
    parser.add_argument("--force", action="store_true", help="replace what is already there")
    parser.add_argument(
        "--profile", choices=PROFILES, default=Options().profile, help="for scans, not for results"
    )
    parser.add_argument("--json", action="store_true", help="print comparison.json on stdout")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare, write the folder, print the verdicts."""
    from qct.export import check_folder, write_folder
    from qct.pipeline import compare, comparison_files

    check_folder(args.output, force=args.force)
    with shown_progress(quiet=args.quiet or args.json) as progress:
        compared = compare(
            (args.prior, *args.current), options=Options(profile=args.profile), progress=progress
        )
    files = comparison_files(compared)
    write_folder(args.output, files, force=args.force)
    if args.json:
        sys.stdout.write(files["comparison.json"].decode())
    elif not args.quiet:
        from qct.interpret.change import text_of
        from qct.regions import WHOLE_LUNG

        lines = [
            text_of(one)
            for one in compared.changes
            if one.region == WHOLE_LUNG.key and one.least_change
        ]
        sys.stdout.write("\n".join(lines) + f"\n\ntable: {args.output / 'comparison.html'}\n")
    return 0
