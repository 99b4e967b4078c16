"""qct import-labels: measure a scan with regions that were drawn or edited elsewhere."""

from pathlib import Path
from typing import Any

from qct.cli.analyze import add_measuring_to, run
from qct.options import EMBEDDED


def add_to(commands: Any) -> None:
    """Declare the command and its arguments: those of ``qct analyze --labels``."""
    parser = commands.add_parser(
        "import-labels",
        help="measure a scan with regions that were drawn or edited elsewhere",
        description="Measure a scan with the regions of a DICOM SEG, NIfTI or NRRD label map.",
    )
    parser.add_argument("scan", type=Path, help="folder, zip file, DICOMDIR or DICOM file")
    parser.add_argument("labels", type=Path, help="DICOM SEG, NIfTI, NRRD or MetaImage file")
    add_measuring_to(parser)
    parser.set_defaults(run=run, lungs=None, segmenter=EMBEDDED, weights=None, allow_download=False)
