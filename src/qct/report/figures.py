"""The pictures of a report. Each is legible in grey: borders and names do not depend on colour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw
from scipy import ndimage

from qct import canvas
from qct.findings import Histogram, Projection, Surface, View
from qct.regions import AIRWAY, DENSE, LEFT_LUNG, LOBES, REGIONS, RIGHT_LUNG, Label, Region
from qct.report.borders import Unseen, gaps
from qct.report.wording import Wording

WINDOW_LEVEL_HU, WINDOW_WIDTH_HU = -600, 1500
"""Lung window."""

LOW_HU = -950
"""What is drawn red."""

LOW_COLOUR = "#e8112d"
LOW_RAMP = ("#fff7ec", "#fdd49e", "#fc8d59", "#d7301f", "#7f0000")
"""From light to dark, so that grey print keeps the order (after ColorBrewer's OrRd)."""

SEEN_FROM: Mapping[str, str] = {
    "laa950_coronal": "frontal",
    "laa950_sagittal_right": "from the right",
    "laa950_sagittal_left": "sagittal",
    "lobes_front": "frontal",
    "lobes_right": "from the right",
    "lobes_left": "sagittal",
}
"""How the body lies in a picture."""

SIDE_LETTERS: Mapping[str, tuple[str, str]] = {
    "frontal": ("R", "L"),
    "sagittal": ("A", "P"),
    "from the right": ("P", "A"),
}
"""What is on the left, and what on the right of a picture."""

SEEN = Unseen()
"""Every border is seen, and every lobe reported."""

GAP = 12
"""Pixels between pictures."""

TITLE = 34
"""Pixels above a picture for its title."""

BAR_MM = 50.0
"""Length of the scale bar."""

FRAME = 3
"""Empty pixels around a map."""

SURFACE_POINTS = 9.0
"""Size of the names in the picture of the lobes; larger, for it is printed smaller than it is."""

NAMED_FROM_MM = 7.0
"""A lobe that holds no circle of this radius is outlined but not named in the picture."""

VIEWS_TALLEST = 0.85
"""Height of all key images over the width of the page, at most."""

PICTURE_ROWS = (("coronal", "sagittal"), ("axial",))
"""Planes that share a row; all pictures have one scale."""

LABELLED: Mapping[int, Region] = {
    **{label: lobe for lobe in LOBES for label in lobe.labels},
    Label.RIGHT_LUNG: RIGHT_LUNG,
    Label.LEFT_LUNG: LEFT_LUNG,
    Label.AIRWAY: AIRWAY,
}

HISTOGRAM_HU = (-1024, -200)
"""Ends of the density axis."""

_Array = npt.NDArray[Any]


def abbreviation(region: Region) -> str:
    """Return the initials that stand in a picture.

    >>> abbreviation(LOBES[0])
    'RUL'
    """
    return "".join(word[0] for word in region.key.split("_")).upper()


@dataclass(frozen=True, slots=True)
class _Panel:
    """A picture on the page: its left upper corner and its scale."""

    left: int
    top: int
    width: int
    height: int
    px_per_mm: float

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    @property
    def corner(self) -> tuple[int, int]:
        return self.left, self.top


def draw_views(
    views: Sequence[View], say: Wording, *, marks_low: bool = True, dashed: Unseen = SEEN
) -> bytes:
    """Draw the key images at one scale: lung window, named outlines, low attenuation; PNG."""
    rows = [[one for one in views if one.plane in planes] for planes in PICTURE_ROWS]
    rows = [row for row in rows if row]
    sizes = [[_size_mm(one.hu, one.pixel_mm) for one in row] for row in rows]
    page, panels = _laid_out(sizes, VIEWS_TALLEST)
    for panel, view in zip(panels, (one for row in rows for one in row), strict=True):
        page.paste(_painted(view, panel, marks_low=marks_low), panel.corner)
        _outlines(page, panel, view.labels % DENSE, view.pixel_mm, dashed)
        _scale_bar(page, panel)
        _sides(page, panel, "sagittal" if view.plane == "sagittal" else "frontal", on_dark=True)
        _title(page, panel, say(f"views.{view.name}"))
    return canvas.png(page)


def draw_projections(
    projections: Sequence[Projection], say: Wording, *, dashed: Unseen = SEEN
) -> bytes:
    """Draw maps of low attenuation along the line of sight with the colour scale of every report; PNG.

    A lung is shown as it is seen from its own side, as in `draw_surfaces`.
    """
    projections = [_framed(_from_outside(one)) for one in projections]
    sizes = [_size_mm(one.values, one.pixel_mm) for one in projections]
    share = 0.16 * sum(width for _, width in sizes)
    page, panels = _laid_out([[*sizes, (max(height for height, _ in sizes), share)]])
    steps = canvas.ramp(LOW_RAMP)
    for panel, one in zip(panels, projections, strict=False):
        known = np.isfinite(one.values)
        colours = canvas.enlarged(canvas.low_colours(one.values, steps), panel.size)
        region, edge = canvas.outline_of(known, panel.size)
        page.paste(colours, panel.corner, region)
        if one.labels is not None:
            _lobe_borders(page, panel, one.labels % DENSE, region, dashed)
        page.paste(canvas.SOFT, panel.corner, edge)
        if one.labels is not None:
            _names(page, panel, one.labels % DENSE, one.pixel_mm, dashed, canvas.INK)
        _sides(page, panel, SEEN_FROM[one.name], on_dark=False)
        _title(page, panel, say(f"views.{one.name}"))
    _colour_bar(page, panels[-1], steps, say)
    return canvas.png(page)


def draw_surfaces(surfaces: Sequence[Surface], say: Wording, *, dashed: Unseen = SEEN) -> bytes:
    """Draw the outside of the lobes in their colours, named; PNG."""
    page, panels = _laid_out([[_size_mm(one.shade, one.pixel_mm) for one in surfaces]])
    for panel, one in zip(panels, surfaces, strict=True):
        shade = canvas.enlarged((255 * one.shade).astype(np.uint8), panel.size)
        lit = np.asarray(shade, np.float32)[..., None] / 255.0
        for label, region in LABELLED.items():
            if (one.labels == label).any():
                mask, _ = canvas.outline_of(one.labels == label, panel.size)
                colour = np.array(canvas.rgb(region.colour), np.float32)
                page.paste(Image.fromarray((lit * colour).astype(np.uint8)), panel.corner, mask)
        _outlines(page, panel, one.labels, one.pixel_mm, dashed, canvas.INK, SURFACE_POINTS)
        _sides(page, panel, SEEN_FROM[one.name], on_dark=False, points=SURFACE_POINTS)
        _title(page, panel, say(f"views.{one.name}"), SURFACE_POINTS)
    return canvas.png(page)


def draw_histogram(histograms: Sequence[Histogram], say: Wording) -> bytes:
    """Draw the density distribution of each lung; PNG."""
    width, height, left, bottom = round(0.75 * canvas.WIDTH), 360, 78, 62
    page = Image.new("RGB", (width, height), "white")
    box = (left, 40, width - 34, height - bottom)
    curves = [
        (one, _percent_per_hu(one))
        for one in histograms
        if one.region in (RIGHT_LUNG.key, LEFT_LUNG.key) and one.counts.sum()
    ]
    top = _round_up(max((float(percent.max()) for _, percent in curves), default=1.0))
    _axes(page, box, top, say)
    for one, percent in curves:
        hu = one.lowest_hu + np.arange(percent.size)
        shown = (hu >= HISTOGRAM_HU[0]) & (hu <= HISTOGRAM_HU[1])
        x, y = _at_hu(box, hu[shown]), box[3] - (box[3] - box[1]) * percent[shown] / top
        _curve(page, list(zip(x.tolist(), y.tolist(), strict=True)), REGIONS[one.region])
    for n, (one, _) in enumerate(curves):
        _legend(page, (box[2] - 250, box[1] + 12 + 30 * n), REGIONS[one.region], say)
    return canvas.png(page)


# --- laying out -----------------------------------------------------------------------------------


def _size_mm(picture: _Array, pixel_mm: tuple[float, float]) -> tuple[float, float]:
    return picture.shape[0] * pixel_mm[0], picture.shape[1] * pixel_mm[1]


def _laid_out(
    rows_mm: Sequence[Sequence[tuple[float, float]]],
    tallest: float = 0.4,
) -> tuple[Image.Image, list[_Panel]]:
    """Place panels (height, width in mm) in rows, at the one scale that lets the widest row fit.

    All rows together are no higher than the share `tallest` of the width, so that one lung is not shown larger
    than two.
    """
    across = [sum(width for _, width in row) for row in rows_mm]
    gaps = [GAP * (len(row) - 1) for row in rows_mm]
    high = sum(max(height for height, _ in row) for row in rows_mm)
    scale = min((canvas.WIDTH - gap) / width for gap, width in zip(gaps, across, strict=True))
    scale = min(scale, tallest * canvas.WIDTH / high)
    used = max(round(scale * width) + gap for gap, width in zip(gaps, across, strict=True))
    panels, top = [], 0
    for row in rows_mm:
        left = max((canvas.WIDTH - used) // 2, 0)
        for height, width in row:
            size = max(round(scale * width), 1), max(round(scale * height), 1)
            panels.append(_Panel(left, top + TITLE, *size, scale))
            left += size[0] + GAP
        top += TITLE + round(scale * max(height for height, _ in row)) + GAP
    return Image.new("RGB", (canvas.WIDTH, top), "white"), panels


# --- drawing --------------------------------------------------------------------------------------


def _painted(view: View, panel: _Panel, *, marks_low: bool) -> Image.Image:
    """Grey picture with low attenuation in red."""
    share = (view.hu - WINDOW_LEVEL_HU) / WINDOW_WIDTH_HU + 0.5
    grey = (255 * np.clip(share, 0.0, 1.0)).astype(np.uint8)
    picture = canvas.enlarged(grey, panel.size).convert("RGB")
    if marks_low:
        lung = (view.labels > 0) & (view.labels < Label.AIRWAY)
        low = (lung & (view.hu < LOW_HU)).astype(np.uint8) * 166
        mask = Image.fromarray(low).resize(panel.size, Image.Resampling.BILINEAR)
        picture.paste(LOW_COLOUR, (0, 0), mask)
    return picture


def _outlines(
    page: Image.Image,
    panel: _Panel,
    labels: npt.NDArray[np.uint8],
    pixel_mm: tuple[float, float],
    dashed: Unseen,
    ink: str = "",
    points: float = 7.5,
) -> None:
    """Draw the border of every region in its colour (or in `ink`), and name the lobes."""
    left_out = gaps(labels, panel.size, dashed.fissures)
    for label, region in LABELLED.items():
        if (labels == label).any():
            _, edge = canvas.outline_of(labels == label, panel.size)
            edge = edge if left_out is None else ImageChops.subtract(edge, left_out)
            page.paste(ink or region.colour, panel.corner, edge)
    _names(page, panel, labels, pixel_mm, dashed, ink, points)


def _lobe_borders(
    page: Image.Image,
    panel: _Panel,
    labels: npt.NDArray[np.uint8],
    lung: Image.Image,
    dashed: Unseen,
) -> None:
    """Draw where lobe meets lobe inside the mask `lung`, and not the outside of the lung once more."""
    if not labels.any():
        return
    nearest = ndimage.distance_transform_edt(
        labels == 0, return_distances=False, return_indices=True
    )
    spread = labels[tuple(nearest)]
    left_out = gaps(spread, panel.size, dashed.fissures)
    for label in np.unique(spread):
        _, edge = canvas.outline_of(spread == label, panel.size)
        edge = edge if left_out is None else ImageChops.subtract(edge, left_out)
        page.paste(canvas.INK, panel.corner, ImageChops.darker(edge, lung))


def _names(
    page: Image.Image,
    panel: _Panel,
    labels: npt.NDArray[np.uint8],
    pixel_mm: tuple[float, float],
    dashed: Unseen,
    ink: str = "",
    points: float = 7.5,
) -> None:
    """Write the initials of every lobe where it is widest: dark if there is an `ink`, else light.

    A lobe that is not reported has a question mark.
    """
    for label, region in LABELLED.items():
        inside = labels == label
        place = _widest(inside, pixel_mm) if label != Label.AIRWAY and inside.any() else None
        if place is None:
            continue
        canvas.write(
            page,
            (panel.left + place[0] * panel.px_per_mm, panel.top + place[1] * panel.px_per_mm),
            abbreviation(region) + (" ?" if region.key in dashed.lobes else ""),
            points=points,
            colour=canvas.INK if ink else canvas.WHITE,
            halo=canvas.WHITE if ink else canvas.BLACK,
            anchor="mm",
            weight="Semibold",
        )


def _widest(
    inside: npt.NDArray[np.bool_], pixel_mm: tuple[float, float]
) -> tuple[float, float] | None:
    """Return (x, y) in mm where a region is widest; None if it is too small to be named."""
    rows, columns = canvas.box_around(inside)
    alone = np.pad(inside[rows, columns], 1)
    depth = ndimage.distance_transform_edt(alone, sampling=pixel_mm)[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    if depth[row, column] < NAMED_FROM_MM:
        return None
    row, column = row + rows.start, column + columns.start
    return (float(column) + 0.5) * pixel_mm[1], (float(row) + 0.5) * pixel_mm[0]


def _title(page: Image.Image, panel: _Panel, text: str, points: float = 7.0) -> None:
    canvas.write(page, (panel.left, panel.top - 8), text, points=points, anchor="ls")


def _scale_bar(page: Image.Image, panel: _Panel) -> None:
    """Draw a bar of `BAR_MM` in the lower left corner."""
    left, y = panel.left + 20, panel.top + panel.height - 20
    right = left + BAR_MM * panel.px_per_mm
    canvas.bar(page, left, right, y)
    canvas.write(
        page,
        ((left + right) / 2, y - 8),
        f"{BAR_MM / 10:.0f} cm",
        points=7.5,
        colour=canvas.WHITE,
        halo=canvas.BLACK,
        anchor="ms",
        weight="Semibold",
    )


def _sides(
    page: Image.Image, panel: _Panel, plane: str, *, on_dark: bool, points: float = 7.0
) -> None:
    """Mark the sides of the patient: right and left, or front and back."""
    for text, share in zip(SIDE_LETTERS[plane], (0.03, 0.97), strict=True):
        canvas.write(
            page,
            (panel.left + share * panel.width, panel.top + 8),
            text,
            points=points,
            colour=canvas.WHITE if on_dark else canvas.INK,
            halo=canvas.BLACK if on_dark else "",
            anchor="ma",
            weight="Semibold",
        )


def _colour_bar(
    page: Image.Image, panel: _Panel, steps: npt.NDArray[np.uint8], say: Wording
) -> None:
    lines = say("words.low_axis").split("\n")
    left, upper = panel.left + 16, panel.top + 20 * len(lines) + 16
    height = panel.height - (upper - panel.top) - 20
    page.paste(Image.fromarray(steps[::-1, None]).resize((26, height)), (left, upper))
    pen = ImageDraw.Draw(page)
    pen.rectangle((left, upper, left + 26, upper + height), outline=canvas.SOFT)
    for percent in canvas.LOW_TICKS:
        y = upper + height * (1 - float(canvas.share_of_scale(np.array(percent))))
        pen.line((left + 26, y, left + 33, y), fill=canvas.INK, width=2)
        canvas.write(page, (left + 40, y), f"{percent} %", points=6.5, anchor="lm")
    for n, line in enumerate(lines):
        canvas.write(page, (left, panel.top + 20 * n), line, points=6.5)


def _framed(one: Projection) -> Projection:
    """Set a map into an empty frame, so that a lung at its edge is outlined there, too."""
    values = np.pad(one.values, FRAME, constant_values=np.nan)
    labels = None if one.labels is None else np.pad(one.labels, FRAME)
    return replace(one, values=values, labels=labels)


def _from_outside(one: Projection) -> Projection:
    """Turn the map of the right lung round: to who looks at it from the right, the front is on the right."""
    if SEEN_FROM[one.name] != "from the right":
        return one
    labels = None if one.labels is None else one.labels[:, ::-1]
    return replace(one, values=one.values[:, ::-1], labels=labels)


# --- the histogram --------------------------------------------------------------------------------


def _percent_per_hu(one: Histogram) -> npt.NDArray[np.float64]:
    """Return the share of a lung's voxels per HU, as the mean over 5 HU."""
    smooth = np.convolve(one.counts, np.full(5, 0.2), mode="same")
    percent: npt.NDArray[np.float64] = 100 * smooth / one.counts.sum()
    return percent


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(value)) if value > 0 else 1.0
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value))


