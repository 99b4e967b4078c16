"""``airways.csv``: one row per branch of the airway tree; the same records stand in ``analysis.json``."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from qct.findings import AirwayBranch, AirwayTree, Analysis, BranchSize
from qct.regions import AIRWAY, BRONCHI

COLUMNS = (
    "branch",
    "parent",
    "generation",
    "name",
    "lobe",
    "length_mm",
    "lumen_mm",
    "wall_mm",
    "wall_area_percent",
    "lumen_error_percent",
    "wall_error_percent",
    "lumen_fwhm_mm",
    "wall_fwhm_mm",
    "n_places",
    "n_walls",
)


def airway_records(analysis: Analysis) -> list[dict[str, Any]]:
    """Return one record per branch: `COLUMNS`, and ``line_mm``, its centre line in LPS.

    Where the scan does not allow walls or lumens to be measured, they are None here, too.
    """
    tree = analysis.segmentation.airways
    if tree is None:
        return []
    sizes = analysis.airways or (BranchSize(),) * len(tree.branches)
    hidden = _hidden(analysis)
    return [
        _record(number, branch, size, hidden)
        for number, (branch, size) in enumerate(zip(tree.branches, sizes, strict=True))
    ]


def airways_from(
    records: Iterable[Mapping[str, Any]],
) -> tuple[AirwayTree | None, tuple[BranchSize, ...]]:
    """Return what `airway_records` made its records of; without the radii as they were followed (NaN)."""
    branches, sizes = [], []
    keys = {name: key for key, name in BRONCHI.items()}
    for one in records:
        line = np.array(one["line_mm"], np.float64).reshape(-1, 3)
        branches.append(
            AirwayBranch(
                parent=-1 if one["parent"] is None else one["parent"],
                generation=one["generation"],
                name="" if one["name"] is None else keys[one["name"]],
                lobe=one["lobe"] or "",
                line_mm=line,
                radius_mm=np.full(len(line), np.nan),
            )
        )
        known = {field.name for field in fields(BranchSize)} & one.keys()
        sizes.append(BranchSize(**{name: one[name] for name in known}))
    return (AirwayTree(branches=tuple(branches)) if branches else None), tuple(sizes)


def _hidden(analysis: Analysis) -> set[str]:
    """Columns that this scan does not allow."""
    hidden: set[str] = set()
    if analysis.withholds(AIRWAY.key, "pi10_airways"):
        hidden |= {"wall_mm", "wall_area_percent", "wall_error_percent", "wall_fwhm_mm"}
    if analysis.withholds(AIRWAY.key, "segmental_lumen_mm"):
        hidden |= {"lumen_mm", "lumen_error_percent", "lumen_fwhm_mm"}
    return hidden


def _record(
    number: int, branch: AirwayBranch, size: BranchSize, hidden: set[str]
) -> dict[str, Any]:
    line = np.round(branch.line_mm, 1)
    values: dict[str, Any] = {
        "branch": number,
        "parent": branch.parent if branch.parent >= 0 else None,
        "generation": branch.generation,
        "name": BRONCHI.get(branch.name),
        "lobe": branch.lobe or None,
        "length_mm": _rounded(replace(branch, line_mm=line).length_mm),
        "n_places": size.n_places,
        "n_walls": size.n_walls,
    }
    for name in COLUMNS:
        if name not in values:
            values[name] = None if name in hidden else _rounded(getattr(size, name))
    return {name: values[name] for name in COLUMNS} | {"line_mm": line.tolist()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def airways_csv(analysis: Analysis) -> str:
    """Return one row per branch; what was not measured, or is withheld, is an empty field."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(airway_records(analysis))
    return text.getvalue()
