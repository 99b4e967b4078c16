"""Plots of an acceptance report, as PNG."""

import io
from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev
from typing import Any

from qct.quantities import QUANTITIES, UNIT_WORDS
from qct.validate.cases import EFFECT, JUDGED
from qct.validate.judge import Row, error

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#56636f"
DPI = 130


def bland_altman(rows: Sequence[Row], plots: Sequence[tuple[str, tuple[str, ...], str]]) -> bytes:
    """Draw difference against mean of measured and true, one panel per (quantity, regions, truth)."""
    return _panels(rows, plots, against_mean=True)


def error_against_truth(
    rows: Sequence[Row], plots: Sequence[tuple[str, tuple[str, ...], str]]
) -> bytes:
    """Draw the error against the truth, every case a point; effects of acquisition in orange."""
    return _panels(rows, plots, against_mean=False)


COLOURS = (BLUE, ORANGE, "#009e73", "#cc79a7", "#e69f00", "#000000")
"""One per acquisition."""


def acquisition_effects(
    rows: Sequence[Row], published: Sequence[Mapping[str, Any]]
) -> bytes | None:
    """Draw by how much an acquisition moves LAA-950, against what it is at the usual one.

    Every region of every person is a point (the noisy image inside the true regions, so that nothing but the
    image differs), the published means of patients are stars. None without a person with both.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    moved = effects_of(rows)
    if not moved:
        return None
    figure = Figure(figsize=(9.0, 3.4), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    colours = dict(zip(moved, COLOURS, strict=False))
    for name, points in moved.items():
        x, y = zip(*points, strict=True)
        axis.scatter(x, y, s=14, alpha=0.7, color=colours.get(name, GREY), label=name)
    for one in published:
        by = one["to_percent"] - one["from_percent"]
        colour = colours.get(one["name"], GREY)
        axis.scatter(one["from_percent"], by, s=130, marker="*", color=colour, edgecolor="black")
        at = (one["from_percent"], by)
        axis.annotate(one["name"], at, (8, -12), textcoords="offset points", fontsize=8)
    axis.axhline(0, color=GREY, lw=0.6)
    axis.margins(x=0.1, y=0.1)
    axis.set_xlabel("LAA-950 with the standard kernel, thin slices, 100 mAs, %", fontsize=8)
    axis.set_ylabel("change, points", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.legend(fontsize=7)
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def effects_of(rows: Sequence[Row]) -> dict[str, list[tuple[float, float]]]:
    """Return, by acquisition, (LAA-950 at the usual one, change) of every region of every person."""
    known = {
        (row.case, row.region): row.truth["imaged"]
        for row in rows
        if row.quantity == "laa950_percent" and "imaged" in row.truth
    }
    people = {row.case: row.person for row in rows if row.purpose == EFFECT}
    moved: dict[str, list[tuple[float, float]]] = {}
    for (case, region), percent in known.items():
        usual = known.get((people.get(case, ""), region))
        if usual is not None:
            name = case.removeprefix(f"{people[case]}, ")
            moved.setdefault(name, []).append((usual, percent - usual))
    return moved


def _panels(
    rows: Sequence[Row],
    plots: Sequence[tuple[str, tuple[str, ...], str]],
    *,
    against_mean: bool,
) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n_rows = -(-len(plots) // 2)
    figure = Figure(figsize=(9.0, 2.7 * n_rows), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(n_rows, 2, squeeze=False).ravel()
    for axis, (quantity, regions, truth) in zip(axes, plots, strict=False):
        _panel(axis, rows, quantity, regions, truth, against_mean=against_mean)
    for axis in axes[len(plots) :]:
        axis.set_axis_off()
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _panel(
    axis: Any,
    rows: Sequence[Row],
    quantity: str,
    regions: tuple[str, ...],
    truth: str,
    *,
    against_mean: bool,
) -> None:
    points: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for row in rows:
        if row.quantity != quantity or row.region not in regions:
            continue
        off = error(row, truth, "difference")
        if off is None or row.measured is None:
            continue
        x = (row.measured + row.truth[truth]) / 2 if against_mean else row.truth[truth]
        points[row.purpose == JUDGED].append((x, off))
    _draw(axis, points, with_limits=against_mean)
    row_of = QUANTITIES.get(quantity)
    unit = UNIT_WORDS[row_of.unit] if row_of else ""
    label = row_of.label if row_of else quantity
    axis.set_title(label, fontsize=9, loc="left")
    where = "mean of measured and true" if against_mean else f"true ({truth})"
    axis.set_xlabel(f"{where} {unit}", fontsize=8)
    axis.set_ylabel(f"measured - true {unit}", fontsize=8)
    axis.tick_params(labelsize=7)


def _draw(axis: Any, points: dict[bool, list[tuple[float, float]]], *, with_limits: bool) -> None:
    """Draw the points; mean and 1.96 standard deviations of the judged ones as lines."""
    for judged, colour in ((False, ORANGE), (True, BLUE)):
        if points[judged]:
            x, y = zip(*points[judged], strict=True)
            axis.scatter(x, y, s=14, color=colour, alpha=0.75)
    axis.axhline(0, color=GREY, lw=0.6)
    off = [y for _, y in points[True]]
    if with_limits and off:
        mean, spread = fmean(off), 1.96 * pstdev(off)
        axis.axhline(mean, color=BLUE, lw=1)
        for edge in (mean - spread, mean + spread):
            axis.axhline(edge, color=BLUE, lw=0.8, ls="--")
