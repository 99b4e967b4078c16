"""What changed between scans of one person: number by number, and only where scans can be compared.

Two scans differ in more than the patient. A number is compared only where kernel, slices, dose, contrast,
position, breath, program version, profile and segmentation allow it; else the reason is given. A difference
counts as a change only beyond the least change that repeat scans were found to show (``uncertainty.toml``).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

from qct.acquisition import KernelFamily
from qct.findings import Change, Measured, Point, Result
from qct.flags import Flag, Status
from qct.interpret.sponge import ADJUSTED, at_volume
from qct.interpret.uncertainty import least_change
from qct.quantities import QUANTITIES
from qct.regions import WHOLE_LUNG

CHANGED, WITHIN, NOT_COMPARABLE = "changed", "within repeatability", "not comparable"
"""Verdicts."""

VOLUME_DIFFERS = "lung volume differs"
"""Verdict: lung volume moved beyond its repeatability, and with it alone this number would have moved."""

AT_BASELINE = "perc15_baseline_g_l"
"""PD15 at the lung volume of the first scan."""

LOW_DOSE_MGY = 3.0
"""CTDIvol up to which a scan is of low dose [acr2022]."""

DOSE_RATIO = 2.0
"""Where CTDIvol is not known: tube loads that differ by more than this factor are of two dose classes."""

SLICE_RATIO = 1.2
"""Slices thicker by more than this factor are not compared."""

LEAST_SPAN_DAYS = 182
"""A slope per year needs scans at least this far apart: over days or weeks it would be noise."""

DAYS_PER_YEAR = 365.25

GEOMETRIC = frozenset({"volume_ml"})
"""Numbers that neither kernel nor slices nor dose nor contrast move much."""

AT_ONE_VOLUME = frozenset({AT_BASELINE, ADJUSTED, "mass_g"})
"""Numbers that are compared whatever the lung volume: adjusted to one, or a mass."""


def compare(results: Sequence[Result]) -> tuple[Change, ...]:
    """Compare scans of one person, number by number.

    Parameters
    ----------
    results : sequence of Result
        Two or more. They are put in the order of their dates, if all have one; else they stay as they are.
        The first is the baseline.

    Returns
    -------
    changes : tuple of Change
        For every number that the baseline or the last has. Points that cannot be compared with the
        baseline keep their value and say why, and take no part in difference or slope.

    Raises
    ------
    ValueError
        If there are fewer than two.
    """
    if len(results) < 2:
        msg = f"{len(results)} results, expected two or more"
        raise ValueError(msg)
    ordered = _named_apart(in_order(results))
    first = ordered[0]
    keys = dict.fromkeys(
        (one.region, one.quantity)
        for result in (first, ordered[-1])
        for one in result.measured
        if one.quantity != AT_BASELINE
    )
    by_place = [{(m.region, m.quantity): m for m in result.measured} for result in ordered]
    changes = []
    for region, quantity in keys:
        numbers = [places.get((region, quantity)) for places in by_place]
        points = _points(ordered, numbers, quantity)
        changes.append(_judged(region, quantity, points))
    adjusted = _adjusted(changes)
    return _with_volume((*changes, *([adjusted] if adjusted else [])))


def in_order(results: Sequence[Result]) -> tuple[Result, ...]:
    """Put results in the order of their dates, if every one has a date."""
    if all(one.date for one in results):
        return tuple(sorted(results, key=lambda one: one.date or ""))
    return tuple(results)


def _named_apart(results: Sequence[Result]) -> tuple[Result, ...]:
    """Give results that share a name, such as two series of one day, a number each."""
    names = [one.name for one in results]
    return tuple(
        replace(one, name=f"{one.name} ({names[: at + 1].count(one.name)})")
        if names.count(one.name) > 1
        else one
        for at, one in enumerate(results)
    )


# --- may two scans be compared --------------------------------------------------------------------

Check = Callable[[Result, Result], str]
"""Says why two results cannot be compared in what it looks at; empty if they can."""


def _person(first: Result, other: Result) -> str:
    if first.patient_id and other.patient_id and first.patient_id != other.patient_id:
        return "patient IDs differ"
    return ""


def _scan(first: Result, other: Result) -> str:
    if first is other or not first.acquisition.series_uid:
        return ""
    one, two = ((r.acquisition.series_uid, r.date) for r in (first, other))
    return "the same scan again" if one == two else ""


def _version(first: Result, other: Result) -> str:
    if first.version == other.version and first.code != other.code:
        one, two = (f"code {r.code}" if r.code else "code not told" for r in (first, other))
        return f"measured by two states of qct {first.version} ({one}; {two})"
    return _differ("measured by qct", first.version, other.version)


def _profile(first: Result, other: Result) -> str:
    return _differ("profile", first.profile, other.profile)


def _segmentation(first: Result, other: Result) -> str:
    return _differ("regions come from", first.segmentation, other.segmentation)


def _position(first: Result, other: Result) -> str:
    one, two = (r.acquisition.patient_position for r in (first, other))
    # head first or feet first does not matter, and a position that is not told is taken as usual
    return _differ("position", one[2:], two[2:]) if one and two else ""


def _breath(first: Result, other: Result) -> str:
    doubted = [r.name for r in (first, other) if Flag.EXPIRATION in r.flags]
    return f"full inspiration is in doubt ({', '.join(doubted)})" if doubted else ""


def _kernel(first: Result, other: Result) -> str:
    one, two = (r.acquisition.kernel_family for r in (first, other))
    names = [r.acquisition.recon_kernel or "unnamed" for r in (first, other)]
    if KernelFamily.UNKNOWN in (one, two) and names[0] != names[1]:
        return f"kernel {names[0]} or {names[1]} is not known"
    if one != two:
        return f"kernel {names[0]} ({one}) and {names[1]} ({two})"
    iterative = [bool(r.acquisition.is_iterative) for r in (first, other)]
    return "one was reconstructed iteratively" if iterative[0] != iterative[1] else ""


def _slices(first: Result, other: Result) -> str:
    one, two = (r.acquisition.slice_mm for r in (first, other))
    if not one or not two:
        return "slice thickness is not known"
    if max(one, two) > SLICE_RATIO * min(one, two):
        return f"slices of {one:g} and {two:g} mm"
    return ""


def _dose(first: Result, other: Result) -> str:
    one, two = (r.acquisition.ctdi_vol_mgy for r in (first, other))
    if one and two:
        if (one <= LOW_DOSE_MGY) != (two <= LOW_DOSE_MGY):
            return f"CTDIvol of {one:.1f} and {two:.1f} mGy: one is of low dose"
        return ""
    one, two = (r.acquisition.exposure_mas for r in (first, other))
    if not one or not two:
        return "dose is not known"
    if max(one, two) > DOSE_RATIO * min(one, two):
        return f"exposures of {one:.0f} and {two:.0f} mAs"
    return ""


def _contrast(first: Result, other: Result) -> str:
    one, two = (Flag.CONTRAST in r.flags for r in (first, other))
    return "contrast medium in one of them" if one != two else ""


EVERYTHING: tuple[Check, ...] = (
    _person,
    _scan,
    _version,
    _profile,
    _segmentation,
    _position,
    _breath,
)
"""What spoils every number."""

DENSITY: tuple[Check, ...] = (_kernel, _slices, _dose, _contrast)
"""What spoils all but `GEOMETRIC`."""


def _differ(what: str, one: str, two: str) -> str:
    return "" if one == two else f"{what} {one} and {two}"


def obstacles(first: Result, other: Result, quantity: str) -> tuple[str, ...]:
    """Return every reason why a quantity of two results cannot be compared."""
    checks = EVERYTHING if quantity in GEOMETRIC else EVERYTHING + DENSITY
    return tuple(why for check in checks if (why := check(first, other)))


# --- one number over time -------------------------------------------------------------------------


def _points(
    results: Sequence[Result], numbers: Sequence[Measured | None], quantity: str
) -> tuple[Point, ...]:
    points = []
    for result, one in zip(results, numbers, strict=True):
        why = list(obstacles(results[0], result, quantity))
        if one is None or one.value is None:
            withheld = one is not None and one.status is Status.WITHHELD
            why.append(f"{'withheld' if withheld else 'not measured'} in {result.name}")
        value = None if one is None else one.value
        points.append(Point(result.name, result.date, value, "; ".join(why)))
    if points[0].value is None:
        points[1:] = [
            replace(p, why="; ".join(filter(None, (p.why, points[0].why)))) for p in points[1:]
        ]
    return tuple(points)


def _judged(region: str, quantity: str, points: tuple[Point, ...]) -> Change:
    limit = least_change(region, quantity)
    change = Change(
        region=region,
        quantity=quantity,
        points=points,
        slope_per_year=slope_per_year(points),
        least_change=None if limit is None else limit.amount,
        source="" if limit is None else limit.source,
        confirmed=limit is not None and limit.confirmed,
    )
    first, last = points[0], points[-1]
    if first.value is None or last.value is None or last.why or first.why:
        return replace(change, verdict=NOT_COMPARABLE, why=last.why or first.why)
    difference = last.value - first.value
    if limit is None:
        why = "no published repeatability of this number in this region"
        return replace(change, difference=difference, verdict=NOT_COMPARABLE, why=why)
    beyond = round(abs(difference) - limit.amount, 9) >= 0  # 8.7 - 5.0 is a little less than 3.7
    return replace(change, difference=difference, verdict=CHANGED if beyond else WITHIN)


def slope_per_year(points: Sequence[Point]) -> float | None:
    """Return the least-squares slope of all comparable points, per year; None over too short a time."""
    used = [(date.fromisoformat(p.date), p.value) for p in points if p.date and not p.why]
    known = sorted((day.toordinal(), value) for day, value in used if value is not None)
    if len(known) < 2 or known[-1][0] - known[0][0] < LEAST_SPAN_DAYS:
        return None
    mean_day = sum(day for day, _ in known) / len(known)
    mean_value = sum(value for _, value in known) / len(known)
    products = sum((day - mean_day) * (value - mean_value) for day, value in known)
    squares = sum((day - mean_day) ** 2 for day, _ in known)
    return DAYS_PER_YEAR * products / squares


def _adjusted(changes: Sequence[Change]) -> Change | None:
    """Compare PD15 at the lung volume of the baseline (sponge model)."""
    whole = {one.quantity: one for one in changes if one.region == WHOLE_LUNG.key}
    if not {"perc15_g_l", "volume_ml"} <= whole.keys():
        return None
    density, volume = whole["perc15_g_l"], whole["volume_ml"]
    baseline_ml = volume.points[0].value
    points = []
    for d, v in zip(density.points, volume.points, strict=True):
        value = None
        if d.value is not None and v.value is not None and baseline_ml is not None:
            value = at_volume(d.value, v.value, baseline_ml)
        reasons = dict.fromkeys(text for one in (d, v) for text in one.why.split("; ") if text)
        points.append(replace(d, value=value, why="; ".join(reasons)))
    return _judged(WHOLE_LUNG.key, AT_BASELINE, tuple(points))


def _with_volume(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Judge no number that inflation moves where lung volume is not that of the baseline.

    A lung with more air is less dense all over, whatever happened to its tissue: mean, percentiles and
    low-attenuation area move with the breath that was taken. The limits of such numbers hold for scans of
    like inflation; where volume moved beyond its own, the number adjusted to one volume is the one to read.
    """
    volumes = (one for one in changes if one.quantity == "volume_ml" and one.verdict == CHANGED)
    moved = {one.region: one for one in volumes}
    return tuple(_beside(one, moved.get(one.region)) for one in changes)


def _beside(change: Change, volume: Change | None) -> Change:
    free = change.quantity in GEOMETRIC | AT_ONE_VOLUME
    if volume is None or free or change.verdict not in (CHANGED, WITHIN):
        return change
    by = volume.difference or 0.0
    percent = 100 * by / (volume.points[0].value or math.nan)
    why = f"lung volume differs by {by:+.0f} mL ({percent:+.0f} %), which alone moves this number"
    return replace(change, verdict=VOLUME_DIFFERS, why=why)


def text_of(change: Change) -> str:
    """Say a verdict in one line, with the numbers as a report prints them."""
    row = QUANTITIES[change.quantity]
    values = " → ".join(row.text(point.value) for point in change.points)
    why = f": {change.why}" if change.why else ""
    return f"{row.label}: {values}, {change.verdict}{why}"
