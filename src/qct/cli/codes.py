"""qct codes: list and explain the catalogue of codes."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "codes",
        help="list and explain the codes of the coding worksheet",
        description="List the codes of the coding worksheet, or explain one, with how sure each fact is.",
    )
    parser.add_argument("code", nargs="?", metavar="CODE", help="explain this code")
    parser.add_argument(
        "--descriptors", type=Path, metavar="FILE", help="licensee's texts, CSV with code,text"
    )
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the catalogue, or one row of it."""
    from qct.cli.coding import text_of
    from qct.coding.catalogue import catalogue, close_codes, find
    from qct.coding.show import catalogue_text, code_text, code_values
    from qct.coding.tables import descriptors
    from qct.errors import OptionError

    texts = descriptors(text_of(args.descriptors, "descriptor file")) if args.descriptors else {}
    rows = list(catalogue().values())
    if args.code is not None:
        row = find(args.code)
        if row is None:
            close = close_codes(args.code)
            alike = (
                f"Spelt alike: {', '.join(close)}." if close else "qct codes lists what is known."
            )
            raise OptionError(
                "this code is unknown to the catalogue; nothing is said of it", hint=alike
            )
        rows = [row]
    if args.json:
        values = [code_values(row, texts) for row in rows]
        sys.stdout.write(json.dumps(values, ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.write(code_text(rows[0], texts) if args.code else catalogue_text())
    return 0
