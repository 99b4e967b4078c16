"""From errors to pass or fail, by the table in ``limits.toml``."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from statistics import fmean, pstdev
from typing import Any

from qct.validate.cases import EFFECT, JUDGED


@dataclass(frozen=True, slots=True)
class Row:
    """One measured number beside its truths (``model``, ``sampled``, ``imaged``; those that there are)."""

    case: str
    purpose: str
    person: str
    region: str
    quantity: str
    measured: float | None
    status: str
    truth: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One limit and how it is met.

    Attributes
    ----------
    limit : str
        In words, e.g. ``mean <= 0.3``.
    n : int
        Numbers compared.
    bias, precision, mean_absolute, worst : float or None
        Mean, standard deviation, mean absolute and largest absolute of the errors, in `unit`.
    passed : bool or None
        None where this version does not measure the number.
    """

    quantity: str
    regions: tuple[str, ...]
    truth: str
    unit: str
    limit: str
    reason: str
    n: int = 0
    n_missing: int = 0
    bias: float | None = None
    precision: float | None = None
    mean_absolute: float | None = None
    worst: float | None = None
    passed: bool | None = None


@cache
def load_limits() -> Mapping[str, list[dict[str, Any]]]:
    """Read the table that ships with qct."""
    return tomllib.loads(files("qct.validate").joinpath("limits.toml").read_text("utf-8"))


def judge(rows: Sequence[Row], limits: Mapping[str, list[dict[str, Any]]]) -> tuple[Outcome, ...]:
    """Judge every limit; a withheld or missing number of a judged case fails its limit."""
    judged = [row for row in rows if row.purpose == JUDGED]
    plain = tuple(_limited(judged, one) for one in limits["limit"])
    airways = tuple(_limited(judged, _as_limit(one)) for one in limits["airway"])
    effects = tuple(_effect(rows, one) for one in limits["effect"])
    return plain + airways + effects


def _as_limit(one: Mapping[str, Any]) -> dict[str, Any]:
    """Put a limit of the airways, whose truth is the tree, into the form of the others."""
    return {
        "quantity": one["quantity"],
        "regions": ["airway"],
        "truth": "model",
        "of": "percent",
        "worst": one["percent"],
        "reason": one["reason"],
    }


def error(row: Row, truth: str, of: str) -> float | None:
    """Return measured less true, in percent of the truth or in the number's unit; None if it was withheld."""
    if row.measured is None or truth not in row.truth:
        return None
    difference = row.measured - row.truth[truth]
    return 100 * difference / row.truth[truth] if of == "percent" else difference


def _limited(rows: Sequence[Row], one: Mapping[str, Any]) -> Outcome:
    apply = _with_enough(rows, one.get("where_laa_above", -1.0))
    chosen = [
        row
        for row in rows
        if row.quantity == one["quantity"] and row.region in one["regions"] and row.case in apply
    ]
    found = [error(row, one["truth"], one["of"]) for row in chosen]
    errors = [value for value in found if value is not None]
    told = Outcome(
        quantity=one["quantity"],
        regions=tuple(one["regions"]),
        truth=one["truth"],
        unit="%" if one["of"] == "percent" else "",
        limit=", ".join(f"{how} <= {one[how]:g}" for how in ("worst", "mean") if how in one),
        reason=one["reason"],
        n=len(errors),
        n_missing=len(found) - len(errors),
    )
    return _scored(told, errors, one) if found else told


def _with_enough(rows: Sequence[Row], percent: float) -> set[str]:
    """Return the cases whose true LAA-950 of both lungs is above a share."""
    both = [r for r in rows if (r.region, r.quantity) == ("whole_lung", "laa950_percent")]
    known = {row.case: row.truth["sampled"] for row in both}
    return {row.case for row in rows if known.get(row.case, 100.0) > percent}


def _scored(told: Outcome, errors: Sequence[float], one: Mapping[str, Any]) -> Outcome:
    if not errors:
        return replace(told, passed=False)
    absolute = [abs(value) for value in errors]
    worst, mean = max(absolute), fmean(absolute)
    within = worst <= one.get("worst", worst) and mean <= one.get("mean", mean)
    return replace(
        told,
        bias=fmean(errors),
        precision=pstdev(errors),
        mean_absolute=mean,
        worst=worst,
        passed=within and not told.n_missing,
    )


def _effect(rows: Sequence[Row], one: Mapping[str, Any]) -> Outcome:
    """Judge whether an acquisition moves a number of both lungs the known way."""
    both = [r for r in rows if r.region == "whole_lung" and r.quantity == one["quantity"]]
    usual = {row.case: row.truth["imaged"] for row in both if row.purpose == JUDGED}
    moved = [
        row.truth["imaged"] - usual[row.person]
        for row in both
        if row.purpose == EFFECT and row.case.endswith(one["name"]) and row.person in usual
    ]
    sign = 1 if one["moves"] == "up" else -1
    return Outcome(
        quantity=one["quantity"],
        regions=("whole_lung",),
        truth="imaged",
        unit="",
        limit=f"{one['name']} moves it {one['moves']}",
        reason=one["reason"],
        n=len(moved),
        bias=fmean(moved) if moved else None,
        passed=all(sign * move > 0 for move in moved) if moved else None,
    )
