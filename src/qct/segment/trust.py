"""How far a lobe border is to be trusted: how much of it lies on a fissure that is seen.

For the fitted border the share is counted that has evidence close by, by area. Noise gives some evidence
everywhere, so the same is counted on copies of the border moved up and down by a centimetre or more: what a
border shows beyond its copies is what speaks for it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from qct.findings import FissureFit
from qct.flags import Flag
from qct.regions import Fissure
from qct.segment.fissures import BOX_STEP_MM, LungBox, SheetPoints, Sheets
from qct.segment.surfaces import LATTICE_STEP_MM, Surface

# Thresholds were set by looking at three scans; they are not validated. Borders that lay on the visible fissure
# over most of their course had coverages of 0.49 and 0.54; those right in part and off elsewhere 0.18 to 0.31;
# those on a 5 mm scan, where no fissure is to be seen, less than 0.02. Copies had at most 0.03.

SUPPORTED = "supported"
PARTLY_SUPPORTED = "partly supported"
POPULATION_AVERAGE = "population average"

INLIER_MM = 2.0
"""Evidence lies at most this far from the border, in mm."""

INLIER_COSINE = 0.85
"""Its sheet is turned at most this far (32 degrees) from the border."""

COVER_MM = 5.0
"""A piece of border is covered if evidence lies within this distance along it, in mm."""

COMPLETE_MM = 3.0
"""A piece of border shows its fissure if evidence lies within this distance, in mm."""

CONTROL_SHIFTS_MM = (-18.0, -14.0, -10.0, 10.0, 14.0, 18.0)
"""How far the copies lie from the border, in mm."""

SUPPORTED_COVERAGE = 0.40
"""Least coverage of a supported border."""

SUPPORTED_EXCESS = 0.20
"""Least coverage beyond that of the copies for a supported border."""

PARTLY_COVERAGE = 0.12
"""Least coverage of a partly supported border."""

PARTLY_EXCESS = 0.08
"""Least coverage beyond that of the copies for a partly supported border."""

UNUSUAL_PRIOR_DISTANCE = 2.5
"""A fitted shape this far from the population (RMS Mahalanobis) is not called supported."""

FLAGS_OF_SUPPORT = {
    SUPPORTED: frozenset[Flag](),
    PARTLY_SUPPORTED: frozenset({Flag.FISSURE_PARTLY_SEEN}),
    POPULATION_AVERAGE: frozenset({Flag.FISSURE_NOT_SEEN}),
}

FITTED_ERROR_MM = 2.0
"""Typical error of a border where the fissure was followed (held-out phantoms), in mm."""

UNFITTED_ERROR_MM = {
    Fissure.LEFT_OBLIQUE: 9.3,
    Fissure.RIGHT_OBLIQUE: 8.6,
    Fissure.RIGHT_HORIZONTAL: 6.5,
}
"""Mean error of a border that only the prior knows (held-out label maps), in mm."""


@dataclass(frozen=True)
class Border:
    """The part of a surface inside the lung that parts two lobes.

    Attributes
    ----------
    position_mm : (N, 3) float64
        Grid millimetres.
    area_mm2 : (N,) float64
        Area that each point stands for.
    """

    position_mm: npt.NDArray[np.float64]
    area_mm2: npt.NDArray[np.float64]


def trace_border(surface: Surface, box: LungBox, above: Surface | None = None) -> Border:
    """Return the border that a surface draws in a lung; with `above`, only its part above that surface.

    Points are the crossings of the surface with the edges of its lattice. A surface with unit normal n crosses
    (abs(nz) + abs(ny) + abs(nx)) / step² edges per area, which gives each crossing its area.
    """
    positions = np.concatenate([_crossings(surface, axis) for axis in range(3)])
    slopes = np.moveaxis(surface.gradient(), 0, -1)
    nearest = np.rint(surface.lattice.to_nodes(positions)).astype(int)
    normal = slopes[tuple(nearest.T)]
    normal = normal / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9)
    area = LATTICE_STEP_MM**2 / np.maximum(np.abs(normal).sum(axis=1), 1.0)
    kept = _is_inside(box, positions)
    if above is not None:
        kept &= above.heights(positions) > 0
    return Border(positions[kept], area[kept].astype(np.float64))


def _crossings(surface: Surface, axis: int) -> npt.NDArray[np.float64]:
    field = np.moveaxis(surface.field_mm, axis, 0).astype(np.float64)
    before, after = field[:-1], field[1:]
    crossed = (before > 0) != (after > 0)
    share = before[crossed] / (before[crossed] - after[crossed])
    nodes = np.argwhere(crossed).astype(np.float64)
    nodes[:, 0] += share
    order = [axis, *(other for other in range(3) if other != axis)]
    placed = np.empty_like(nodes)
    placed[:, order] = nodes
    return placed * LATTICE_STEP_MM + surface.lattice.origin_mm


def _is_inside(box: LungBox, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    index = np.rint((points_mm - box.origin_mm) / BOX_STEP_MM).astype(int)
    index = np.clip(index, 0, np.array(box.mask.shape) - 1)
    inside: npt.NDArray[np.bool_] = box.mask[tuple(index.T)]
    return inside


def share_near(border: Border, points_mm: npt.NDArray[np.float64], reach_mm: float) -> float:
    """Share of the border's area with one of the points within reach."""
    if not len(points_mm) or not len(border.area_mm2):
        return 0.0
    distance, _ = cKDTree(points_mm).query(border.position_mm, distance_upper_bound=reach_mm)
    return float(border.area_mm2[distance < reach_mm].sum() / border.area_mm2.sum())


