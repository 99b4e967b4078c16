"""The pictures of a report. Matplotlib without pyplot: no global state, no display."""

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from qct.findings import Histogram, Projection, View
from qct.regions import AIRWAY, DENSE, LEFT_LUNG, LOBES, REGIONS, RIGHT_LUNG, Label

WINDOW_HU = (-1350.0, 150.0)
"""Lung window: level -600, width 1500."""

LOW_HU = -950
"""What is drawn red."""

LOW_COLOUR = "#e8112d"
DPI = 150
BAR_MM = 50.0
"""Length of the scale bar."""

COLOURS = {
    **{label: lobe.colour for lobe in LOBES for label in lobe.labels},
    Label.RIGHT_LUNG: RIGHT_LUNG.colour,
    Label.LEFT_LUNG: LEFT_LUNG.colour,
    Label.AIRWAY: AIRWAY.colour,
}


def draw_views(views: Sequence[View]) -> bytes:
    """Draw key images side by side: lung window, lobe outlines, low attenuation; PNG."""
    columns = 3
    rows = -(-len(views) // columns)
    figure = Figure(figsize=(9.6, 2.6 * rows), dpi=DPI, facecolor="white")
    for number, view in enumerate(views):
        axes = figure.add_subplot(rows, columns, number + 1)
        height, width = view.hu.shape
        extent = (0.0, width * view.pixel_mm[1], height * view.pixel_mm[0], 0.0)
        axes.imshow(_painted(view), extent=extent, interpolation="antialiased")
        _outline(axes, view)
        _scale_bar(axes, extent)
        axes.set_axis_off()
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0.02, hspace=0.02)
    return _png(figure)


def _painted(view: View) -> npt.NDArray[np.float64]:
    """Grey picture with low attenuation in red, as (H, W, 3) from 0 to 1."""
    low, high = WINDOW_HU
    grey = np.clip((view.hu - low) / (high - low), 0.0, 1.0)
    picture = np.repeat(grey[..., None], 3, axis=2)
    lung = (view.labels > 0) & (view.labels < Label.AIRWAY)
    marked = lung & (view.hu < LOW_HU)
    picture[marked] = 0.35 * picture[marked] + 0.65 * np.array(to_rgb(LOW_COLOUR))
    return picture


def _outline(axes: Axes, view: View) -> None:
    """Draw the border of every region that the view cuts."""
    x = (np.arange(view.hu.shape[1]) + 0.5) * view.pixel_mm[1]
    y = (np.arange(view.hu.shape[0]) + 0.5) * view.pixel_mm[0]
    for label, colour in COLOURS.items():
        inside = (view.labels % DENSE) == label
        if inside.any() and min(inside.shape) > 1:
            axes.contour(x, y, inside, levels=[0.5], colors=[colour], linewidths=0.9)


def _scale_bar(axes: Axes, extent: tuple[float, ...]) -> None:
    """Draw a bar of `BAR_MM` in the lower left corner."""
    left, bottom = 0.05 * extent[1], 0.95 * extent[2]
    axes.plot([left, left + BAR_MM], [bottom, bottom], color="white", linewidth=2.0)
    axes.text(
        left + BAR_MM / 2, bottom - 4, f"{BAR_MM / 10:.0f} cm", color="white", ha="center", size=6
    )


def draw_projections(projections: Sequence[Projection]) -> bytes:
    """Draw maps of low attenuation along the line of sight with one colour scale; PNG."""
    figure = Figure(figsize=(9.6, 3.1), dpi=DPI, facecolor="white")
    shown = None
    top = max((_top_percent(one) for one in projections), default=10.0)
    for number, one in enumerate(projections):
        axes = figure.add_subplot(1, len(projections), number + 1)
        height, width = one.values.shape
        extent = (0.0, width * one.pixel_mm[1], height * one.pixel_mm[0], 0.0)
        shown = axes.imshow(one.values, extent=extent, cmap="OrRd", vmin=0, vmax=top)
        axes.set_axis_off()
    figure.subplots_adjust(left=0.01, right=0.9, bottom=0.02, top=0.98, wspace=0.05)
    if shown is not None:
        bar = figure.colorbar(shown, cax=figure.add_axes((0.925, 0.12, 0.015, 0.76)))
        bar.ax.tick_params(labelsize=7)
        bar.set_label("% below -950 HU", size=7)
    return _png(figure)


def _top_percent(one: Projection) -> float:
    """End of the colour scale: what 99 % of the map stays under, in steps of 10, from 10 up."""
    known = one.values[np.isfinite(one.values)]
    highest = float(np.quantile(known, 0.99)) if known.size else 0.0
    return float(min(max(10.0, 10.0 * np.ceil(highest / 10.0)), 100.0))


def draw_histogram(histograms: Sequence[Histogram]) -> bytes:
    """Draw the density distribution of each lung; PNG."""
    figure = Figure(figsize=(6.4, 2.6), dpi=DPI, facecolor="white")
    axes = figure.add_subplot()
    styles = {RIGHT_LUNG.key: "-", LEFT_LUNG.key: "--"}
    for one in histograms:
        if one.region in styles and one.counts.sum():
            hu = one.lowest_hu + np.arange(one.counts.size)
            smooth = np.convolve(one.counts, np.full(5, 0.2), mode="same")
            axes.plot(
                hu,
                100 * smooth / one.counts.sum(),
                styles[one.region],
                color=REGIONS[one.region].colour,
                label=REGIONS[one.region].name,
                linewidth=1.4,
            )
    axes.axvspan(-1024, LOW_HU, color=LOW_COLOUR, alpha=0.10, linewidth=0)
    axes.axvline(LOW_HU, color=LOW_COLOUR, linewidth=0.8)
    axes.set_xlim(-1024, -200)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("HU", size=8)
    axes.set_ylabel("% of voxels per HU", size=8)
    axes.tick_params(labelsize=7)
    if axes.lines[:-1]:
        axes.legend(fontsize=7, frameon=False)
    for edge in ("top", "right"):
        axes.spines[edge].set_visible(False)
    figure.tight_layout(pad=0.4)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    """Render; without the version of the drawing library, so that equal pictures are equal bytes."""
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
