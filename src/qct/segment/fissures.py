"""Evidence of fissures: points on thin bright sheets inside one lung.

A fissure is two layers of pleura, thinner than a voxel, seen as a faint bright sheet in dark lung. Sheets are
found at 1 mm by the Hessian (`qct.kernels.sheetness`) and thinned to their crests; a crest counts if enough
others around it continue the same plane. Vessels, which are bright and thick, and the rim of the lung are left
out.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qct.kernels.balls import reach
from qct.kernels.fields import resample_hu
from qct.kernels.sheetness import NORMAL_SCALE, count_coplanar, find_crests, find_sheets
from qct.volume import Volume

BOX_STEP_MM = 1.0
"""Spacing at which sheets are searched, in mm: fissures blur to about this width on CT."""

BOX_MARGIN_MM = 4
"""Room around the lung, in mm, so that filters and distances see its rim."""

SHEET_SIGMA_MM = 1.0
"""Scale of the Hessian, in mm."""

HU_CEILING = -300.0
"""Values are cut here before filtering, in HU, so that ribs and heart do not ring into the lung."""

HU_FLOOR = -1024.0
"""Values are cut here before filtering, in HU; padding lies far below."""

PLEURA_MM = 2.0
"""Sheets closer than this to the rim of the lung are pleura."""

VESSEL_HU = -620.0
"""Smoothed lung above this is vessel or airway wall, in HU."""

VESSEL_MM = 2.5
"""Sheets closer than this to a vessel are its side."""

VESSEL_CURVATURE = 40.0
"""Curvature across a vessel, in HU/mm², in both directions: vessels of about 2 mm and more."""

VESSELS_OFF_RIM_MM = 4.0
"""Nearer to the rim of the lung than this, in mm, its wall is taken for vessels."""

THICK_FILL = 0.75
"""Bright crests whose disc is so full lie on a sheet, not in a vessel: a fissure that is thick with fluid or
inflammation."""

THICK_OVER_LEAST = 3.0
"""They are so many times stronger than the weakest crest that counts."""

LEAST_CURVATURE = 4.0
"""Smallest curvature across a sheet, in HU/mm²: a step in the image noise of any scan."""

LEAST_STRENGTH = 8.0
"""Smallest strength of a sheet's crest, in HU/mm²."""

STRENGTH_OVER_MEDIAN = 1.2
"""A crest exceeds the median strength in the lung (mostly noise) by this factor."""

PLANE_REACH_MM = 6
"""Crests that continue a sheet are counted so far around, in mm: it is flat over that, vessels are smaller."""

PLANE_OFFSET_MM = 1.2
"""They lie at most this far from the sheet's plane, in mm."""

PLANE_COSINE = 0.9
"""Their normals agree this well (26 degrees)."""

LEAST_FILL = 0.40
"""Share of the disc around a crest that such crests fill, at least.

On a 1.25 mm scan fissures, a faint horizontal one too, reach 0.4 to 1.1; nearly all else stays below 0.3."""

FILL_OVER_MEDIAN = 2.2
"""And by how much they exceed the median: in thick slices vessels are drawn out to little sheets, and every
crest has more company (median 0.11 at 1.25 mm, 0.20 at 3 mm, 0.34 at 5 mm)."""

MOST_FILL = 0.75
"""But no more than this is asked: where noise is low, most crests are fissure and the median is theirs."""

THICKEST_MM = 3.5
"""Slices farther apart show no fissure that can be followed; nothing is looked for in them."""

MOST_POINTS = 6_000
"""More points are thinned to every n-th; each then weighs n times."""

_USUAL_STRENGTH = 40.0
"""Strength of a well seen fissure, in HU/mm²."""