@dataclass(frozen=True)
class Coverage:
    """Shares (0 to 1) of a border, by area.

    Attributes
    ----------
    near : float
        With clear evidence close by.
    by_chance : float
        The same on copies of the border beside it.
    in_sight : float
        Where the fissure shows, faintly too, less what would show by chance. A lower bound: next to vessels
        and the rim of the lung nothing is searched, yet that area counts.
    """

    near: float
    by_chance: float
    in_sight: float


def measure_coverage(
    surface: Surface, box: LungBox, sheets: Sheets, above: Surface | None = None
) -> Coverage:
    """Count the share of a border that has evidence, there and on its copies."""
    near, by_chance = _share_on_copies(surface, box, sheets.clear, COVER_MM, above)
    faint, faint_by_chance = _share_on_copies(surface, box, sheets.faint, COMPLETE_MM, above)
    in_sight = (faint - faint_by_chance) / max(1 - faint_by_chance, 0.1)
    return Coverage(near, by_chance, max(in_sight, 0.0))


def _share_on_copies(
    surface: Surface,
    box: LungBox,
    points: SheetPoints,
    reach_mm: float,
    above: Surface | None,
) -> tuple[float, float]:
    """Return the share of a border within reach of its inliers, and the mean of that on its copies."""
    distance, cosine = surface.measure(points)
    turned = cosine > INLIER_COSINE
    shares = []
    for shift in (0.0, *CONTROL_SHIFTS_MM):
        moved = Surface(surface.lattice, surface.field_mm - np.float32(shift))
        inliers = points.position_mm[turned & (np.abs(distance - shift) < INLIER_MM)]
        shares.append(share_near(trace_border(moved, box, above), inliers, reach_mm))
    return shares[0], float(np.mean(shares[1:]))


def judge(fissure: Fissure, coverage: Coverage, prior_distance: float) -> FissureFit:
    """Say in three words how far a border is to be trusted, and how large its error may be."""
    excess = coverage.near - coverage.by_chance
    support = POPULATION_AVERAGE
    if coverage.near >= PARTLY_COVERAGE and excess >= PARTLY_EXCESS:
        support = PARTLY_SUPPORTED
        usual = prior_distance <= UNUSUAL_PRIOR_DISTANCE
        if coverage.near >= SUPPORTED_COVERAGE and excess >= SUPPORTED_EXCESS and usual:
            support = SUPPORTED
    seen = coverage.near if support != POPULATION_AVERAGE else 0.0
    error = seen * FITTED_ERROR_MM + (1 - seen) * UNFITTED_ERROR_MM[fissure]
    return FissureFit(
        fissure=fissure,
        coverage=round(coverage.near, 3),
        prior_distance=round(prior_distance, 2),
        support=support,
        completeness_percent=(round(100 * coverage.in_sight, 1) if support == SUPPORTED else None),
        error_mm=round(error, 1),
    )
