"""qct import-labels: measure a scan with regions that were drawn or edited elsewhere."""

import argparse
import sys
from pathlib import Path
from typing import Any

from qct.options import PROFILES, Options


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "import-labels",
        help="measure a scan with regions that were drawn or edited elsewhere",
        description="Measure a scan with the regions of a DICOM SEG, NIfTI or NRRD label map.",
    )
    parser.add_argument("scan", type=Path, help="folder, zip file, DICOMDIR or DICOM file")
    parser.add_argument("labels", type=Path, help="DICOM SEG, NIfTI, NRRD or MetaImage file")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("--force", action="store_true", help="replace results already there")
    parser.add_argument("--series", metavar="UID", help="the series that was drawn on")
    parser.add_argument("--profile", choices=PROFILES, default=Options().profile)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure with the imported regions and write the result folder."""
    from qct.cli.analyze import summary
    from qct.export import check_folder, write_folder
    from qct.pipeline import analyze, results

    check_folder(args.output, force=args.force)
    options = Options(series_uid=args.series, profile=args.profile)
    analysis = analyze(args.scan, options=options, labels=args.labels)
    write_folder(args.output, results(analysis), force=args.force)
    sys.stdout.write(summary(analysis))
    return 0
