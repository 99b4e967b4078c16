"""Follow a fissure near a surface, where single voxels hardly show it.

In the slab around the surface (`qct.segment.unroll`) the image is averaged over small plates of all tilts, and
the brightest way through the slab is followed from column to column. Noise and vessels give short bright
pieces; a fissure goes on. Only what goes on over several square centimetres counts.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label, uniform_filter

from qct.kernels.plates import follow_plates, plate_contrast
from qct.segment.fissures import SheetPoints
from qct.segment.unroll import COLUMN_MM, Chart, Slab

PLATE_COLUMNS = 3
"""Radius of the plates that are averaged, in columns: 6 mm, where a fissure is flat."""

PLATE_GAP_MM = 3
"""A plate is compared with what lies so far to both sides of it, in mm: beyond the blur of a fissure."""

_SLOPES = (-1.6, -0.8, 0.0, 0.8, 1.6)
TILTS = np.array([(u, v) for u in _SLOPES for v in _SLOPES if abs(u) + abs(v) < 2.0])
"""Rise of the plates in mm per column, along u and v: up to 39 degrees off the surface."""

LEAST_USABLE = 0.3
"""Share of a plate that has to be usable."""

MOST_CONTRAST = 5.0
"""More standard deviations of noise than this do not count: a vessel is no better than a fissure."""

STEP_COST = np.array([0.0, 0.4, 1.0, 2.0], np.float32)
"""Cost of a way that climbs 0, 1, 2, 3 mm from column to column, in the same units."""

FAR_COST, FAR_MM = 0.2, 12.0
"""Cost of lying `FAR_MM` off the surface; it grows with the square."""

PLANE_COLUMNS = 4
"""The way is compared with a plane fitted to it so far around, in columns."""

OFF_PLANE_MM = 1.5
"""Columns where it lies farther off that plane show no fissure."""

LEAST_EVIDENCE = 1.3
"""Mean contrast around a column, in standard deviations of noise, from which on it may be fissure."""

FULL_EVIDENCE = 3.0
"""Mean contrast of a clear fissure."""

JUMP_MM = 1.6
"""Neighbouring columns whose heights differ by more do not continue each other."""

LEAST_PATCH = 240.0
"""Evidence that columns (of 4 mm²) which continue each other have to add up to: that of 3 cm² of a clear
fissure, or of 7 cm² of a faint one. On scans whose slices are too thick to show any fissure most patches stay
smaller."""


@dataclass(frozen=True)
class Trace:
    """The brightest way through a slab. U, V columns.

    Attributes
    ----------
    chart : Chart
    offset_mm : (U, V) float64
        Its height above the surface.
    slope : (2, U, V) float64
        Its rise along u and v, with that of the surface, in mm per mm.
    evidence : (U, V) float64
        Mean contrast around each column, in standard deviations of noise.
    seen : (U, V) bool
        Where it is a fissure.
    """

    chart: Chart
    offset_mm: npt.NDArray[np.float64]
    slope: npt.NDArray[np.float64]
    evidence: npt.NDArray[np.float64]
    seen: npt.NDArray[np.bool_]

    def points(self) -> SheetPoints:
        """Return what was seen as points on a sheet; one column weighs as many as it has mm²."""
        up = self.chart.axes[2]
        position = self.chart.surface_mm() + self.offset_mm[..., None] * up
        normal = up - np.einsum("kuv,kc->uvc", self.slope, self.chart.axes[:2])
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        weight = COLUMN_MM**2 * np.clip(self.evidence / FULL_EVIDENCE, 0.3, 1.0)
        return SheetPoints(position[self.seen], normal[self.seen], weight[self.seen])


def follow(slab: Slab) -> Trace:
    """Follow the brightest way through a slab."""
    contrast = standard_contrast(slab, PLATE_COLUMNS, TILTS)
    cost = FAR_COST * (slab.heights_mm / FAR_MM) ** 2 - np.clip(contrast, 0, MOST_CONTRAST)
    best = follow_plates(cost.astype(np.float32), STEP_COST).argmin(axis=2)
    u, v = np.indices(best.shape)
    offset = slab.heights_mm[best]
    here, usable = contrast[u, v, best], slab.usable[u, v, best]
    plane, slope = _fit_planes(offset, np.where(usable, np.clip(here, 0, 4), 0))
    flat = np.abs(offset - plane) < OFF_PLANE_MM
    evidence = _mean_around(np.where(flat, np.clip(here, -1, MOST_CONTRAST), 0), usable)
    seen = usable & flat & (evidence > LEAST_EVIDENCE)
    seen &= _patch_sums(offset, seen, evidence) >= LEAST_PATCH
    base_slope: Any = np.gradient(slab.chart.height_mm, COLUMN_MM)
    slope += np.stack(base_slope)
    return Trace(slab.chart, offset, slope, evidence, seen)


def standard_contrast(
    slab: Slab, reach: int, tilts: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Return the contrast of plates in standard deviations of its noise; 0 where nothing can be said.

    Most plates of a slab are noise, so their median and median deviation are those of noise.
    """
    contrast = plate_contrast(slab.hu, slab.usable, reach, tilts, PLATE_GAP_MM, LEAST_USABLE)
    known = np.isfinite(contrast)
    if not known.any():
        return np.zeros_like(contrast)
    median = np.median(contrast[known])
    spread = 1.4826 * np.median(np.abs(contrast[known] - median)) + 1e-6
    return np.where(known, (contrast - median) / spread, 0).astype(np.float32)


