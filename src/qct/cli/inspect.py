"""qct inspect: list what is in a folder or archive, what would be measured, and why."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qct.options import Options

if TYPE_CHECKING:
    from qct.findings import Candidate
    from qct.interpret import Outlook
    from qct.read import Survey

    Outlooks = dict[int, Outlook]

SHOWN = ("volume_ml", "mean_hu", "perc15_hu", "laa950_percent", "laa910_percent", "haa_percent")
"""Quantities whose status is told."""

WORDS = {"reported": "to be reported", "caveat": "with a caveat", "withheld": "withheld"}
"""What becomes of a number, in words."""


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    from qct.cli.analyze import add_acquisition_to

    parser = commands.add_parser(
        "inspect", help="list studies and series, what would be measured, and why"
    )
    parser.add_argument("scan", type=Path, help="DICOM folder, zip file, DICOMDIR or one file")
    parser.add_argument("--series", metavar="UID", help="pretend that this series was asked for")
    add_acquisition_to(parser)
    parser.add_argument("--json", action="store_true", help="write JSON for machines")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """List every series; return 0 if one would be measured, else the exit code of the refusal."""
    from qct.cli.analyze import acquisition_of
    from qct.pipeline import inspect

    options = Options(series_uid=args.series, **acquisition_of(args))
    found, outlooks = inspect(args.scan, options=options, gate=args.gate)
    if args.json:
        as_dict = _as_dict(found, outlooks)
        sys.stdout.write(json.dumps(as_dict, ensure_ascii=False, indent=2) + "\n")
    elif sys.stdout.isatty():
        _show_table(found, outlooks)
    else:
        sys.stdout.write("\n".join(_lines(found, outlooks)) + "\n")
    return 0 if found.refusal is None else found.refusal.exit_code


def _as_dict(found: "Survey", outlooks: "Outlooks") -> dict[str, Any]:
    from dataclasses import asdict

    refusal, number = found.refusal, 0
    studies = []
    for study in found.studies:
        record = asdict(study)
        for candidate in record["candidates"]:
            candidate["gate"] = _outlook_dict(outlooks.get(number))
            number += 1
        del record["acquisitions"]
        studies.append(record)
    return {
        "studies": studies,
        "volume_files": [str(path) for path in found.volume_files],
        "n_files": found.n_files,
        "n_not_dicom": found.n_not_dicom,
        "n_unreadable": found.n_unreadable,
        "refusal": None
        if refusal is None
        else {"kind": type(refusal).__name__, "message": str(refusal), "hint": refusal.hint},
    }


def _outlook_dict(outlook: "Outlook | None") -> dict[str, Any] | None:
    if outlook is None:
        return None
    return {
        "overall": outlook.overall.value,
        "quantities": {name: status.value for name, status in outlook.statuses.items()},
        "reasons": [
            {"flag": one.flag.key, "weight": one.weight.name.lower(), "says": one.says}
            for one in outlook.reasons
        ],
    }


def _verdict(outlook: "Outlook") -> list[str]:
    """Say what the gate foresees: the numbers by what becomes of them, then every reason."""
    from qct.quantities import QUANTITIES

    lines = []
    for status, words in WORDS.items():
        names = [QUANTITIES[key].label for key in SHOWN if outlook.statuses[key] == status]
        if names:
            lines.append(f"{words}: {', '.join(names)}")
    return lines + [f"{one.weight.name.lower()}: {one.says}" for one in outlook.reasons]


def _lines(found: "Survey", outlooks: "Outlooks") -> list[str]:
    """Write the survey as plain text, one series per paragraph."""
    lines, number = [], 0
    for study in found.studies:
        lines.append(" ".join(["Study", study.date or "of unknown date", study.description or ""]))
        for candidate in study.candidates:
            cells = _cells(candidate)
            lines.append(
                f"  {candidate.verdict.upper():12}" + "  ".join(c for c in cells[1:-1] if c)
            )
            told = [candidate.reason]
            if number in outlooks:
                told += _verdict(outlooks[number])
            lines += [f"              {line}" for line in (*told, candidate.series_uid)]
            number += 1
    return lines + _summary(found)


def _summary(found: "Survey") -> list[str]:
    lines = [f"Volume file: {path}" for path in found.volume_files]
    counts = [f"{found.n_files} files"]
    if found.n_not_dicom:
        counts.append(f"{found.n_not_dicom} not DICOM")
    if found.n_unreadable:
        counts.append(f"{found.n_unreadable} unreadable")
    lines.append(", ".join(counts) + ".")
    if found.refusal is not None:
        lines.append(f"Nothing would be measured: {found.refusal}")
        lines.append(f"hint: {found.refusal.hint}")
    return lines


def _show_table(found: "Survey", outlooks: "Outlooks") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    colours = {"chosen": "green", "passed over": "yellow", "rejected": "red"}
    number = 0
    for study in found.studies:
        title = f"Study {study.date or 'of unknown date'} {study.description or ''}"
        table = Table(title=escape(title), title_justify="left", show_lines=True)
        for heading in ("", "Series", "Modality", "Images", "Kernel", "Grid", "Why"):
            table.add_column(heading)
        for candidate in study.candidates:
            verdict, *cells = _cells(candidate)
            if number in outlooks:
                cells[-1] = "\n".join([cells[-1], *_verdict(outlooks[number])])
            number += 1
            colour = colours[candidate.verdict]
            table.add_row(f"[{colour}]{verdict}[/]", *(escape(cell) for cell in cells))
        console.print(table)
    for line in _summary(found):
        console.print(escape(line), soft_wrap=True)


def _cells(candidate: "Candidate") -> tuple[str, ...]:
    """Return verdict, series, modality, images, kernel, grid, reason."""
    number = "" if candidate.series_number is None else f"#{candidate.series_number}"
    return (
        candidate.verdict,
        " ".join(part for part in (number, candidate.description) if part),
        candidate.modality or "",
        f"{candidate.n_images} image{'s' * (candidate.n_images != 1)}",
        candidate.recon_kernel or "",
        _grid(candidate),
        candidate.reason,
    )


def _grid(candidate: "Candidate") -> str:
    if candidate.shape is None or candidate.spacing_mm is None:
        return ""
    shape = " x ".join(str(n) for n in candidate.shape)
    spacing = " x ".join(f"{mm:.3g}" for mm in candidate.spacing_mm)
    return f"{shape}, {spacing} mm"
