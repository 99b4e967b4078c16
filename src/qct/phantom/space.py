"""Grids, random streams and distance fields: what the anatomy is drawn with.

Every distance is negative inside. Points are (z, y, x) in reference mm: z towards the head, y towards the
back, x towards the patient's left, from the carina. The reference chest is scaled as a whole to the wanted
lung volume.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from qct.cores import n_cores
from qct.kernels.draw import expand_slice

Field = npt.NDArray[np.floating[Any]]
"""One number per voxel of a grid."""

Point = tuple[float, float, float]
"""(z, y, x), reference mm."""


class Stream(IntEnum):
    """Purposes that draw random numbers, each its own stream."""

    SHAPE = 0
    AIRWAYS = 1
    VEINS = 2
    TEXTURE = 3
    FISSURES = 4
    EMPHYSEMA = 5
    NODULES = 6
    CONSOLIDATION = 7
    NOISE = 8
    FILES = 9
    RETICULATION = 10
    HOLE_DENSITY = 11
    BULLAE = 12
    LESIONS = 13
    STREAKS = 14


def stream(seed: int, purpose: Stream, index: int = 0) -> np.random.Generator:
    """Return the random numbers of one purpose."""
    return np.random.default_rng([seed, int(purpose), index])


@dataclass(frozen=True, slots=True)
class Grid:
    """Cubic voxels, upright.

    Attributes
    ----------
    shape : (Z, Y, X)
    step : float
        Edge of a voxel.
    origin : Point
        Centre of voxel (0, 0, 0).
    """

    shape: tuple[int, int, int]
    step: float
    origin: Point

    @classmethod
    def spanning(cls, low: Point, high: Point, step: float) -> "Grid":
        """Return a grid whose voxel centres reach from `low` to `high` at least."""
        z, y, x = (int(np.ceil((b - a) / step)) + 1 for a, b in zip(low, high, strict=True))
        return cls((z, y, x), step, low)

    def axis(self, k: int) -> Field:
        """Return the coordinates of the voxel centres along one axis."""
        line = self.origin[k] + self.step * np.arange(self.shape[k])
        return line.astype(np.float32)

    def open(self) -> tuple[Field, Field, Field]:
        """Return the coordinates along z, y, x, ready to broadcast."""
        return self.axis(0)[:, None, None], self.axis(1)[None, :, None], self.axis(2)[None, None]


def soft_max(a: Field, b: Field, reach: float) -> Field:
    """Intersect two bodies, with an edge rounded over about `reach` (polynomial smooth maximum)."""
    near = np.maximum(reach - np.abs(a - b), 0) / reach
    return np.asarray(np.maximum(a, b) + near * near * np.float32(reach / 4))


def soft_min(a: Field, b: Field, reach: float) -> Field:
    """Unite two bodies, with a groove rounded over about `reach`."""
    return -soft_max(-a, -b, reach)


def capsule(grid: Grid, start: Point, end: Point, radius: float) -> Field:
    """Distance from a capsule."""
    z, y, x = grid.open()
    along = np.subtract(end, start).astype(np.float32)
    dz, dy, dx = z - np.float32(start[0]), y - np.float32(start[1]), x - np.float32(start[2])
    share = (dz * along[0] + dy * along[1] + dx * along[2]) / max(float(along @ along), 1e-6)
    share = np.clip(share, 0, 1)
    away = (
        (dz - share * along[0]) ** 2 + (dy - share * along[1]) ** 2 + (dx - share * along[2]) ** 2
    )
    return np.asarray(np.sqrt(away) - np.float32(radius), np.float32)


def ellipsoid(grid: Grid, centre: Point, semi_axes: Point, turn: Field | None = None) -> Field:
    """Distance from an ellipsoid, exact on its surface to first order.

    `turn` (3, 3) has the directions of the axes as rows, (z, y, x) each.
    """
    z, y, x = (line - np.float32(c) for line, c in zip(grid.open(), centre, strict=True))
    rows = np.eye(3, dtype=np.float32) if turn is None else turn
    unit = np.float32(0)
    slope = np.float32(0)
    for row, semi in zip(rows, semi_axes, strict=True):
        part = (row[0] * z + row[1] * y + row[2] * x) / np.float32(semi)
        unit = unit + part * part
        slope = slope + (part / np.float32(semi)) ** 2
    root = np.sqrt(unit)
    return np.asarray(root * (root - 1) / np.sqrt(slope + np.float32(1e-6)), np.float32)


def smooth_noise(grid: Grid, length: float, rng: np.random.Generator) -> Field:
    """Draw a Gaussian random field of unit variance, correlated over `length`."""
    white = rng.standard_normal(grid.shape, np.float32)
    smooth = gaussian_filter(white, length / grid.step, mode="nearest")
    return np.asarray(smooth / smooth.std(), np.float32)


class Resampler:
    """Reads fields of a coarse grid at the voxels of a fine one, slice by slice (linear, clamped)."""

    def __init__(self, coarse: Grid, fine: Grid) -> None:
        (self._z, self._z_share), self._y, self._x = (_between(coarse, fine, k) for k in range(3))

    def slice(self, field: Field, z: int) -> Field:
        """Return the (Y, X) slice of `field` at the fine slice `z`."""
        low, share = self._z[z], self._z_share[z]
        flat = (1 - share) * field[low] + share * field[low + 1]
        return np.asarray(expand_slice(flat, *self._y, *self._x), np.float32)


def _between(
    coarse: Grid, fine: Grid, axis: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return, for the fine voxels along an axis, the coarse voxel below each and the share of the next."""
    n = coarse.shape[axis]
    at = np.clip((fine.axis(axis) - coarse.axis(axis)[0]) / coarse.step, 0, n - 1)
    low = np.minimum(np.floor(at).astype(np.int64), n - 2)
    return low, (at - low).astype(np.float32)


def every_slice(work: Callable[[int], None], n_slices: int) -> None:
    """Do something to every slice, on all cores; each slice must be its own business."""
    with ThreadPoolExecutor(n_cores()) as threads:
        for _ in threads.map(work, range(n_slices)):
            pass
