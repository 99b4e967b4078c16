"""From cuts across bronchi to one lumen and one wall per branch, with their errors, and to the whole tree."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from qct.findings import AirwayTree, BranchSize
from qct.quantities import PI10_PERIMETER_MM

Array = npt.NDArray[np.float64]

LEAST_PLACES = 2
"""A branch measured at fewer places is not measured."""

LEAST_TOLD = 3
"""With fewer places, its size counts in the line behind Pi10 alone."""

LUMEN_PERCENT = 25
"""Percentile of the lumen over the places of a branch.

What spoils a place (a division close by, a vessel beside it, a cut askew) makes its lumen wider.
"""

PERCENTILE_ERROR = 1.36
"""Standard error of a quartile of normal values, in their SD / sqrt(n)."""

MEDIAN_ERROR = 1.25
"""That of their median."""

EDGE_OFF = 0.1
"""How far a branch's edge may lie off all along, in standard deviations of the blur.

By digital chests (`benchmarks.airways_phantom`): two of three branches err less than it and the scatter say.
"""

MOST_ERROR_PERCENT = 15.0
"""A lumen or a wall whose area has a larger standard error is withheld."""

LEAST_SEGMENTAL = 5
"""Means over segmental bronchi need so many of them (of about 18)."""


@dataclass(frozen=True)
class Cuts:
    """What was measured at places (middle, LPS mm): lumen and wall (mm) by the model and at half maximum.

    The lumen is the diameter of the disc of its area. NaN where it cannot be measured.
    """

    branch: npt.NDArray[np.int64]
    point_mm: Array
    lumen_mm: Array
    wall_mm: Array
    lumen_fwhm_mm: Array
    wall_fwhm_mm: Array

    def of(self, number: int) -> "Cuts":
        """Return the places of one branch."""
        here = self.branch == number
        return Cuts(*(getattr(self, field.name)[here] for field in fields(Cuts)))


def branch_size(cuts: Cuts, blur_mm: float) -> BranchSize:
    """Describe one branch by its places.

    Parameters
    ----------
    cuts : Cuts
        Of this branch.
    blur_mm : float
        Standard deviation of the scan's blur.

    Returns
    -------
    size : BranchSize
        The lumen is the lower quartile over the places, the wall their median.
    """
    lumen, wall = (values[np.isfinite(values)] for values in (cuts.lumen_mm, cuts.wall_mm))
    if lumen.size < LEAST_PLACES:
        return BranchSize()
    lumen_mm = float(np.percentile(lumen, LUMEN_PERCENT))
    scatter = 2 * PERCENTILE_ERROR * _spread(lumen) / lumen_mm / np.sqrt(lumen.size)
    size = BranchSize(
        lumen_mm=lumen_mm,
        lumen_error_percent=100 * float(np.hypot(scatter, 4 * EDGE_OFF * blur_mm / lumen_mm)),
        lumen_fwhm_mm=float(np.nanmedian(cuts.lumen_fwhm_mm)),
        n_places=lumen.size,
    )
    if wall.size < LEAST_PLACES:
        return size
    wall_mm = float(np.median(wall))
    scatter = MEDIAN_ERROR * _spread(wall) / wall_mm / np.sqrt(wall.size)
    return replace(
        size,
        wall_mm=wall_mm,
        wall_area_percent=100 * (1 - (lumen_mm / (lumen_mm + 2 * wall_mm)) ** 2),
        wall_error_percent=100 * float(np.hypot(scatter, EDGE_OFF * blur_mm / wall_mm)),
        wall_fwhm_mm=float(np.nanmedian(cuts.wall_fwhm_mm)),
        n_walls=wall.size,
    )


def told(size: BranchSize) -> BranchSize:
    """Return what may be said of one branch: sizes of few places or large error are None, the errors stay."""
    if not _is_sure(size.lumen_error_percent, size.n_places):
        size = replace(size, lumen_mm=None, lumen_fwhm_mm=None, wall_area_percent=None)
    if not _is_sure(size.wall_error_percent, size.n_walls):
        size = replace(size, wall_mm=None, wall_fwhm_mm=None, wall_area_percent=None)
    return size


def _is_sure(error_percent: float | None, n_places: int) -> bool:
    if error_percent is None or n_places < LEAST_TOLD:
        return False
    return error_percent <= MOST_ERROR_PERCENT


def _spread(values: Array) -> float:
    """Return the standard deviation by the quartiles, which outliers do not move."""
    low, high = np.percentile(values, (25, 75))
    return float(high - low) / 1.349


def summary(tree: AirwayTree, sizes: Sequence[BranchSize]) -> dict[str, float | None]:
    """Describe the whole tree by `qct.quantities.AIRWAY_KEYS`; means are over branches that may be told."""
    measured = [one for one in (told(sizes[k]) for k in tree.segmental) if one.wall_area_percent]
    enough = len(measured) >= LEAST_SEGMENTAL
    return {
        "airway_branches": float(len(tree.branches)),
        "airway_generations": float(max(one.generation for one in tree.branches)),
        "airway_lumen_ml": _lumen_ml(tree, sizes),
        "segmental_lumen_mm": _mean(one.lumen_mm for one in measured) if enough else None,
        "segmental_wall_mm": _mean(one.wall_mm for one in measured) if enough else None,
        "segmental_wall_area_percent": (
            _mean(one.wall_area_percent for one in measured) if enough else None
        ),
        **pi10(sizes[1:]),
    }


def _mean(values: Iterable[float | None]) -> float:
    return float(np.mean([value for value in values if value is not None]))


def _lumen_ml(tree: AirwayTree, sizes: Sequence[BranchSize]) -> float:
    total = 0.0
    for branch, size in zip(tree.branches, sizes, strict=True):
        steps = np.linalg.norm(np.diff(branch.line_mm, axis=0), axis=1)
        radius = (branch.radius_mm[1:] + branch.radius_mm[:-1]) / 2
        if size.lumen_mm is not None:
            radius = np.full_like(radius, size.lumen_mm / 2)
        total += float((np.pi * radius**2 * steps).sum()) / 1000
    return total


def pi10(sizes: Sequence[BranchSize]) -> dict[str, float | None]:
    """Regress the square root of the wall area on the inner perimeter, and read it at 10 mm.

    Parameters
    ----------
    sizes : sequence of BranchSize
        Those outside `PI10_PERIMETER_MM` and those not measured are left out.

    Returns
    -------
    values : dict
        ``pi10_mm``, ``pi10_airways`` (how many count) and ``pi10_r_squared``. The first and the last are None
        with under three airways, and where all have the same perimeter.

    Notes
    -----
    Other than in [1]_, an airway counts by the number of places where its wall was measured: the variance of
    what is said of it goes with the inverse.

    References
    ----------
    .. [1] Nakano Y, Wong JC, de Jong PA, et al. The prediction of small airway dimensions using computed
       tomography. Am J Respir Crit Care Med 2005;171:142-146.
    """
    low, high = PI10_PERIMETER_MM
    points = [
        (
            np.pi * one.lumen_mm,
            np.sqrt(np.pi * one.wall_mm * (one.lumen_mm + one.wall_mm)),
            max(one.n_walls, 1),
        )
        for one in sizes
        if one.lumen_mm is not None
        and one.wall_mm is not None
        and low <= np.pi * one.lumen_mm <= high
    ]
    values: dict[str, float | None] = {
        "pi10_mm": None,
        "pi10_airways": float(len(points)),
        "pi10_r_squared": None,
    }
    if len(points) < 3:
        return values
    perimeter, root, weight = np.array(points, np.float64).T
    weight /= weight.sum()
    spread, off = perimeter - weight @ perimeter, root - weight @ root
    across = float(weight @ spread**2)
    if across < 1e-6:
        return values
    slope = float(weight @ (spread * off)) / across
    total = float(weight @ off**2)
    values["pi10_mm"] = float(weight @ root + slope * (10 - weight @ perimeter))
    values["pi10_r_squared"] = slope**2 * across / total if total > 0 else 1.0
    return values
