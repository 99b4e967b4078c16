"""The pictures of a report. Matplotlib without pyplot: no global state, no display."""

import io
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.patheffects import withStroke
from scipy import ndimage

from qct.findings import Histogram, Projection, View
from qct.regions import AIRWAY, DENSE, LEFT_LUNG, LOBES, REGIONS, RIGHT_LUNG, Label, Region
from qct.report.wording import Wording

WINDOW_LEVEL_HU, WINDOW_WIDTH_HU = -600, 1500
"""Lung window."""

LOW_HU = -950
"""What is drawn red."""

LOW_COLOUR = "#e8112d"
INK = "#1b2733"
DPI = 180
WIDTH_INCH = 7.0
"""Width of a page between its margins."""

GAP_INCH = 0.06
TITLE_INCH = 0.18
BAR_MM = 50.0
"""Length of the scale bar."""

NAMED_FROM_MM = 7.0
"""A lobe that holds no circle of this radius is outlined but not named in the picture."""

PICTURE_ROWS = (("coronal", "sagittal"), ("axial",))
"""Planes that share a row; all pictures have one scale."""

LABELLED: Mapping[int, Region] = {
    **{label: lobe for lobe in LOBES for label in lobe.labels},
    Label.RIGHT_LUNG: RIGHT_LUNG,
    Label.LEFT_LUNG: LEFT_LUNG,
    Label.AIRWAY: AIRWAY,
}

_Floats = npt.NDArray[np.floating[Any]]


def abbreviation(region: Region) -> str:
    """Return the initials that stand in a picture.

    >>> abbreviation(LOBES[0])
    'RUL'
    """
    return "".join(word[0] for word in region.key.split("_")).upper()


def draw_views(views: Sequence[View], say: Wording, *, marks_low: bool = True) -> bytes:
    """Draw the key images at one scale: lung window, named outlines, low attenuation; PNG."""
    rows = [[one for one in views if one.plane in planes] for planes in PICTURE_ROWS]
    sizes = [[_size_mm(one.hu, one.pixel_mm) for one in row] for row in rows if row]
    with _house_style():
        figure, places = _panels(sizes)
        for axes, view in zip(places, (one for row in rows for one in row), strict=True):
            height, width = _size_mm(view.hu, view.pixel_mm)
            extent = (0.0, width, height, 0.0)
            axes.imshow(
                _painted(view, marks_low=marks_low), extent=extent, interpolation="antialiased"
            )
            _outline(axes, view)
            _scale_bar(axes, height)
            _sides(axes, view.plane, colour="white")
            axes.set_title(say(f"views.{view.name}"), size=7, color=INK, pad=2, loc="left")
        return _png(figure)


def draw_projections(projections: Sequence[Projection], say: Wording) -> bytes:
    """Draw maps of low attenuation along the line of sight with one colour scale; PNG."""
    top = max((_top_percent(one) for one in projections), default=10.0)
    sizes = [_size_mm(one.values, one.pixel_mm) for one in projections]
    with _house_style():
        figure, places = _panels([[*sizes, (10.0, 0.16 * sum(width for _, width in sizes))]])
        for axes, one, (height, width) in zip(places, projections, sizes, strict=False):
            extent = (0.0, width, height, 0.0)
            shown = axes.imshow(one.values, extent=extent, cmap="OrRd", vmin=0, vmax=top)
            _edge(axes, np.isfinite(one.values), one.pixel_mm, "#7a8791", 0.6)
            _sides(axes, "coronal" if "coronal" in one.name else "sagittal", colour=INK)
            axes.set_title(say(f"views.{one.name}"), size=7, color=INK, pad=2, loc="left")
        box = places[-1].get_position()
        tallest = places[0].get_position().height
        place = (box.x0 + 0.25 * box.width, 0.18 * tallest, 0.016, 0.64 * tallest)
        bar = figure.colorbar(shown, cax=figure.add_axes(place))
        bar.ax.tick_params(labelsize=6.5)
        bar.set_label(say("words.low_axis"), size=7)
        return _png(figure)


def draw_histogram(histograms: Sequence[Histogram], say: Wording) -> bytes:
    """Draw the density distribution of each lung; PNG."""
    styles = {RIGHT_LUNG.key: "-", LEFT_LUNG.key: "--"}
    with _house_style():
        figure = Figure(figsize=(0.75 * WIDTH_INCH, 2.0), dpi=DPI, facecolor="white")
        axes = figure.add_subplot()
        for one in histograms:
            if one.region in styles and one.counts.sum():
                _draw_counts(axes, one, styles[one.region])
        if axes.lines:
            axes.legend(fontsize=7, frameon=False, loc="upper right")
        axes.axvspan(-1024, LOW_HU, color=LOW_COLOUR, alpha=0.10, linewidth=0)
        axes.axvline(LOW_HU, color=LOW_COLOUR, linewidth=0.8)
        axes.set_xlim(-1024, -200)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("HU", size=7)
        axes.set_ylabel(say("words.histogram_axis"), size=7)
        axes.tick_params(labelsize=6.5)
        axes.spines[["top", "right"]].set_visible(False)
        figure.tight_layout(pad=0.4)
        return _png(figure)


# --- laying out -----------------------------------------------------------------------------------


@cache
def _register_fonts() -> None:
    """Make the report's own font known, so that pictures look alike on every machine."""
    with as_file(files("qct.report").joinpath("fonts")) as folder:
        for path in sorted(folder.glob("*.ttf")):
            fontManager.addfont(path)


@contextmanager
def _house_style() -> Any:
    _register_fonts()
    with rc_context({"font.family": "Open Sans", "text.color": INK}):
        yield


