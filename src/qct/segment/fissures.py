"""Evidence of fissures: points on thin bright sheets inside one lung.

A fissure is two layers of pleura, thinner than a voxel, seen as a faint bright sheet in dark lung. Sheets are
found at 1 mm by the Hessian (`qct.kernels.sheetness`), thinned to their crests, and joined to patches; vessels,
which are bright and thick, and the rim of the lung are left out.
"""

from dataclasses import dataclass

import edt
import numpy as np
import numpy.typing as npt

from qct.kernels.fields import resample_hu
from qct.kernels.sheetness import NORMAL_SCALE, find_crests, find_sheets, join_sheets
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

LEAST_CURVATURE = 4.0
"""Smallest curvature across a sheet, in HU/mm²: a step in the image noise of any scan."""

LEAST_STRENGTH = 8.0
"""Smallest strength of a sheet's crest, in HU/mm²."""

STRONG_OVER_MEDIAN = 2.5
"""A strong crest exceeds the median strength in the lung (mostly noise) by this factor.

With `STRONG_PATCH` this keeps noise from bending the surfaces (phantoms: mean Dice .973, .965 at 1.0)."""

STRONG_PATCH = 150
"""Crest voxels that a patch needs to count as strong; about 1.5 cm² of sheet."""

WEAK_OVER_MEDIAN = 1.2
"""A weak crest exceeds the median by this factor; it counts only near a surface it agrees with."""

WEAK_PATCH = 30
"""Crest voxels that a patch of weak crests needs; about 0.3 cm²."""

JOIN_COSINE = 0.92
"""Normals of neighbouring crests of one sheet agree this well (23 degrees)."""

JOIN_SLOPE = 0.6
"""Largest cosine between a sheet's normal and the step to the next crest."""

MOST_POINTS = 60_000
"""More points are thinned to every n-th; each then weighs n times."""

_USUAL_STRENGTH = 40.0
"""Strength of a well seen fissure, in HU/mm²."""

_USUAL_PATCH = 200.0
"""Patch size of weight 1, in crest voxels."""


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
    """What a lung shows of its fissures.

    Attributes
    ----------
    strong : SheetPoints
        Points that may move a surface.
    weak : SheetPoints
        The strong points, and fainter ones that count only where they agree with a surface.
    """

    strong: SheetPoints
    weak: SheetPoints


_NO_POINTS = SheetPoints(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
NO_EVIDENCE = Evidence(_NO_POINTS, _NO_POINTS)
"""A lung that shows nothing: every border is the prior's."""


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
    padded = np.pad(lung, 1)
    mask = padded[
        np.ix_(*(np.clip(i + 1, 0, n + 1) for i, n in zip(nearest, lung.shape, strict=True)))
    ]
    return LungBox(hu, mask, start)


def find_evidence(box: LungBox) -> Evidence:
    """Find the points on sheets in one lung."""
    inside = edt.edt(box.mask, parallel=0) > PLEURA_MM / BOX_STEP_MM
    strength, normal, smooth = find_sheets(
        box.hu, inside, derivative_taps(SHEET_SIGMA_MM / BOX_STEP_MM), LEAST_CURVATURE
    )
    vessel = smooth > VESSEL_HU
    vessel &= inside
    off_vessels = edt.edt(~vessel, parallel=0) >= VESSEL_MM / BOX_STEP_MM
    seen = strength[inside]
    seen = seen[seen > 0]
    median = float(np.median(seen)) if seen.size else 0.0
    weakest = max(LEAST_STRENGTH, WEAK_OVER_MEDIAN * median)
    is_crest = find_crests(strength, normal, inside & off_vessels, weakest)
    crests = np.argwhere(is_crest).astype(np.int32)
    points = _Crests(crests, _read_normals(normal, crests), strength[is_crest])
    strongest = max(LEAST_STRENGTH, STRONG_OVER_MEDIAN * median)
    strong = points.patches(box, points.strength > strongest, STRONG_PATCH)
    weak = points.patches(box, points.strength > weakest, WEAK_PATCH)
    return Evidence(strong, weak)


@dataclass(frozen=True)
class _Crests:
    index: npt.NDArray[np.int32]
    normal: npt.NDArray[np.float32]
    strength: npt.NDArray[np.float32]

    def patches(self, box: LungBox, chosen: npt.NDArray[np.bool_], least_size: int) -> SheetPoints:
        """Join the chosen crests to patches and return the points of those that are large enough."""
        index, normal, strength = self.index[chosen], self.normal[chosen], self.strength[chosen]
        number = np.full(box.mask.shape, -1, np.int32)
        number[tuple(index.T)] = np.arange(len(index))
        patch = join_sheets(index, normal, number, JOIN_COSINE, JOIN_SLOPE)
        size = np.bincount(patch, minlength=len(index))[patch]
        weight = np.clip(strength / _USUAL_STRENGTH, 0.1, 1.5) * np.clip(
            size / _USUAL_PATCH, 0.2, 3.0
        )
        large = size >= least_size
        position = index[large] * BOX_STEP_MM + box.origin_mm
        return SheetPoints(
            position, normal[large].astype(np.float64), weight[large].astype(np.float64)
        )


def _read_normals(
    normal: npt.NDArray[np.int8], crests: npt.NDArray[np.int32]
) -> npt.NDArray[np.float32]:
    at_crests: npt.NDArray[np.float32] = normal[tuple(crests.T)].astype(np.float32) / NORMAL_SCALE
    return at_crests


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
