"""qct export: write a result as DICOM objects, FHIR, HL7 and tables."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qct.export.dicom_source import Source
    from qct.findings import Analysis

FORMATS = {
    "seg": "DICOM segmentation",
    "sr": "DICOM structured report",
    "sc": "DICOM key images",
    "pdf": "DICOM encapsulated PDF",
    "pm": "DICOM map of LAA-950",
    "fhir": "FHIR R4 bundle",
    "hl7": "HL7 v2.5.1 message",
    "csv": "table",
    "parquet": "table",
    "json": "analysis.json",
    "nifti": "label map",
    "report": "report as HTML and PDF",
}
"""What can be written."""

DICOM = ("seg", "sr", "sc", "pdf", "pm")
USUAL = "seg,sr,sc,pdf"
SECRET_BYTES = 32


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "export",
        help="write a result as DICOM objects, FHIR, HL7 and tables",
        description="Write a result as DICOM objects, FHIR, HL7 and tables.",
        epilog="formats: " + ", ".join(f"{key} ({words})" for key, words in FORMATS.items()),
    )
    parser.add_argument("result", type=Path, help="folder of qct analyze, or a scan to analyze")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the objects")
    parser.add_argument("--format", default=USUAL, help=f"comma-separated; default {USUAL}")
    parser.add_argument(
        "--source", type=Path, help="the DICOM series that was analyzed; needed for a result folder"
    )
    parser.add_argument("--deidentify", action="store_true", help="take the patient out first")
    parser.add_argument(
        "--secret",
        type=Path,
        help="file that stand-ins are made from: the same file, the same stand-ins "
        "(default: new ones each time)",
    )
    parser.add_argument("--force", action="store_true", help="replace what is already there")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the objects into a folder."""
    from qct.errors import OptionError
    from qct.export import check_folder, write_folder

    formats = [one.strip() for one in args.format.split(",") if one.strip()]
    unknown = [one for one in formats if one not in FORMATS]
    if unknown or not formats:
        msg = f"{unknown[0]!r} is no format" if unknown else "no format is named"
        raise OptionError(msg, hint=f"Known: {', '.join(FORMATS)}.")
    check_folder(args.output, force=args.force)
    analysis, source = _opened(args, needs_headers=bool(set(formats) & set(DICOM)))
    if args.deidentify:
        analysis, source = _without_patient(analysis, source, args.secret)
    files = exported(analysis, source, formats)
    write_folder(args.output, files, force=args.force)
    for name in files:
        sys.stdout.write(f"{args.output / name}\n")
    return 0


def exported(analysis: "Analysis", source: "Source | None", formats: list[str]) -> dict[str, bytes]:
    """Make the files of the formats that are asked for."""
    from qct.export.dicom import dicom_objects
    from qct.export.fhir import fhir_json
    from qct.export.hl7 import oru_message
    from qct.export.parquet import measurements_parquet
    from qct.pipeline import results

    made = results(analysis)
    files: dict[str, bytes] = {}
    objects = [one for one in formats if one in DICOM]
    if objects:
        files |= dicom_objects(analysis, made, objects=objects, source=source)
    pdf = made["report.pdf"]
    makers: dict[str, Callable[[], dict[str, bytes]]] = {
        "fhir": lambda: {"fhir.json": fhir_json(analysis, pdf=pdf)},
        "hl7": lambda: {"oru.hl7": oru_message(analysis, pdf=pdf)},
        "parquet": lambda: {"measurements.parquet": measurements_parquet(analysis)},
        "csv": lambda: {"measurements.csv": made["measurements.csv"]},
        "json": lambda: {"analysis.json": made["analysis.json"]},
        "nifti": lambda: {"labels.nii.gz": made["labels.nii.gz"]},
        "report": lambda: {"report.html": made["report.html"], "report.pdf": pdf},
    }
    for one in formats:
        if one in makers:
            files |= makers[one]()
    return files


def _opened(args: argparse.Namespace, *, needs_headers: bool) -> tuple["Analysis", "Source | None"]:
    """Return the analysis, and the headers of its images if they are needed."""
    from qct.errors import OptionError
    from qct.export.dicom_source import read_source
    from qct.pipeline import analyze, reopen

    if (args.result / "analysis.json").is_file():
        if args.source is None:
            raise OptionError(
                "a result folder does not hold the images it was measured on",
                hint="Name the DICOM series with --source.",
            )
        analysis = reopen(args.result, args.source)
    else:
        analysis = analyze(args.result)
    return analysis, read_source(analysis.scan) if needs_headers else None


def _without_patient(
    analysis: "Analysis", source: "Source | None", secret: Path | None
) -> tuple["Analysis", "Source | None"]:
    import secrets

    from qct.errors import OptionError
    from qct.export.deidentify import Pseudonyms, deidentified

    try:
        content = secrets.token_bytes(SECRET_BYTES) if secret is None else secret.read_bytes()
    except OSError as error:
        raise OptionError(
            f"{secret} cannot be read", hint="Name a file of random bytes."
        ) from error
    return deidentified(analysis, source, Pseudonyms(content))
