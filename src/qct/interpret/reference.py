"""What is usual: reference values from ``reference.toml``, for one person, or why they do not apply."""

import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from qct.acquisition import Patient
from qct.findings import Measured, Reference
from qct.flags import Flag
from qct.options import Options
from qct.regions import WHOLE_LUNG

Covariates = Mapping[str, float | None]
"""``male`` (0 or 1), ``age_years``, ``height_cm``, ``weight_kg``; None where it is not known."""

COVARIATES = {
    "male": "sex",
    "age_years": "age",
    "height_cm": "height",
    "weight_kg": "weight",
}
"""What an equation may ask for, and the word for it."""

UNLIKE = {
    Flag.CONTRAST: "contrast medium given or possible",
    Flag.NOT_SUPINE: "the patient did not lie on the back",
    Flag.EXPIRATION: "full inspiration in doubt",
}
"""Scans that no reference population was scanned like, and the words for it."""

NOT_ALL = {
    Flag.SINGLE_LUNG: "only one lung was found",
    Flag.TRUNCATED_LUNG: "the lung is cut off at the edge of the scan",
}
"""Volumes that are not those of two whole lungs, and the words for it."""


VOLUME = "volume_ml"


def person(patient: Patient, options: Options) -> Patient:
    """Return the patient of the header, with what the options say of them put over it."""
    height_m = None if options.height_cm is None else options.height_cm / 100
    said: dict[str, Any] = {
        "age_years": options.age_years,
        "sex": options.sex,
        "height_m": height_m,
        "weight_kg": options.weight_kg,
    }
    return replace(patient, **{name: value for name, value in said.items() if value is not None})


def references(
    patient: Patient,
    measured: tuple[Measured, ...] = (),
    flags: Collection[Flag] = frozenset(),
) -> tuple[Reference, ...]:
    """Return every row of the table for one person.

    Parameters
    ----------
    patient : Patient
        Age, sex, height and weight as far as they are known.
    measured : tuple of Measured
        As judged; a number that is withheld is not compared.
    flags : collection of Flag
        Doubts about the scan; with one of `UNLIKE`, no row applies, with one of `NOT_ALL` none of volume.

    Returns
    -------
    rows : tuple of Reference
        A row outside whose people this person is, or that needs what is not known, is refused with the
        reason; nothing is extrapolated and no missing value is invented.
    """
    unlike, not_all = (
        next((words for flag, words in table.items() if flag in flags), "")
        for table in (UNLIKE, NOT_ALL)
    )
    values = {(one.region, one.quantity): one.value for one in measured}
    rows = []
    for row in _table():
        equation = _equation(row, patient)
        why = unlike or (not_all if row["quantity"] == VOLUME else "")
        one = _reference(row, equation, patient, why)
        value = values.get((one.region, one.quantity))
        rows.append(_compared(one, value, (equation or {}).get("sd")))
    return tuple(rows)


@cache
def _table() -> tuple[Mapping[str, Any], ...]:
    text = files("qct.interpret").joinpath("reference.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["row"])


def _equation(row: Mapping[str, Any], patient: Patient) -> Mapping[str, Any] | None:
    equations = row.get("equation", {})
    found: Mapping[str, Any] | None = equations.get("any") or equations.get(patient.sex)
    return found


def _reference(
    row: Mapping[str, Any], equation: Mapping[str, Any] | None, patient: Patient, unlike: str
) -> Reference:
    known = covariates(patient)
    refused = unlike or _refusal(row, equation, patient, known)
    values: dict[str, Any] = {}
    if not refused:
        values = _solved(equation, known) if equation else _printed(row)
    return Reference(
        key=row["key"],
        region=WHOLE_LUNG.key,
        quantity=row["quantity"],
        population=row["population"],
        source=row["source"],
        kind=row["kind"],
        limits=row.get("limits", ""),
        refused=refused,
        **values,
    )


def _compared(one: Reference, value: float | None, sd: float | None) -> Reference:
    """Say how a number stands to a reference that applies; `sd` where the spread is a normal one."""
    if value is None or one.refused:
        return one
    z_score = None if sd is None or one.predicted is None else (value - one.predicted) / sd
    share = 100 * value / one.predicted if one.kind == "predicted" and one.predicted else None
    return replace(
        one,
        value=value,
        stands=_stands(value, one.lower, one.upper),
        percent_predicted=share,
        z_score=z_score,
        percentile=None if z_score is None else 50 * math.erfc(-z_score / math.sqrt(2)),
    )


def _stands(value: float, lower: float | None, upper: float | None) -> str:
    if lower is None and upper is None:
        return ""
    if lower is not None and value < lower:
        return "below"
    return "above" if upper is not None and value > upper else "within"


def covariates(patient: Patient) -> dict[str, float | None]:
    """Say what is known of a person, in the units of the equations."""
    height_m = patient.height_m
    return {
        "male": {"M": 1.0, "F": 0.0}.get(patient.sex or ""),
        "age_years": patient.age_years,
        "height_cm": None if height_m is None else 100 * height_m,
        "weight_kg": patient.weight_kg,
    }


def _refusal(
    row: Mapping[str, Any],
    equation: Mapping[str, Any] | None,
    patient: Patient,
    known: Covariates,
) -> str:
    """Say why a row does not apply; empty if it does."""
    asked = {name for name in COVARIATES if name in (equation or {})} | {"age_years"}
    if "sexes" in row or ("equation" in row and "any" not in row["equation"]):
        asked.add("male")
    missing = [word for name, word in COVARIATES.items() if name in asked and known[name] is None]
    if missing:
        return f"{' and '.join(missing)} not known"
    if patient.sex not in row.get("sexes", (patient.sex,)):
        return "not for this sex"
    limits = {"age_years": (row["ages"], "years")}
    if equation and "heights_cm" in equation:
        limits["height_cm"] = (equation["heights_cm"], "cm")
    for name, ((lowest, highest), unit) in limits.items():
        value = known[name]
        if value is None or not lowest <= value <= highest:
            word = COVARIATES[name]
            return f"{word} {value:.0f} {unit} is outside {lowest} to {highest} {unit}"
    return ""


def _printed(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(row[name]) for name in ("predicted", "lower", "upper") if name in row}


def _solved(equation: Mapping[str, float], known: Covariates) -> dict[str, float]:
    """Solve an equation; its form stands at the head of the table."""
    linear = equation["intercept"] + sum(
        coefficient * (known[name] or 0.0)
        for name, coefficient in equation.items()
        if name in COVARIATES
    )
    predicted = max(linear, 0.0) ** equation.get("power", 1.0) + equation.get("offset", 0.0)
    if "spread" not in equation:
        return {"predicted": max(predicted, 0.0)}
    spread = equation["spread"]
    return {"predicted": predicted, "lower": predicted - spread, "upper": predicted + spread}
