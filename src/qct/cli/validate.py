"""Prove that this installation measures right, and write an acceptance report."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qct.validate import Validation

MISSED = 6
"""Exit code of a validation that was made and not passed."""


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "validate",
        help="prove that this installation measures right",
        description="Send digital chests of known answers through the whole pipeline and write an acceptance"
        f" report. Exit code {MISSED} if a limit is missed.",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="a few small chests (the default)")
    length.add_argument(
        "--full", action="store_true", help="many states and acquisitions, full size"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the report")
    parser.add_argument("--force", action="store_true", help="replace what is there")
    parser.add_argument("--json", action="store_true", help="print validation.json on stdout")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Validate, write the folder, say what came out."""
    from qct.cli.analyze import shown_progress
    from qct.export import check_folder, write_folder
    from qct.report import write_html, write_pdf
    from qct.validate import plan, validate
    from qct.validate.document import acceptance_document, as_json

    check_folder(args.output, force=args.force)
    kind = "full" if args.full else "quick"
    with shown_progress(quiet=args.quiet or args.json) as progress:
        validation = validate(
            plan(full=args.full),
            kind=kind,
            progress=lambda doing, share: progress(doing, 0.97 * share),
        )
        progress("writing the report", 0.97)
        document = acceptance_document(validation)
        told = as_json(validation)
        files = {
            "validation.html": write_html(document),
            "validation.pdf": write_pdf(document),
            "validation.json": told.encode(),
        }
        write_folder(args.output, files, force=args.force)
    if args.json:
        sys.stdout.write(told)
    elif not args.quiet:
        sys.stdout.write(summary(validation) + f"\nreport: {args.output / 'validation.html'}\n")
    return 0 if validation.passed else MISSED


def summary(validation: "Validation") -> str:
    """Lay out one line per limit."""
    words = {True: "pass", False: "FAIL", None: "not measured"}
    lines = []
    for one in validation.outcomes:
        shown = (
            ""
            if one.mean_absolute is None
            else f"mean {one.mean_absolute:.2f}, worst {one.worst:.2f}"
        )
        where = f"{one.regions[0]}{' ...' if len(one.regions) > 1 else ''}"
        limit = f"{one.limit} {one.unit}".strip()
        lines.append(f"{words[one.passed]:13}{one.quantity:28}{where:24}{limit:30}{shown}")
    lines += [f"FAIL         {case}: {why}" for case, why in validation.failures.items()]
    lines.append("passed" if validation.passed else "not passed")
    return "\n".join(lines) + "\n"