def _size_mm(picture: npt.NDArray[Any], pixel_mm: tuple[float, float]) -> tuple[float, float]:
    return picture.shape[0] * pixel_mm[0], picture.shape[1] * pixel_mm[1]


def _panels(rows_mm: Sequence[Sequence[tuple[float, float]]]) -> tuple[Figure, list[Axes]]:
    """Place panels (height, width in mm) in rows, at the one scale that lets the widest row fit."""
    inch_per_mm = min(
        (WIDTH_INCH - GAP_INCH * (len(row) - 1)) / sum(width for _, width in row) for row in rows_mm
    )
    heights = [inch_per_mm * max(height for height, _ in row) + TITLE_INCH for row in rows_mm]
    total = sum(heights)
    figure = Figure(figsize=(WIDTH_INCH, total), dpi=DPI, facecolor="white")
    places, top = [], total
    for row, tallest in zip(rows_mm, heights, strict=True):
        left = 0.0
        for height, width in ((inch_per_mm * h, inch_per_mm * w) for h, w in row):
            bottom = top - TITLE_INCH - height
            place = (left / WIDTH_INCH, bottom / total, width / WIDTH_INCH, height / total)
            axes = figure.add_axes(place)
            axes.set_axis_off()
            places.append(axes)
            left += width + GAP_INCH
        top -= tallest
    return figure, places


def _png(figure: Figure) -> bytes:
    """Render; without the version of the drawing library, so that equal pictures are equal bytes."""
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


# --- drawing --------------------------------------------------------------------------------------


def _painted(view: View, *, marks_low: bool) -> _Floats:
    """Grey picture with low attenuation in red, as (H, W, 3) from 0 to 1."""
    grey = np.clip((view.hu - WINDOW_LEVEL_HU) / WINDOW_WIDTH_HU + 0.5, 0.0, 1.0)
    picture = np.repeat(grey[..., None], 3, axis=2)
    lung = (view.labels > 0) & (view.labels < Label.AIRWAY)
    marked = lung & (view.hu < LOW_HU)
    if marks_low:
        picture[marked] = 0.35 * picture[marked] + 0.65 * np.array(to_rgb(LOW_COLOUR))
    return picture


def _outline(axes: Axes, view: View) -> None:
    """Draw the border of every region that the view cuts, and name the lobes."""
    for label, region in LABELLED.items():
        inside = (view.labels % DENSE) == label
        if inside.any():
            _edge(axes, inside, view.pixel_mm, region.colour, 0.9)
            if label != Label.AIRWAY:
                _name(axes, inside, view.pixel_mm, region)


def _edge(
    axes: Axes,
    inside: npt.NDArray[np.bool_],
    pixel_mm: tuple[float, float],
    colour: str,
    width: float,
) -> None:
    if min(inside.shape) < 2 or inside.all():
        return
    y, x = ((np.arange(n) + 0.5) * mm for n, mm in zip(inside.shape, pixel_mm, strict=True))
    axes.contour(x, y, inside, levels=[0.5], colors=[colour], linewidths=width)


def _name(
    axes: Axes, inside: npt.NDArray[np.bool_], pixel_mm: tuple[float, float], region: Region
) -> None:
    """Write the initials of a region where it is widest."""
    depth_mm = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=pixel_mm)[1:-1, 1:-1]
    row, column = np.unravel_index(depth_mm.argmax(), depth_mm.shape)
    if depth_mm[row, column] >= NAMED_FROM_MM:
        place = ((column + 0.5) * pixel_mm[1], (row + 0.5) * pixel_mm[0])
        _write(axes, place, abbreviation(region), "white")


def _write(axes: Axes, place_mm: tuple[float, float], text: str, colour: str) -> None:
    halo = [withStroke(linewidth=1.2, foreground="black")]
    axes.text(
        *place_mm,
        text,
        color=colour,
        size=6.5,
        weight=600,
        ha="center",
        va="center",
        path_effects=halo,
    )


def _scale_bar(axes: Axes, height_mm: float) -> None:
    """Draw a bar of `BAR_MM` in the lower left corner."""
    left, bottom = 8.0, height_mm - 8.0
    line = axes.plot([left, left + BAR_MM], [bottom, bottom], color="white", linewidth=1.6)[0]
    line.set_path_effects([withStroke(linewidth=2.8, foreground="black")])
    _write(axes, (left + BAR_MM / 2, bottom - 9.0), f"{BAR_MM / 10:.0f} cm", "white")


def _sides(axes: Axes, plane: str, *, colour: str) -> None:
    """Mark the sides: right and left of the patient; in a sagittal picture front and back."""
    left, right = ("A", "P") if plane == "sagittal" else ("R", "L")
    for text, x in ((left, 0.03), (right, 0.97)):
        axes.text(
            x,
            0.96,
            text,
            transform=axes.transAxes,
            color=colour,
            size=7,
            weight=600,
            ha="center",
            va="top",
            path_effects=[withStroke(linewidth=1.8, foreground="black")] if colour != INK else [],
        )


def _top_percent(one: Projection) -> float:
    """End of the colour scale: what 99 % of the map stays under, in steps of 10, from 10 up."""
    known = one.values[np.isfinite(one.values)]
    highest = float(np.quantile(known, 0.99)) if known.size else 0.0
    return float(min(max(10.0, 10.0 * np.ceil(highest / 10.0)), 100.0))


def _draw_counts(axes: Axes, one: Histogram, style: str) -> None:
    """Draw the share of a lung's voxels per HU, as the mean over 5 HU."""
    region = REGIONS[one.region]
    hu = one.lowest_hu + np.arange(one.counts.size)
    smooth = np.convolve(one.counts, np.full(5, 0.2), mode="same")
    percent = 100 * smooth / one.counts.sum()
    axes.plot(hu, percent, style, color=region.colour, label=region.name, linewidth=1.4)
