"""A slab of lung around a surface, unrolled: columns on a plane, heights counted from the surface.

In the slab a fissure that the surface follows roughly is a nearly level plate, however it is bent in the lung.
That makes it possible to average along it, and to follow it from column to column over the stretches where
noise hides it.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, map_coordinates

from qct.kernels.plates import unroll_columns
from qct.segment.fissures import BOX_STEP_MM, LungBox
from qct.segment.surfaces import Border, Lattice, Surface

COLUMN_MM = 2.0
"""Distance of columns, in mm: a little more than a fissure is wide on CT."""

ROOM_MM = 16.0
"""Columns reach this far beyond the border, in mm."""

MOST_HU = 120.0
"""HU are cut so far above and below the median of their column: about the contrast of a clear fissure."""

OFF_FLOOR_MM = 4.0
"""Where a fissure ends on another, its last millimetres are left out: they show the other one."""

_SPARSE = 2
"""A fitted surface is looked up in every second column; it is smooth."""

_SEARCH_STEP_MM = 4.0
_SEARCH_MM = 20.0
"""Beyond the highest and lowest point of the border the surface is looked for so far, in mm."""


@dataclass(frozen=True)
class Chart:
    """Columns that stand on a plane, and a surface that crosses each of them once. U, V columns.

    Attributes
    ----------
    axes : (3, 3) float64
        Unit vectors (z, y, x) along u, along v and up the columns.
    corner_mm : (3,) float64
        Grid millimetres of the foot of column (0, 0).
    height_mm : (U, V) float64
        Of the surface above the plane of the feet.
    on_border : (U, V) bool
        Whether the surface parts lobes there.
    """

    axes: npt.NDArray[np.float64]
    corner_mm: npt.NDArray[np.float64]
    height_mm: npt.NDArray[np.float64]
    on_border: npt.NDArray[np.bool_]

    def surface_mm(self) -> npt.NDArray[np.float64]:
        """Return the (U, V, 3) grid millimetres of the surface in each column."""
        u, v = np.indices(self.height_mm.shape) * COLUMN_MM
        along = np.stack([u, v, self.height_mm], axis=-1)
        placed: npt.NDArray[np.float64] = self.corner_mm + along @ self.axes
        return placed

    def locate(
        self, points_mm: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return (2, N) column numbers of points, and their (N,) heights above the surface in mm."""
        along = (points_mm - self.corner_mm) @ self.axes.T
        columns = along[:, :2].T / COLUMN_MM
        below = map_coordinates(self.height_mm, columns, order=1, mode="nearest")
        return columns, along[:, 2] - below

    def marked(self, columns: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Mark the (U, V) columns nearest to (2, N) column numbers."""
        marked = np.zeros(self.height_mm.shape, bool)
        index = np.rint(columns).astype(np.int64)
        on_grid = ((index >= 0) & (index < np.reshape(marked.shape, (2, 1)))).all(axis=0)
        marked[tuple(index[:, on_grid])] = True
        return marked

    def normals_at(self, columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return (N, 3) unit normals of the surface at (2, N) column numbers, pointing up."""
        slopes = [
            map_coordinates(slope, columns, order=1, mode="nearest")
            for slope in np.gradient(self.height_mm, COLUMN_MM)
        ]
        normal = self.axes[2] - np.stack(slopes, axis=1) @ self.axes[:2]
        unit: npt.NDArray[np.float64] = normal / np.linalg.norm(normal, axis=1, keepdims=True)
        return unit

    def raised(
        self, offset_mm: npt.NDArray[np.float64], box: LungBox, above: Surface | None
    ) -> "Chart":
        """Return the chart of the surface moved up by (U, V) mm."""
        moved = Chart(self.axes, self.corner_mm, self.height_mm + offset_mm, self.on_border)
        return Chart(moved.axes, moved.corner_mm, moved.height_mm, _on_border(moved, box, above))

    def area_mm2(self) -> npt.NDArray[np.float64]:
        """Return the (U, V) area of surface that each column stands for; 0 off the border."""
        along_u, along_v = np.gradient(self.height_mm, COLUMN_MM)
        area: npt.NDArray[np.float64] = COLUMN_MM**2 * np.sqrt(1 + along_u**2 + along_v**2)
        return np.where(self.on_border, area, 0.0)

    def field(self, lattice: Lattice) -> Surface:
        """Return the surface as the zero level of a field: each column is positive above it."""
        axes = np.meshgrid(*lattice.axes_mm(), indexing="ij")
        _, above = self.locate(np.stack(axes, axis=-1).reshape(-1, 3))
        return Surface(lattice, above.reshape(lattice.shape).astype(np.float32))


def _on_border(chart: Chart, box: LungBox, above: Surface | None) -> npt.NDArray[np.bool_]:
    points = chart.surface_mm().reshape(-1, 3)
    inside = box.holds(points)
    if above is not None:
        inside &= above.heights(points) > 0
    return inside.reshape(chart.height_mm.shape)


@dataclass(frozen=True)
class Slab:
    """What the columns of a chart show. H heights.

    Attributes
    ----------
    heights_mm : (H,) float64
        1 mm apart, symmetrical about 0.
    hu : (U, V, H) float32
        Relative to the median of the column, cut at `MOST_HU`.
    usable : (U, V, H) bool
        Lung where a fissure could be seen.
    """

    chart: Chart
    heights_mm: npt.NDArray[np.float64]
    hu: npt.NDArray[np.float32]
    usable: npt.NDArray[np.bool_]

    def above(self, floor: Surface | None) -> "Slab":
        """Return the slab of which only what lies above another surface, and off it, is usable."""
        if floor is None:
            return self
        feet, up = self.chart.surface_mm(), self.chart.axes[2]
        points = (feet[:, :, None] + self.heights_mm[:, None] * up).reshape(-1, 3)
        is_above = floor.heights(points).reshape(self.usable.shape) > OFF_FLOOR_MM
        return replace(self, usable=self.usable & is_above)


def chart_of(
    surface: Surface, box: LungBox, border: Border, above: Surface | None = None
) -> Chart | None:
    """Stand columns on a surface, at right angles to it on average; None if it hardly has a border.

    With `above`, only what lies above that surface is border.
    """
    if len(border.area_mm2) < 4:
        return None
    area = border.area_mm2
    axes = _axes(area @ surface.normals(border.position_mm))
    along = border.position_mm @ axes.T
    low, high = along.min(axis=0), along.max(axis=0)
    corner = (low - [ROOM_MM, ROOM_MM, 0]) @ axes
    n_columns = np.ceil((high - low + 2 * ROOM_MM) / COLUMN_MM).astype(int) + 1
    spots = np.arange(-_SEARCH_MM, high[2] - low[2] + _SEARCH_MM + 1, _SEARCH_STEP_MM)
    flat = Chart(axes, corner, np.zeros(n_columns[:2]), np.zeros(n_columns[:2], bool))
    return flat.raised(_heights_on(surface, box, flat, spots), box, above)


def _axes(up: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return unit vectors along u (as near to x as can be), v and up."""
    up = up / np.linalg.norm(up)
    along_x = np.array([0.0, 0.0, 1.0]) if abs(up[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
    u = along_x - up * (up @ along_x)
    u /= np.linalg.norm(u)
    return np.stack([u, np.cross(up, u), up])


def _heights_on(
    surface: Surface, box: LungBox, flat: Chart, spots: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Find where columns cross a surface, inside the lung if they do so more than once.

    Columns that do not cross it continue their neighbours.
    """
    feet = flat.surface_mm()[::_SPARSE, ::_SPARSE]
    points = (feet[:, :, None] + spots[:, None] * flat.axes[2]).reshape(-1, 3)
    shape = (*feet.shape[:2], len(spots))
    field = surface.heights(points).reshape(shape)
    inside = box.holds(points).reshape(shape)
    crossed = (field[..., :-1] <= 0) & (field[..., 1:] > 0)
    better = crossed.astype(np.int8) * (1 + (inside[..., :-1] | inside[..., 1:]))
    chosen = better.argmax(axis=2)
    found = crossed.any(axis=2)
    u, v = np.indices(chosen.shape)
    before, after = field[u, v, chosen], field[u, v, chosen + 1]
    share = np.where(found, -before / np.where(found, after - before, 1.0), 0.0)
    height = spots[chosen] + _SEARCH_STEP_MM * share
    if not found.all() and found.any():
        nearest = distance_transform_edt(~found, return_distances=False, return_indices=True)
        height = height[tuple(nearest)]
    columns = np.indices(flat.height_mm.shape).reshape(2, -1) / _SPARSE
    dense: npt.NDArray[np.float64] = map_coordinates(height, columns, order=1, mode="nearest")
    return dense.reshape(flat.height_mm.shape)


def unroll(chart: Chart, box: LungBox, usable: npt.NDArray[np.bool_], reach_mm: float) -> Slab:
    """Read a lung along the columns of a chart, `reach_mm` up and down."""
    heights = np.arange(-reach_mm, reach_mm + 0.5)
    feet = (chart.surface_mm() - box.origin_mm) / BOX_STEP_MM
    hu, used = unroll_columns(box.hu, usable, feet, chart.axes[2] / BOX_STEP_MM, heights, MOST_HU)
    return Slab(chart, heights, hu, used)
