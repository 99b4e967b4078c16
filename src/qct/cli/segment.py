"""qct segment: find lungs and lobes of one scan, and write the label map alone."""

import argparse
import sys
from pathlib import Path
from typing import Any

from qct.options import Options


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    from qct.cli.analyze import add_segmentation_to

    parser = commands.add_parser(
        "segment",
        help="find lungs and lobes of one scan, and write the label map alone",
        description="Find lungs, lobes and airway; write the label map, with a table of its labels beside it.",
    )
    parser.add_argument("scan", type=Path, help="folder, zip file, DICOMDIR or DICOM file")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="file ending in .nii.gz, .nii, .nrrd, .mha"
    )
    parser.add_argument("--force", action="store_true", help="replace files already there")
    parser.add_argument("--series", metavar="UID", help="take this series, whatever the ranking")
    add_segmentation_to(parser)
    parser.add_argument("--threads", type=int, default=Options().threads)
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Segment one scan and write its label map."""
    from qct.cli.analyze import shown_progress
    from qct.export.label_files import check_label_file, table_path, write_label_file
    from qct.pipeline import segment_only

    options = Options(
        series_uid=args.series,
        segmenter=args.segmenter,
        weights=args.weights,
        allow_download=args.allow_download,
        threads=args.threads,
    )
    check_label_file(args.output, force=args.force)
    with shown_progress(quiet=args.quiet) as progress:
        scan, found = segment_only(
            args.scan, options=options, labels=args.labels, lungs=args.lungs, progress=progress
        )
        write_label_file(args.output, scan.volume, found.labels)
    if not args.quiet:
        sys.stdout.write(f"labels: {args.output}\n        {table_path(args.output)}\n")
        sys.stdout.writelines(
            f"* {flag.meaning}\n" for flag in sorted(found.flags, key=lambda f: f.key)
        )
    return 0
