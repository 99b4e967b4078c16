"""``analysis.json`` and ``measurements.csv``: every number with its unit, status and flags.

The layout of the JSON is a contract: ``analysis.schema.json`` beside this module. Everything but
``started`` and ``timings_s`` is the same, byte for byte, for the same scan, options and version.
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import fields
from types import NoneType
from typing import Any

import numpy as np

from qct import __version__
from qct.export.airways import airway_records
from qct.export.beside import Beside
from qct.findings import Analysis, Candidate, Change, Earlier, Measured
from qct.flags import Flag, Status
from qct.quantities import UNIT_WORDS, quantities_of
from qct.regions import REGIONS, label_names

SCHEMA_NAME = "qct-analysis"
SCHEMA_VERSION = "1.2"
"""Raised in the first part when a reader of the old layout would misread the new one."""

CSV_COLUMNS = (
    "region",
    "region_name",
    "quantity",
    "label",
    "value",
    "unit",
    "status",
    "flags",
    "profile",
    "least_change",
    "standard_error",
    "predicted",
    "lower_limit",
    "upper_limit",
    "z_score",
    "reference",
)
"""The last seven are empty where nothing is known. ``reference`` is the key of the row that the four before it
come from, the first that applies; ``analysis.json`` has them all."""


def analysis_json(analysis: Analysis, *, started: str | None = None) -> str:
    """Return the text of ``analysis.json``.

    Parameters
    ----------
    analysis : Analysis
    started : str, optional
        When the run began (ISO 8601); it and ``timings_s`` alone differ between runs.
    """
    record = analysis_record(analysis, started=started)
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def analysis_record(analysis: Analysis, *, started: str | None = None) -> dict[str, Any]:
    """Return what ``analysis.json`` holds, as plain dictionaries, lists, strings and numbers."""
    scan = analysis.scan
    record = {
        "schema": {"name": SCHEMA_NAME, "version": SCHEMA_VERSION},
        "qct": __version__,
        "patient": _fields(scan.patient),
        "study": _fields(scan.study),
        "acquisition": _fields(scan.acquisition),
        "grid": _grid(analysis),
        "series": _series(scan.candidates),
        "options": analysis.options.as_dict(),
        "software": dict(analysis.software),
        "labels": label_names(),
        "segmentation": {
            "method": dict(analysis.segmentation.method),
            "region_flags": {
                key: _keys(flags) for key, flags in analysis.segmentation.region_flags.items()
            },
        },
        "regions": _regions(analysis),
        "references": [_fields(one) for one in analysis.references],
        "uncertainties": [_fields(one) for one in analysis.uncertainties],
        "changes": [change_record(one) for one in analysis.changes],
        "earlier": [_earlier(one) for one in analysis.earlier],
        "fissures": {one.fissure.value: _fissure(one) for one in analysis.segmentation.fissures},
        "airways": airway_records(analysis),
        "verdict": _verdict(analysis),
        "flags": _flags(analysis),
        "started": started,
        "timings_s": dict(analysis.timings_s),
    }
    plain: dict[str, Any] = _plain(record)
    return plain


def measurements_csv(analysis: Analysis) -> str:
    r"""Return one row per region and quantity (RFC 4180, but lines end in ``\n``).

    A number that is withheld or was not measured is an empty field. Flags are joined by spaces.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    rows = quantities_of(analysis.options.profile)
    beside = Beside(analysis)
    for one in analysis.measured:
        value, row = _shown(one), rows[one.quantity]
        writer.writerow(
            (
                one.region,
                _region_name(one.region),
                one.quantity,
                row.label,
                "" if value is None else repr(value),
                UNIT_WORDS[row.unit],
                one.status.value,
                " ".join(_keys(one.flags)),
                analysis.options.profile,
                *_known(one, beside),
            )
        )
    return text.getvalue()


def _known(one: Measured, beside: Beside) -> tuple[str, ...]:
    """Return the last seven of `CSV_COLUMNS`."""
    usual = beside.usual(one)
    known = (usual.predicted, usual.lower, usual.upper, usual.z_score) if usual else (None,) * 4
    amounts = (beside.amount(one, kind) for kind in ("least detectable change", "standard error"))
    numbers = ("" if value is None else repr(value) for value in (*amounts, *known))
    return (*numbers, usual.key if usual else "")


# --- sections -----------------------------------------------------------------------------------


def _grid(analysis: Analysis) -> dict[str, Any]:
    volume = analysis.scan.volume
    return {
        "shape": list(volume.shape),
        "spacing_mm": list(volume.spacing_mm),
        "axes_mm": volume.axes_mm.tolist(),
        "origin_mm": volume.origin_mm.tolist(),
    }


def _series(candidates: tuple[Candidate, ...]) -> dict[str, Any]:
    records = [_fields(one) for one in candidates]
    chosen = [one for one in records if one["verdict"] == "chosen"]
    return {
        "chosen": chosen[0] if chosen else None,
        "rejected": [one for one in records if one["verdict"] != "chosen"],
    }


def _regions(analysis: Analysis) -> dict[str, dict[str, Any]]:
    rows = quantities_of(analysis.options.profile)
    regions: dict[str, dict[str, Any]] = {}
    for one in analysis.measured:
        regions.setdefault(one.region, {})[one.quantity] = {
            "value": _shown(one),
            "unit": rows[one.quantity].unit,
            "status": one.status.value,
            "flags": _keys(one.flags),
        }
    return regions


def change_record(one: Change) -> dict[str, Any]:
    """Return one number over time, as plain values."""
    return {**_fields(one), "points": [_fields(point) for point in one.points]}


def _earlier(one: Earlier) -> dict[str, Any]:
    doubts = {quantity: _keys(flags) for quantity, flags in one.doubts.items()}
    return {**_fields(one), "doubts": doubts}


def _fissure(one: Any) -> dict[str, Any]:
    record = _fields(one)
    del record["fissure"]
    return record


def _verdict(analysis: Analysis) -> dict[str, Any]:
    verdict = analysis.verdict
    return {
        "overall": verdict.overall.value,
        "reasons": [{"flag": one.flag.key, "says": one.says} for one in verdict.reasons],
        "calibration_hu": dict(verdict.calibration_hu),
        "gate": dict(verdict.gate),
    }


def _flags(analysis: Analysis) -> dict[str, str]:
    """Return every flag met anywhere in the result, and its meaning."""
    met = set(analysis.flags)
    met.update(*(one.flags for one in analysis.measured))
    met.update(*analysis.segmentation.region_flags.values())
    return {flag.key: flag.meaning for flag in Flag if flag in met}


# --- values -------------------------------------------------------------------------------------


def _shown(one: Measured) -> float | None:
    """Return the value if it may be shown."""
    if one.value is None or one.status in (Status.WITHHELD, Status.NOT_MEASURED):
        return None
    value = float(one.value)
    return value if np.isfinite(value) else None


def _keys(flags: frozenset[Flag]) -> list[str]:
    return [flag.key for flag in Flag if flag in flags] if flags else []


def _region_name(region: str) -> str:
    return REGIONS[region].name if region in REGIONS else region


def _fields(noun: Any) -> dict[str, Any]:
    return {one.name: getattr(noun, one.name) for one in fields(noun)}


def _plain(value: Any) -> Any:
    """Turn numpy scalars, tuples and enums into what JSON knows; a number that is none becomes null."""
    if type(value) in (str, int, bool, NoneType):  # most of them
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, bool | int):
        return value
    return str(value)
