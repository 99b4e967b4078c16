"""qct coding: prepare the coding worksheet of one analysed study."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from qct.errors import NothingToReadError, ReadError, WriteError

RESULT = "analysis.json"
"""Name of the result inside an analysis folder."""


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "coding",
        help="prepare the 0721T / 0722T worksheet of one analysis",
        description="Prepare the coding worksheet of one analysis: a draft for physician and coder.",
    )
    parser.add_argument("analysis", type=Path, help="result folder of qct analyze")
    parser.add_argument(
        "--order", type=Path, metavar="FILE", help="order.toml, worklist item or HL7 order"
    )
    parser.add_argument("--payers", type=Path, metavar="FILE", help="the site's payer rows, CSV")
    parser.add_argument(
        "--descriptors", type=Path, metavar="FILE", help="licensee's texts, CSV with code,text"
    )
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write .html, .json or text here"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the worksheet, or write it to a file."""
    from qct.coding import StudyFacts, advise
    from qct.coding.show import worksheet_html, worksheet_text, worksheet_values
    from qct.coding.tables import descriptors, payer_rows
    from qct.export.signed import read_signature
    from qct.order import Order
    from qct.read.order import read_order

    folder = args.analysis if args.analysis.is_dir() else args.analysis.parent
    facts = StudyFacts.from_analysis(
        read_result(args.analysis),
        n_key_images=pictures(folder),
        signature=read_signature(folder),
    )
    order = read_order(args.order) if args.order else Order()
    order.check_patient(facts.patient.patient_id, "analysis")
    payers = payer_rows(text_of(args.payers, "payer file")) if args.payers else ()
    texts = descriptors(text_of(args.descriptors, "descriptor file")) if args.descriptors else {}
    shown = (advise(order, facts), payers, texts)

    as_json = json.dumps(worksheet_values(*shown), ensure_ascii=False, indent=2, default=str) + "\n"
    if args.output is not None:
        makers = {".html": lambda: worksheet_html(*shown), ".json": lambda: as_json}
        write(args.output, makers.get(args.output.suffix.lower(), lambda: worksheet_text(*shown))())
    if args.json or args.output is None:
        sys.stdout.write(as_json if args.json else worksheet_text(*shown))
    return 0


def read_result(path: Path) -> dict[str, Any]:
    """Read the result of an analysis from its folder, or from the file itself."""
    file = path / RESULT if path.is_dir() else path
    if not file.is_file():
        raise NothingToReadError(
            f"there is no {RESULT} in {path}" if path.is_dir() else f"there is no {path}",
            hint="Hand in the folder that qct analyze wrote with -o.",
        )
    try:
        document = json.loads(text_of(file, RESULT))
    except (json.JSONDecodeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ReadError(f"{RESULT} is not a JSON table", hint="Run qct analyze again.")
    return document


def pictures(folder: Path) -> int:
    """Count the pictures of the report in a result folder; 0 without one."""
    from qct.report import document_from
    from qct.report.document import Figure

    try:
        document = document_from((folder / "report.json").read_bytes())
    except (OSError, ValueError):
        return 0
    return sum(isinstance(block, Figure) for block in document.flat())


def text_of(path: Path, what: str) -> str:
    """Read a text file, or say that `what` cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(
            f"the {what} ({path}) cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}",
            hint="Check the path, and that it is a UTF-8 text file.",
        ) from None


def write(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise WriteError(
            f"the worksheet cannot be written: {error.strerror}",
            hint="Name a file in a folder that exists and may be written to.",
        ) from None
