"""`Change`s as one self-contained HTML page: a table of verdicts and a small figure per number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from qct.findings import Change, Point
from qct.quantities import Quantity, quantities_of
from qct.regions import REGIONS
from qct.report.html import template

WIDTH, HEIGHT, MARGIN = 220.0, 84.0, 10.0
"""Size of a figure, and the rim kept free (px)."""

COLOURS: Mapping[str, str] = {
    "changed": "#d55e00",
    "within repeatability": "#0072b2",
    "lung volume differs": "#8a6d00",
    "not comparable": "#767676",
}
"""Per verdict; the word stands beside it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One point of a figure (px): filled if it can be compared."""

    x: float
    y: float
    comparable: bool
    says: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    region: str
    label: str
    values: tuple[str, ...]
    difference: str
    least: str
    slope: str
    verdict: str
    colour: str
    why: str
    marks: tuple[Mark, ...]
    band: tuple[float, float] | None
    """Top and height of what is within repeatability of the baseline (px)."""


def comparison_html(changes: Sequence[Change], profile: str) -> bytes:
    """Return the page: UTF-8, no network, figures as SVG inside.

    Parameters
    ----------
    changes : sequence of Change
        All about the same scans.
    profile : str
        Whose definitions made the numbers of the last scan.
    """
    rows = quantities_of(profile)
    table = [_row(one, rows[one.quantity]) for one in changes]
    judged = [row for row in table if row.verdict != "not comparable"]
    others = [row for row in table if row.verdict == "not comparable"]
    names = [point.name for point in changes[0].points] if changes else []
    obstacles = dict.fromkeys(
        f"{point.name}: {point.why}" for one in changes for point in one.points if point.why
    )
    return (
        template("comparison.html")
        .render(
            names=names,
            judged=judged,
            others=others,
            obstacles=list(obstacles),
            width=WIDTH,
            height=HEIGHT,
            sources=sorted({one.source for one in changes if one.source and not one.confirmed}),
        )
        .encode()
    )


def _row(one: Change, quantity: Quantity) -> Row:
    region = REGIONS[one.region].name if one.region in REGIONS else one.region
    marks, band = _figure(one, quantity)
    return Row(
        region=region,
        label=quantity.label,
        values=tuple(_text(quantity, point.value) for point in one.points),
        difference=_signed(quantity, one.difference),
        least=_text(quantity, one.least_change),
        slope=_signed(quantity, one.slope_per_year),
        verdict=one.verdict,
        colour=COLOURS[one.verdict],
        why=one.why,
        marks=marks,
        band=band,
    )


def _text(quantity: Quantity, value: float | None) -> str:
    return "–" if value is None else quantity.text(value)


def _signed(quantity: Quantity, value: float | None) -> str:
    if value is None:
        return "–"
    text = quantity.text(value).replace("-", "−")
    return f"+{text}" if value > 0 and float(text.split(" ")[0]) != 0 else text


def _figure(one: Change, quantity: Quantity) -> tuple[tuple[Mark, ...], tuple[float, float] | None]:
    """Place every point by date and value, and the band of repeatability around the baseline."""
    known = [point for point in one.points if point.value is not None]
    values = [point.value for point in known if point.value is not None]
    if not values:
        return (), None
    baseline, limit = one.points[0].value, one.least_change
    edges = [] if baseline is None or limit is None else [baseline - limit, baseline + limit]
    low, high = min([*values, *edges]), max([*values, *edges])
    span = (high - low) or 1.0

    def y(value: float) -> float:
        return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (value - low) / span

    marks = tuple(
        Mark(
            x,
            y(value),
            not point.why,
            f"{point.name}: {_text(quantity, point.value)}",
        )
        for x, point, value in zip(_across(known), known, values, strict=True)
    )
    band = (y(edges[1]), y(edges[0]) - y(edges[1])) if edges else None
    return marks, band


def _across(points: Sequence[Point]) -> list[float]:
    """Return x of every point: by date, or evenly where a date is missing."""
    days = [date.fromisoformat(p.date).toordinal() for p in points if p.date]
    if len(days) < len(points) or days[0] == days[-1]:
        days = list(range(len(points)))
    span = (days[-1] - days[0]) or 1
    return [MARGIN + (WIDTH - 2 * MARGIN) * (day - days[0]) / span for day in days]
