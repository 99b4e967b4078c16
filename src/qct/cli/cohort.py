"""qct cohort: tables and plots of a batch by covariate, and its repeatability."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "cohort",
        help="tables and plots of a batch by covariate, and its repeatability",
        description="Writes OUT/cohort.html, cohort_groups.csv, cohort_trends.csv and repeatability.csv.",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="output folder of qct batch")
    parser.add_argument("--by", action="append", default=[], help="column to group or correlate by")
    parser.add_argument(
        "--pairs", metavar="COLUMN", help="column that names the subject of repeats"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the tables and the page."""
    from qct.batch.cohort import write_cohort

    sys.stdout.write(f"{write_cohort(args.out, tuple(args.by), args.pairs)}\n")
    return 0