def _at_hu(box: tuple[int, int, int, int], hu: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    low, high = HISTOGRAM_HU
    at: npt.NDArray[np.float64] = box[0] + (box[2] - box[0]) * (hu - low) / (high - low)
    return at


def _axes(page: Image.Image, box: tuple[int, int, int, int], top: float, say: Wording) -> None:
    pen = ImageDraw.Draw(page)
    left, upper, right, lower = box
    (threshold,) = _at_hu(box, np.array([LOW_HU])).tolist()
    pen.rectangle((left, upper, threshold, lower), fill=canvas.mixed("#ffffff", LOW_COLOUR, 0.1))
    pen.line((threshold, upper, threshold, lower), fill=LOW_COLOUR, width=2)
    pen.line((left, upper, left, lower, right, lower), fill=canvas.INK, width=2)
    for hu in (-1000, -900, -800, -700, -600, -500, -400, -300, -200):
        (x,) = _at_hu(box, np.array([hu])).tolist()
        pen.line((x, lower, x, lower + 6), fill=canvas.INK, width=2)
        canvas.write(page, (x, lower + 8), f"{hu}".replace("-", "−"), points=6.5, anchor="ma")
    for share in (0.0, 0.5, 1.0):
        y = lower - (lower - upper) * share
        pen.line((left - 6, y, left, y), fill=canvas.INK, width=2)
        canvas.write(page, (left - 10, y), say.number(f"{share * top:g}"), points=6.5, anchor="rm")
    canvas.write(page, ((left + right) / 2, page.height - 4), "HU", anchor="ms")
    canvas.write(page, (0, 0), say("words.histogram_axis"), points=6.5)


def _curve(page: Image.Image, points: list[tuple[float, float]], region: Region) -> None:
    """Draw a line, dashed for the left lung, so that grey print tells them apart."""
    pen = ImageDraw.Draw(page)
    if region != LEFT_LUNG:
        pen.line(points, fill=region.colour, width=4, joint="curve")
        return
    for start in range(0, len(points), 14):
        pen.line(points[start : start + 9], fill=region.colour, width=4, joint="curve")


def _legend(page: Image.Image, at: tuple[int, int], region: Region, say: Wording) -> None:
    x, y = at
    _curve(page, [(x + 3.0 * step, y) for step in range(20)], region)
    canvas.write(page, (x + 70, y), say.region(region.key), anchor="lm")
