"""Where slices lie in the patient: order, spacing, tilt; and which way to turn them.

Distances come from ImagePositionPatient, never from SliceThickness or SpacingBetweenSlices, and the tilt
from positions and orientation, never from GantryDetectorTilt (DICOM PS3.3 C.7.6.2.1.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qct.errors import GeometryError
from qct.read.headers import Slice

Floats = npt.NDArray[np.float64]

JITTER_SHARE = 0.01
"""Part of the slice distance by which a position may be off its place."""

ROUNDING_MM = 0.051
"""Distance by which a position may be off its place because it was written with one decimal."""

SAME_PLACE_MM = 0.01
"""Slices closer than this lie at one place."""

MAX_DRIFT_PIXELS = 0.5
"""Part of a pixel by which a slice may be off the straight line through all slices."""

MIN_SHEAR_DEG = 0.5
"""Smallest angle between the row of slices and their normal that is called a tilted gantry."""

MIN_OBLIQUE_DEG = 2.0
"""Smallest angle between slice normal and body axis that is called oblique, tilted gantry apart."""

MAX_TILT_DEG = 35.0
"""Largest angle between slice normal and body axis that still is an axial slice; gantries reach 30."""

MAX_ROTATION_DEG = 20.0
"""Largest rotation in the slice plane that flips and swaps leave."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The regular grid that a set of slices makes.

    Attributes
    ----------
    order : tuple of int
        Indices of the slices, from the first along the stored slice normal to the last.
    step_slice, step_row, step_column : (3,) float64
        LPS steps, mm: to the next slice, down one row, right one column.
    origin : (3,) float64
        LPS position of the first pixel of the first slice.
    shape : (int, int, int)
        Slices, rows, columns.
    tilt_deg : float
        Angle from slice normal to the row of slices about the x axis; positive leans like a positive
        GantryDetectorTilt.
    shear_deg, oblique_deg : float
        Angles of the slice normal to the row of slices and to the body axis.
    """

    order: tuple[int, ...]
    step_slice: Floats
    step_row: Floats
    step_column: Floats
    origin: Floats
    shape: tuple[int, int, int]
    tilt_deg: float
    shear_deg: float
    oblique_deg: float

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of slices (at right angles), rows and columns."""
        normal = np.cross(self.step_column, self.step_row)
        normal /= np.linalg.norm(normal)
        return (
            abs(float(self.step_slice @ normal)),
            float(np.linalg.norm(self.step_row)),
            float(np.linalg.norm(self.step_column)),
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """How stored (slice, row, column) axes become (z, y, x).

    Attributes
    ----------
    stored_axes : (int, int, int)
        As in `qct.findings.Scan`.
    axes_mm : (3, 3) float64
    origin_mm : (3,) float64
        As in `qct.volume.Volume`.
    shape : (int, int, int)
    """

    stored_axes: tuple[int, int, int]
    axes_mm: Floats
    origin_mm: Floats
    shape: tuple[int, int, int]


def positions_along_normal(slices: Sequence[Slice]) -> Floats:
    """Return the place of every slice along the common normal, in mm."""
    normal = _normal(slices[0])
    return np.array([s.position_mm for s in slices], np.float64) @ normal


def grid_of(slices: Sequence[Slice]) -> Grid:
    """Put slices in order and make sure that they lie on a regular grid.

    All slices have the same orientation and pixel spacing, and a position.

    Raises
    ------
    GeometryError
        If the slices are not axial, a slice is missing or there twice, distances vary, or slices are
        shifted sideways.
    """
    first = slices[0]
    along = positions_along_normal(slices)
    order = np.argsort(along, kind="stable")
    _refuse_irregular(along[order])
    row_way, column_way = _in_plane(first)
    assert first.pixel_mm is not None
    positions = np.array([slices[i].position_mm for i in order], np.float64)
    step_slice = (positions[-1] - positions[0]) / (len(slices) - 1)
    _refuse_drift(positions, step_slice, min(first.pixel_mm))
    steps = (step_slice, row_way * first.pixel_mm[0], column_way * first.pixel_mm[1])
    shape = (len(slices), first.pixels.rows, first.pixels.columns)
    return regular_grid(steps, positions[0], shape, tuple(int(i) for i in order))


def regular_grid(
    steps: tuple[Floats, Floats, Floats],
    origin: Floats,
    shape: tuple[int, int, int],
    order: tuple[int, ...],
) -> Grid:
    """Make a grid of its steps along slices, rows and columns, and measure its angles.

    Raises
    ------
    GeometryError
        If the slices are not axial, or rotated in their plane.
    """
    step_slice, step_row, step_column = steps
    normal = np.cross(step_column, step_row)
    normal /= np.linalg.norm(normal)
    lean = step_slice / np.linalg.norm(step_slice)
    upward = normal if normal[2] > 0 else -normal
    headward = lean if lean @ upward > 0 else -lean
    grid = Grid(
        order=order,
        step_slice=step_slice,
        step_row=step_row,
        step_column=step_column,
        origin=origin,
        shape=shape,
        tilt_deg=float(np.degrees(np.arcsin(np.clip(np.cross(upward, headward)[0], -1, 1)))),
        shear_deg=_angle_deg(upward, headward),
        oblique_deg=_angle_deg(upward, np.array([0.0, 0.0, 1.0])),
    )
    _refuse_not_axial(grid)
    return grid


def turn_of(grid: Grid) -> Turn:
    """Find the flips and swaps that bring z to the head, y to the back and x to the left."""
    steps = np.stack([grid.step_slice, grid.step_row, grid.step_column])
    cosines = np.abs(steps / np.linalg.norm(steps, axis=1, keepdims=True))
    rows_are_y = cosines[1, 1] + cosines[2, 0] >= cosines[1, 0] + cosines[2, 1]
    sources = (0, 1, 2) if rows_are_y else (0, 2, 1)
    origin = grid.origin.copy()
    axes, stored, shape = [], [], []
    for source, lps in zip(sources, (2, 1, 0), strict=True):
        step, n = steps[source], grid.shape[source]
        is_reversed = step[lps] < 0
        if is_reversed:
            origin = origin + step * (n - 1)
        axes.append(-step if is_reversed else step)
        stored.append(-(source + 1) if is_reversed else source + 1)
        shape.append(n)
    return Turn(
        (stored[0], stored[1], stored[2]), np.array(axes), origin, (shape[0], shape[1], shape[2])
    )


def _in_plane(one: Slice) -> tuple[Floats, Floats]:
    """Return unit vectors down the rows and along the columns of a slice.

    ImageOrientationPatient holds the way of a row first, which is the way in which columns count up.
    """
    assert one.orientation is not None
    column_way, row_way = np.array(one.orientation, np.float64).reshape(2, 3)
    lengths = np.linalg.norm(column_way), np.linalg.norm(row_way)
    if not all(0.99 < length < 1.01 for length in lengths) or abs(column_way @ row_way) > 0.01:
        raise GeometryError(
            "ImageOrientationPatient does not hold two unit vectors at right angles",
            hint="Export the series again from the scanner or the archive.",
        )
    return row_way / lengths[1], column_way / lengths[0]


def _normal(one: Slice) -> Floats:
    row_way, column_way = _in_plane(one)
    return np.asarray(np.cross(column_way, row_way), np.float64)


def _angle_deg(a: Floats, b: Floats) -> float:
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


def _refuse_irregular(along: Floats) -> None:
    """Make sure that sorted slices have one distance.

    A slice may be off its place on the straight line by `JITTER_SHARE` of the distance, or by what
    rounding to one decimal does.
    """
    if len(along) < 2:
        raise GeometryError("the series has one slice only", hint="Send the whole series.")
    gaps = np.diff(along)
    step = float(np.median(gaps))
    _refuse_doubles(gaps, along)
    ends_step = float(along[-1] - along[0]) / (len(along) - 1)
    off = np.abs(along - along[0] - ends_step * np.arange(len(along)))
    if off.max() <= max(JITTER_SHARE * step, ROUNDING_MM):
        return
    if np.abs(gaps - step).max() <= JITTER_SHARE * step:
        return
    _refuse_missing(gaps, along, step)
    raise GeometryError(
        f"slice distances vary from {gaps.min():.2f} to {gaps.max():.2f} mm "
        f"(most often {step:.2f} mm)",
        hint="Choose a series that was reconstructed with one slice distance.",
    )


def _refuse_doubles(gaps: Floats, along: Floats) -> None:
    doubled = np.flatnonzero(gaps < SAME_PLACE_MM)
    if doubled.size:
        raise GeometryError(
            f"{doubled.size} slices share their place with another one, the first at "
            f"{along[doubled[0]]:.1f} mm, and nothing in the header tells them apart",
            hint="Send one reconstruction at a time.",
        )


def _refuse_missing(gaps: Floats, along: Floats, step: float) -> None:
    """Name the gap, if every distance is a whole multiple of the common one."""
    multiples = np.rint(gaps / step)
    off = np.abs(gaps - multiples * step)
    tolerance = np.maximum(JITTER_SHARE * step * np.maximum(multiples, 1), 2 * ROUNDING_MM)
    wide = np.flatnonzero(multiples > 1)
    if (multiples < 1).any() or (off > tolerance).any() or not wide.size:
        return
    first = wide[0]
    missing = int(multiples[wide].sum() - wide.size)
    raise GeometryError(
        f"{missing} slice{'s' * (missing > 1)} missing: a gap of {gaps[first]:.2f} mm at "
        f"{along[first]:.1f} mm along the slice normal, expected {step:.2f} mm",
        hint="Check that the whole series was sent; then send it again.",
    )


def _refuse_drift(positions: Floats, step: Floats, pixel_mm: float) -> None:
    """Slices follow a straight line: also a tilted gantry shifts them evenly."""
    on_line = positions[0] + step * np.arange(len(positions))[:, None]
    off = np.linalg.norm(positions - on_line, axis=1)
    along = float(np.linalg.norm(step))
    if off.max() > max(MAX_DRIFT_PIXELS * pixel_mm, JITTER_SHARE * along * len(positions)):
        worst = int(off.argmax())
        raise GeometryError(
            f"slice {worst + 1} of {len(positions)} lies {off.max():.1f} mm beside the others",
            hint="Choose a series that was reconstructed in one piece.",
        )


def _refuse_not_axial(grid: Grid) -> None:
    if grid.oblique_deg > MAX_TILT_DEG or grid.shear_deg > MAX_TILT_DEG:
        angle = max(grid.oblique_deg, grid.shear_deg)
        raise GeometryError(
            f"slices are not axial: their normal is {angle:.0f} degrees off the body axis",
            hint="Choose the axial series.",
        )
    steps = np.abs(np.stack([grid.step_row, grid.step_column])[:, :2])
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    rotation = float(np.degrees(np.arccos(np.clip(steps.max(axis=1).min(), 0, 1))))
    if rotation > MAX_ROTATION_DEG:
        raise GeometryError(
            f"rows are rotated by {rotation:.0f} degrees against the patient's sides",
            hint="Choose a series reconstructed straight.",
        )
