"""What is usual: reference values from ``reference.toml``, for one person, or why they do not apply."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from qct.acquisition import Patient
from qct.findings import Reference
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


def references(patient: Patient) -> tuple[Reference, ...]:
    """Return every row of the table for one person.

    Parameters
    ----------
    patient : Patient
        Age, sex, height and weight as far as they are known.

    Returns
    -------
    rows : tuple of Reference
        A row outside whose people this person is, or that needs what is not known, is refused with the
        reason; nothing is extrapolated and no missing value is invented.
    """
    return tuple(_reference(row, patient) for row in _table())


@cache
def _table() -> tuple[Mapping[str, Any], ...]:
    text = files("qct.interpret").joinpath("reference.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["row"])


def _reference(row: Mapping[str, Any], patient: Patient) -> Reference:
    equations = row.get("equation", {})
    equation = equations.get("any") or equations.get(patient.sex)
    known = covariates(patient)
    refused = _refusal(row, equation, patient, known)
    values = {}
    if not refused:
        values = _solved(equation, known) if equation else _printed(row)
    return Reference(
        key=row["key"],
        region=WHOLE_LUNG.key,
        quantity=row["quantity"],
        population=row["population"],
        source=row["source"],
        kind=row["kind"],
        refused=refused,
        **values,
    )


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