@dataclass(frozen=True)
class LungBox:
    """One lung at 1 mm.

    Attributes
    ----------
    hu : (Z, Y, X) float32
        Cut to `HU_FLOOR` and `HU_CEILING`.
    mask : (Z, Y, X) bool
    origin_mm : (3,) float64
        Grid millimetres of voxel (0, 0, 0).
    """

    hu: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]
    origin_mm: npt.NDArray[np.float64]

    def holds(self, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Tell which of (..., 3) points lie in the lung."""
        (inside,) = self.read(points_mm, self.mask)
        return inside

    def read(
        self, points_mm: npt.NDArray[np.float64], *masks: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.bool_], ...]:
        """Return what masks on this grid say at the voxels nearest to (..., 3) points; False off the grid."""
        index = np.rint((points_mm - self.origin_mm) / BOX_STEP_MM).astype(np.intp)
        last = np.array(self.mask.shape) - 1
        on_grid = ((index >= 0) & (index <= last)).all(axis=-1)
        at = tuple(np.moveaxis(np.clip(index, 0, last), -1, 0))
        number = np.ravel_multi_index(at, self.mask.shape)
        return tuple(mask.ravel()[number] & on_grid for mask in masks)


@dataclass(frozen=True)
class SheetPoints:
    """Points on sheets.

    Attributes
    ----------
    position_mm : (N, 3) float64
        Grid millimetres (z, y, x).
    normal : (N, 3) float64
        Unit vectors; their sign is arbitrary.
    weight : (N,) float64
        By strength and size of the patch; about 1 on a well seen fissure.
    """

    position_mm: npt.NDArray[np.float64]
    normal: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Count the points."""
        return len(self.weight)

    def where(self, chosen: npt.NDArray[np.bool_]) -> "SheetPoints":
        """Return the chosen points."""
        return SheetPoints(self.position_mm[chosen], self.normal[chosen], self.weight[chosen])

    def joined(self, other: "SheetPoints") -> "SheetPoints":
        """Return these points and others."""
        return SheetPoints(
            np.concatenate([self.position_mm, other.position_mm]),
            np.concatenate([self.normal, other.normal]),
            np.concatenate([self.weight, other.weight]),
        )

    def thinned(self) -> "SheetPoints":
        """Return at most `MOST_POINTS` points, every n-th, weighing n times as much."""
        step = -(-len(self) // MOST_POINTS)
        if step <= 1:
            return self
        return SheetPoints(
            self.position_mm[::step], self.normal[::step], self.weight[::step] * step
        )


@dataclass(frozen=True)
class Evidence:
    """What one lung shows of its fissures.

    Attributes
    ----------
    points : SheetPoints
        On sheets that voxels show clearly.
    usable : (Z, Y, X) bool
        On the grid of the lung's box: where a fissure could be seen, off the rim and off vessels.
    inner : (Z, Y, X) bool
        Where vessels were looked for, off the rim.
    on_vessel : (Z, Y, X) bool
        Close to the middle of vessels.
    """

    points: SheetPoints
    usable: npt.NDArray[np.bool_]
    inner: npt.NDArray[np.bool_]
    on_vessel: npt.NDArray[np.bool_]


NO_POINTS = SheetPoints(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))


def cut_lung_box(volume: Volume, lung: npt.NDArray[np.bool_], first: tuple[int, ...]) -> LungBox:
    """Resample one lung to 1 mm.

    Parameters
    ----------
    volume : Volume
    lung : (z, y, x) bool
        The lung, cut to its bounding box.
    first : (int, int, int)
        Voxel of the volume at which that box starts.
    """
    spacing = np.array(volume.spacing_mm)
    start = np.array(first) * spacing - BOX_MARGIN_MM
    extent = (np.array(lung.shape) - 1) * spacing + 2 * BOX_MARGIN_MM
    n_steps = np.floor(extent / BOX_STEP_MM).astype(int) + 1
    slices, rows, columns = (
        (start[k] + BOX_STEP_MM * np.arange(n_steps[k])) / spacing[k] for k in range(3)
    )
    hu = resample_hu(volume.hu, rows, columns, slices, HU_FLOOR, HU_CEILING)
    nearest = [
        np.rint(index).astype(int) - first[k] for k, index in enumerate((slices, rows, columns))
    ]
    mask = np.pad(lung, 1)
    for axis, (index, n) in enumerate(zip(nearest, lung.shape, strict=True)):
        mask = mask.take(np.clip(index + 1, 0, n + 1), axis=axis)
    return LungBox(hu, mask, start)


def find_evidence(box: LungBox) -> Evidence:
    """Find what a lung shows of its fissures."""
    outside, cube = ~box.mask, (BOX_STEP_MM,) * 3
    inside = ~reach(outside, PLEURA_MM, cube)
    strength, normal, smooth, across_line = find_sheets(
        box.hu, inside, derivative_taps(SHEET_SIGMA_MM / BOX_STEP_MM), LEAST_CURVATURE
    )
    near_vessels = reach(inside & (smooth > VESSEL_HU), VESSEL_MM, cube)
    seen = strength[inside]
    seen = seen[seen > 0]
    median = float(np.median(seen)) if seen.size else 0.0
    least = max(LEAST_STRENGTH, STRENGTH_OVER_MEDIAN * median)
    usable = inside & (~near_vessels | _near_thick_sheets(box, strength, normal, inside, least))
    is_crest = find_crests(strength, normal, usable, least)
    return Evidence(
        _choose_coplanar(box, strength, normal, is_crest),
        usable,
        ~reach(outside, VESSELS_OFF_RIM_MM, cube),
        across_line > VESSEL_CURVATURE,
    )


def _near_thick_sheets(
    box: LungBox,
    strength: npt.NDArray[np.float32],
    normal: npt.NDArray[np.int8],
    inside: npt.NDArray[np.bool_],
    least: float,
) -> npt.NDArray[np.bool_]:
    """Mark what is close to bright sheets that go on over a disc: thickened fissures, never vessels."""
    is_crest = find_crests(strength, normal, inside, THICK_OVER_LEAST * least)
    if not is_crest.any():
        return is_crest
    crests, _, fill = _fill_planes(normal, is_crest)
    radius = int(VESSEL_MM / BOX_STEP_MM)
    ball = np.argwhere(np.ones((2 * radius + 1,) * 3)) - radius
    ball = ball[(ball**2).sum(axis=1) <= (VESSEL_MM / BOX_STEP_MM) ** 2]
    around = crests[fill >= THICK_FILL][:, None] + ball
    near = np.zeros(box.mask.shape, bool)
    # Crests lie inside the lung, and the box has a margin: no index leaves it.
    near[tuple(around.reshape(-1, 3).T)] = True
    return near


def _fill_planes(
    normal: npt.NDArray[np.int8],
    is_crest: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Return the crests, their normals, and what share of the disc around each others fill."""
    at = np.flatnonzero(is_crest)
    crests = np.stack(np.unravel_index(at, is_crest.shape), axis=1).astype(np.int32)
    facing = normal.reshape(-1, 3)[at].astype(np.float32) / np.float32(NORMAL_SCALE)
    radius = round(PLANE_REACH_MM / BOX_STEP_MM)
    company = count_coplanar(
        crests, facing, is_crest.shape, radius, PLANE_COSINE, PLANE_OFFSET_MM / BOX_STEP_MM
    )
    return crests, facing, company / (np.pi * radius**2)


def _choose_coplanar(
    box: LungBox,
    strength: npt.NDArray[np.float32],
    normal: npt.NDArray[np.int8],
    is_crest: npt.NDArray[np.bool_],
) -> SheetPoints:
    """Keep the crests with enough others in their plane; the fuller it is, the more they weigh."""
    if not is_crest.any():
        return NO_POINTS
    crests, facing, fill = _fill_planes(normal, is_crest)
    least = float(np.clip(FILL_OVER_MEDIAN * np.median(fill), LEAST_FILL, MOST_FILL))
    fullness = np.clip(2 * fill / least - 1.5, 0.5, 3.0)
    weight = np.clip(strength[is_crest] / _USUAL_STRENGTH, 0.3, 1.5) * fullness
    points = SheetPoints(
        crests * BOX_STEP_MM + box.origin_mm,
        facing.astype(np.float64),
        weight.astype(np.float64),
    )
    return points.where(fill >= least)


def derivative_taps(sigma: float) -> npt.NDArray[np.float32]:
    """Return the (3, T) correlation taps of a Gaussian and its first and second derivative.

    They are exact on polynomials: the first gives 1 on a constant, the second 1 on a ramp, the third 2 on a
    square.
    """
    radius = int(np.ceil(3 * sigma))
    x = np.arange(-radius, radius + 1, dtype=np.float64)
    gauss = np.exp(-0.5 * (x / sigma) ** 2)
    gauss /= gauss.sum()
    slope = x * gauss
    slope /= (slope * x).sum()
    bend = (x**2 / sigma**2 - 1) * gauss
    bend -= bend.mean()
    bend *= 2 / (bend * x**2).sum()
    return np.stack([gauss, slope, bend]).astype(np.float32)
