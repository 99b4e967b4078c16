"""qct quantities: print the dictionary of every reported number."""

import argparse
import sys
from typing import Any

from qct.options import PROFILES


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser("quantities", help="print the dictionary of every reported number")
    parser.add_argument(
        "--profile", choices=PROFILES, default="default", help="whose definitions (default: qct's)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--markdown", action="store_true", help="as the table of docs/metrics.md")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every row of one profile."""
    import json
    from dataclasses import asdict

    from qct.quantities import PROFILES as MEANINGS
    from qct.quantities import UNIT_WORDS, markdown_table, quantities_of

    rows = quantities_of(args.profile)
    if args.json:
        table = {"profile": args.profile, "quantities": [asdict(row) for row in rows.values()]}
        sys.stdout.write(json.dumps(table, ensure_ascii=False, indent=2) + "\n")
    elif args.markdown:
        sys.stdout.write(markdown_table(args.profile))
    else:
        sys.stdout.write(f"Profile {args.profile}: {MEANINGS[args.profile].meaning}\n\n")
        for row in rows.values():
            unit = f" [{UNIT_WORDS[row.unit]}]" if UNIT_WORDS[row.unit] else ""
            sys.stdout.write(
                f"{row.key:17} {row.label}{unit}\n{'':17} {row.definition} ({row.source})\n"
            )
    return 0