def _mean_around(
    values: npt.NDArray[np.float64], usable: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Mean over the usable columns around each, 0 where hardly any is."""
    width = 2 * PLATE_COLUMNS + 1
    total = uniform_filter(np.where(usable, values, 0.0), width, mode="constant")
    count = uniform_filter(usable.astype(np.float64), width, mode="constant")
    mean: npt.NDArray[np.float64] = np.where(count > 0.2, total / np.maximum(count, 0.01), 0.0)
    return mean


def _fit_planes(
    height: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Fit a plane around every column, by weight; return its (U, V) height there and its (2, U, V) slope."""
    width = 2 * PLANE_COLUMNS + 1
    weight = weight + 1e-6
    u, v = np.indices(height.shape).astype(np.float64)

    total = uniform_filter(weight, width, mode="constant")

    def mean(values: Any) -> npt.NDArray[np.float64]:
        filtered: npt.NDArray[np.float64] = uniform_filter(weight * values, width, mode="constant")
        filtered /= total
        return filtered

    mu, mv, mh = mean(u), mean(v), mean(height)
    # A little is added to the variances, so that a single line of columns has a plane, too.
    uu, vv, uv = mean(u * u) - mu * mu + 0.3, mean(v * v) - mv * mv + 0.3, mean(u * v) - mu * mv
    uh, vh = mean(u * height) - mu * mh, mean(v * height) - mv * mh
    determinant = uu * vv - uv * uv
    along_u = (uh * vv - vh * uv) / determinant
    along_v = (vh * uu - uh * uv) / determinant
    plane = mh + along_u * (u - mu) + along_v * (v - mv)
    return plane, np.stack([along_u, along_v]) / COLUMN_MM


def _patch_sums(
    height: npt.NDArray[np.float64],
    chosen: npt.NDArray[np.bool_],
    evidence: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Add up, for every chosen column, the evidence of the patch that it belongs to."""
    patch = number_patches(height, chosen)[chosen]
    total = np.zeros(height.shape)
    total[chosen] = np.bincount(patch, evidence[chosen], minlength=1)[patch]
    return total


def number_patches(
    height: npt.NDArray[np.float64], chosen: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Give the patches of chosen columns that continue each other numbers from 0; -1 elsewhere."""
    joined = np.zeros((2 * height.shape[0] - 1, 2 * height.shape[1] - 1), bool)
    joined[::2, ::2] = chosen  # columns, and between them what links two
    for axis, between in enumerate((joined[1::2, ::2], joined[::2, 1::2].T)):
        h, c = np.moveaxis(height, axis, 0), np.moveaxis(chosen, axis, 0)
        between[...] = c[:-1] & c[1:] & (np.abs(h[1:] - h[:-1]) <= JUMP_MM)
    number: npt.NDArray[np.int64] = label(joined)[0][::2, ::2] - 1
    return number
