"""Breathe out: the diaphragm rises, the lungs follow it along the chest wall, every voxel's way is known.

The model in inspiration is read at displaced places. A voxel keeps its place in the section of the rib cage
while its height changes, so that lung slides along the chest wall, as it does; ribs, spine and skin stay. What
lies under the diaphragm moves up as a whole. Parenchyma gets denser by the determinant of the displacement's
gradient (mass is conserved); vessels and walls keep their density.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from qct.phantom.model import Model
from qct.phantom.space import Field, Grid, Resampler, every_slice
from qct.phantom.thorax import cage_at, spine_y
from qct.phantom.trees import Trees

STILL_MM = 85.0
"""Height above which nothing moves, reference mm."""

DOME_MM = -110.0
"""Height below which everything moves as the diaphragm does, in inspiration, reference mm."""

SLIDES_MM = 1.2
"""The chest wall stands still from so far outside the rib cage's inner side, reference mm."""

SPINE_MM = (18.0, 26.0)
"""Nothing moves within the first distance from the spine's axis, all from the second on."""

PARENCHYMA_BELOW_HU = (-700.0, -600.0)
"""Below the first all of a voxel is compressed, above the second (vessel, wall) nothing."""


@dataclass(frozen=True)
class Displacement:
    """Where every voxel of the chest in expiration was in inspiration.

    Attributes
    ----------
    vectors_mm : (Z, Y, X, 3) float32
        From the place in expiration to that in inspiration, (z, y, x) in LPS mm.
    origin_mm : (3,) float64
        (z, y, x) of the first voxel, LPS mm.
    step_mm : float
        Distance of neighbours along every axis; linear between them.
    wall_mm : (Z, Y, X) float32
        Distance from where lung slides along the chest wall; beyond it (positive) nothing moves.
    """

    vectors_mm: npt.NDArray[np.float32]
    wall_mm: npt.NDArray[np.float32]
    origin_mm: npt.NDArray[np.float64]
    step_mm: float

    def at(self, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the vectors at (K, 3) points, (z, y, x) LPS mm; those of the border beyond it."""
        index = (points_mm - self.origin_mm).T / self.step_mm
        moves = map_coordinates(self.wall_mm, index, order=1, mode="nearest") < 0
        return np.asarray(self.inside(points_mm) * moves[:, None], np.float64)

    def inside(self, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the vectors at points that are known to move."""
        index = (points_mm - self.origin_mm).T / self.step_mm
        parts = [
            map_coordinates(self.vectors_mm[..., axis], index, order=1, mode="nearest")
            for axis in range(3)
        ]
        return np.stack(parts, -1).astype(np.float64)


def breathe_out(model: Model, exhale_mm: float) -> tuple[Model, Displacement]:
    """Return the chest with the diaphragm higher by `exhale_mm` (patient mm), and how it got there."""
    grid = model.fields.grid
    moved = _moved(grid, model, exhale_mm / model.scale)
    compressed = _determinant(moved, grid.step)
    out = _warped(model, moved, compressed)
    displacement = Displacement(
        vectors_mm=np.stack(moved, -1) * np.float32(model.scale),
        wall_mm=(model.fields.cage - np.float32(SLIDES_MM)) * np.float32(model.scale),
        origin_mm=np.array(grid.origin) * model.scale,
        step_mm=grid.step * model.scale,
    )
    return replace(out, trees=_moved_trees(model.trees, displacement, model.scale)), displacement


def _moved(grid: Grid, model: Model, rise: float) -> tuple[Field, Field, Field]:
    """Return the ways along z, y, x from expiration to inspiration on a coarse grid."""
    z, y, x = grid.open()
    share = np.clip((STILL_MM - z) / (STILL_MM - DOME_MM - rise), 0, 1)
    from_spine = np.hypot(x + 0 * z, y - np.asarray(spine_y(grid.axis(0)))[:, None, None])
    free = np.clip((from_spine - SPINE_MM[0]) / (SPINE_MM[1] - SPINE_MM[0]), 0, 1)
    down = -rise * share * share * (3 - 2 * share) * free
    here = [part[:, None, None] for part in cage_at(grid.axis(0), model.shape)]
    there = cage_at(z + down, model.shape)
    along_x = x * (there[0] / here[0] - 1) * free
    along_y = (there[2] + (y - here[2]) * there[1] / here[1] - y) * free
    return (
        np.asarray(down, np.float32),
        np.asarray(along_y, np.float32),
        np.asarray(along_x, np.float32),
    )


def _determinant(moved: tuple[Field, Field, Field], step: float) -> Field:
    """Volume in inspiration of what has unit volume in expiration."""
    slopes = [np.gradient(part, step) for part in moved]
    (zz, zy, zx), (yz, yy, yx), (xz, xy, xx) = slopes
    a, b, c = 1 + zz, 1 + yy, 1 + xx
    return np.asarray(
        a * (b * c - yx * xy) - zy * (yz * c - yx * xz) + zx * (yz * xy - b * xz), np.float32
    )


def _warped(model: Model, moved: tuple[Field, Field, Field], compressed: Field) -> Model:
    fine = model.grid
    read = Resampler(model.fields.grid, fine)
    hu, labels = model.hu.copy(), model.labels.copy()
    airway, vessel = model.airway.copy(), model.vessel.copy()
    last = np.array(fine.shape)[:, None] - 1

    def breathe(z: int) -> None:
        inside = np.nonzero(read.slice(model.fields.cage, z) < SLIDES_MM)
        here = np.stack([np.full(len(inside[0]), z), *inside]).astype(np.float64)
        for axis, part in enumerate(moved):
            here[axis] += read.slice(part, z)[inside] / fine.step
        np.clip(here, 0, last, out=here)
        near = tuple(np.rint(here).astype(np.int64))
        labels[z][inside] = model.labels[near]
        airway[z][inside] = model.airway[near]
        vessel[z][inside] = model.vessel[near]
        value = map_coordinates(model.hu, here, order=1, mode="nearest")
        lung = (model.labels[near] > 0) & (model.airway[near] == 0)
        low, high = PARENCHYMA_BELOW_HU
        share = np.clip((high - value) / (high - low), 0, 1) * lung
        factor = 1 + (read.slice(compressed, z)[inside] - 1) * share
        hu[z][inside] = (value + 1000) * factor - 1000

    every_slice(breathe, fine.shape[0])
    return replace(model, hu=hu, labels=labels, airway=airway, vessel=vessel)


def _moved_trees(trees: Trees, displacement: Displacement, scale: float) -> Trees:
    """Return the trees with their ends where they are in expiration."""
    moved = []
    for tree in (trees.airways, trees.arteries, trees.veins):
        segments = tree.segments.copy()
        for part in (slice(0, 3), slice(3, 6)):
            goal = segments[:, part] * scale
            at = goal.copy()
            for _ in range(60):
                at = goal - displacement.inside(at)
            segments[:, part] = at / scale
        moved.append(replace(tree, segments=segments))
    return Trees(*moved)
