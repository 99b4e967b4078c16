"""qct export: write a result as DICOM objects, FHIR, HL7 and tables."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydicom.dataset import Dataset

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
    "report": "report as HTML, PDF and text",
}
"""What can be written."""

DICOM = ("seg", "sr", "sc", "pdf", "pm")
USUAL = "seg,sr,sc,pdf"
REPORTS = ("report.html", "report.pdf", "report.txt")
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
    parser.add_argument(
        "--replaces",
        type=Path,
        metavar="FOLDER",
        help="earlier export of this study that a signed report amends",
    )
    parser.add_argument("--force", action="store_true", help="replace what is already there")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the objects into a folder."""
    from qct.errors import OptionError, WriteError
    from qct.export import check_folder, write_folder

    formats = [one.strip() for one in args.format.split(",") if one.strip()]
    unknown = [one for one in formats if one not in FORMATS]
    if unknown or not formats:
        msg = f"{unknown[0]!r} is no format" if unknown else "no format is named"
        raise OptionError(msg, hint=f"Known: {', '.join(FORMATS)}.")
    check_folder(args.output, force=args.force)
    analysis, source, made = _opened(args, needs_headers=bool(set(formats) & set(DICOM)))
    replaced = _replaced(args.replaces, analysis)
    if args.deidentify:
        from qct.pipeline import results

        analysis, source = _without_patient(analysis, source, args.secret)
        made, replaced = results(analysis), []
    files = exported(analysis, source, made, formats, replaced)
    for name in [one for one in formats if one in DICOM and f"{one}.dcm" not in files]:
        sys.stderr.write(f"no {FORMATS[name]}: this scan does not allow what it would show\n")
    if not files:
        raise WriteError("there is nothing to write", hint="Name other formats.")
    write_folder(args.output, files, force=args.force)
    for name in files:
        sys.stdout.write(f"{args.output / name}\n")
    return 0


def exported(
    analysis: "Analysis",
    source: "Source | None",
    made: "Mapping[str, bytes]",
    formats: list[str],
    replaced: "Sequence[Dataset]" = (),
) -> dict[str, bytes]:
    """Make the files of the formats that are asked for; `made` is what the result folder holds."""
    from qct.export.dicom import dicom_objects
    from qct.export.fhir import fhir_json
    from qct.export.hl7 import oru_message
    from qct.export.parquet import measurements_parquet

    files: dict[str, bytes] = {}
    objects = [one for one in formats if one in DICOM]
    if objects:
        files |= dicom_objects(analysis, made, objects=objects, source=source, replaced=replaced)
    pdf, amends = made["report.pdf"], bool(replaced)
    makers: dict[str, Callable[[], dict[str, bytes]]] = {
        "fhir": lambda: {"fhir.json": fhir_json(analysis, pdf=pdf, amends=amends)},
        "hl7": lambda: {"oru.hl7": oru_message(analysis, pdf=pdf, amends=amends)},
        "parquet": lambda: {"measurements.parquet": measurements_parquet(analysis)},
        "csv": lambda: {"measurements.csv": made["measurements.csv"]},
        "json": lambda: {"analysis.json": made["analysis.json"]},
        "nifti": lambda: {"labels.nii.gz": made["labels.nii.gz"]},
        "report": lambda: {name: made[name] for name in REPORTS},
    }
    for one in formats:
        if one in makers:
            files |= makers[one]()
    return files


def _opened(
    args: argparse.Namespace, *, needs_headers: bool
) -> tuple["Analysis", "Source | None", dict[str, bytes]]:
    """Return the analysis, the headers of its images if they are needed, and its files."""
    from qct.errors import OptionError
    from qct.export.dicom_source import read_source
    from qct.export.signed import all_files
    from qct.pipeline import analyze, reopen, results

    if (args.result / "analysis.json").is_file():
        if args.source is None:
            raise OptionError(
                "a result folder does not hold the images it was measured on",
                hint="Name the DICOM series with --source.",
            )
        analysis = reopen(args.result, args.source)
        made = all_files(args.result)
        if not set(made).issuperset(REPORTS):
            made = results(analysis) | made
    else:
        analysis = analyze(args.result)
        made = results(analysis)
    return analysis, read_source(analysis.scan) if needs_headers else None, made


def _replaced(folder: Path | None, analysis: "Analysis") -> "list[Dataset]":
    """Read the earlier reports that this one amends; they have to be of the same study."""
    if folder is None:
        return []
    from qct.errors import OptionError
    from qct.export.dicom_sr import earlier_reports

    if analysis.signature is None:
        raise OptionError(
            "only a signed report replaces an earlier one", hint="Sign the result with qct sign."
        )
    return earlier_reports(folder, analysis.scan.study.study_uid)


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
