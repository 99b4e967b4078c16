"""How far a lobe border is to be trusted: how much of it lies on a fissure that can be followed.

The image around the fitted border is unrolled and searched (`qct.segment.follow`); a column of that slab
speaks for the border if the fissure followed there passes close by. Noise and vessels give patches that are
too small to count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, maximum_filter

from qct.findings import FissureFit
from qct.flags import Flag
from qct.regions import Fissure, Label
from qct.segment.completeness import Completeness
from qct.segment.follow import Trace
from qct.segment.unroll import COLUMN_MM, Chart

SUPPORTED = "supported"
PARTLY_SUPPORTED = "partly supported"
POPULATION_AVERAGE = "population average"

ON_BORDER_MM = 2.5
"""A fissure that is followed farther from the border than this speaks against it, in mm."""

COVER_MM = 4.0
"""A piece of border is covered if the fissure was followed within this distance along it, in mm."""

MOST_UNKNOWN = 0.125
"""A supported border is known better than this (see `Coverage.unknown`): its error is expected to be 2.4 mm at
most. Oblique fissures that lie on the marks all along have 0.09 to 0.12, horizontal ones that leave them at one
end 0.15 and more."""

PARTLY_COVERAGE = 0.12
"""Least coverage of a partly supported border."""

MOST_CONTRADICTION = 0.10
"""A border with more fissure beside it than this share of its area is not called supported."""

UNUSUAL_PRIOR_DISTANCE = 2.5
"""A fitted shape this far from the population (RMS Mahalanobis) is not called supported."""

FLAGS_OF_SUPPORT = {
    SUPPORTED: frozenset[Flag](),
    PARTLY_SUPPORTED: frozenset({Flag.FISSURE_PARTLY_SEEN}),
    POPULATION_AVERAGE: frozenset({Flag.FISSURE_NOT_SEEN}),
}


@dataclass(frozen=True)
class BorderError:
    """How far borders of one kind were found to be off; measured, see docs/lobes.md.

    Attributes
    ----------
    distance_mm : float
        Mean distance from the true border, either way.
    offset_mm : float
        Root mean square of the signed mean: times the area, it is the volume that changes sides for good.
    """

    distance_mm: float
    offset_mm: float


FOLLOWED_ERROR = BorderError(1.4, 1.0)
"""Where the fissure was followed: points marked by eye on two scans, and digital chests."""

AVERAGE_ERROR = {
    Fissure.LEFT_OBLIQUE: BorderError(8.8, 9.7),
    Fissure.RIGHT_OBLIQUE: BorderError(9.0, 9.7),
    Fissure.RIGHT_HORIZONTAL: BorderError(9.2, 9.4),
}
"""Where only the prior knows: the larger of what 150 held-out maps and 26 of another annotator give
(`benchmarks/lobes_prior.py`)."""

UNKNOWN_BEYOND_MM = 60.0
"""Distance along the border from where the fissure was followed over which two thirds of what is known are
lost, in mm. From held-out lobe maps of which one side of the border, or patches, were shown to the fit: the
error of the rest is 1.2, 1.8, 2.5, 3.3 and 4.2 mm on average 10, 17, 25, 35 and 50 mm away, and its net offset
is the average's times `Coverage.unknown`."""


@dataclass(frozen=True)
class Coverage:
    """Shares (0 to 1) of a border's area, and that area.

    Attributes
    ----------
    on_fissure : float
        Where the fissure was followed and lies on the border.
    beside_fissure : float
        Where it was followed and lies off the border.
    area_mm2 : float
    unknown : float
        Mean share of the knowledge about a place on the border that is lost on the way to the nearest place
        where the fissure was followed and lies on the border: 1 - exp(-distance / `UNKNOWN_BEYOND_MM`). One
        patch tells less than as much that is spread over the border.
    """

    on_fissure: float = 0.0
    beside_fissure: float = 0.0
    area_mm2: float = 0.0
    unknown: float = 1.0


def measure_coverage(chart: Chart | None, trace: Trace | None) -> Coverage:
    """Count the share of a border along which a fissure was followed."""
    if chart is None:
        return Coverage()
    area = chart.area_mm2()
    total = float(area.sum())
    if trace is None or total == 0:
        return Coverage(area_mm2=total)
    points = trace.points().position_mm
    columns, offset = chart.locate(points)
    followed, beside = (chart.marked(columns[:, part]) for part in _parted(offset))
    on, off = _around(followed), _around(beside)
    covered, contradicted = on & ~off, off & ~on
    return Coverage(
        float(area[covered].sum()) / total,
        float(area[contradicted].sum()) / total,
        total,
        float((area * _lost(followed)).sum()) / total,
    )


def _parted(
    offset_mm: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    on = np.abs(offset_mm) <= ON_BORDER_MM
    return on, ~on


def _around(hit: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Mark the columns within `COVER_MM` of marked ones."""
    near: npt.NDArray[np.bool_] = maximum_filter(hit, 2 * round(COVER_MM / COLUMN_MM) + 1)
    return near


def _lost(followed: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return the share of knowledge lost on the way from the nearest marked column to each."""
    if not followed.any():
        return np.ones(followed.shape)
    away = COLUMN_MM * np.asarray(distance_transform_edt(~followed), np.float64)
    return np.asarray(1 - np.exp(-away / UNKNOWN_BEYOND_MM))


def judge(
    fissure: Fissure,
    coverage: Coverage,
    prior_distance: float,
    completeness: Completeness | None,
) -> FissureFit:
    """Say in three words how far a border is to be trusted, and how large its error may be."""
    support = POPULATION_AVERAGE
    if coverage.on_fissure >= PARTLY_COVERAGE:
        support = PARTLY_SUPPORTED
        sound = coverage.beside_fissure <= MOST_CONTRADICTION
        usual = prior_distance <= UNUSUAL_PRIOR_DISTANCE
        if coverage.unknown <= MOST_UNKNOWN and sound and usual:
            support = SUPPORTED
    unknown = coverage.unknown if support != POPULATION_AVERAGE else 1.0
    error = _mixed(unknown, FOLLOWED_ERROR, AVERAGE_ERROR[fissure])
    return FissureFit(
        fissure=fissure,
        coverage=round(coverage.on_fissure, 3),
        prior_distance=round(prior_distance, 2),
        support=support,
        completeness_percent=(
            round(completeness.percent, 1) if completeness and support == SUPPORTED else None
        ),
        error_mm=round(error.distance_mm, 1),
        area_cm2=round(coverage.area_mm2 / 100, 1),
        volume_error_ml=round(coverage.area_mm2 * error.offset_mm / 1000, 1),
    )


def _mixed(unknown: float, followed: BorderError, average: BorderError) -> BorderError:
    """Return the error of a border about which a share is unknown."""
    return BorderError(
        followed.distance_mm + unknown * (average.distance_mm - followed.distance_mm),
        followed.offset_mm + unknown * (average.offset_mm - followed.offset_mm),
    )


def lobe_errors_ml(fits: Sequence[FissureFit], above_horizontal: float) -> dict[Label, float]:
    """Return the standard deviation of every lobe's volume in one lung, in mL.

    The two borders of an upper or middle lobe are off independently of each other; a border is off one way
    all along it.

    Parameters
    ----------
    fits : sequence of FissureFit
        The oblique fissure, then the horizontal one if there is one.
    above_horizontal : float
        Share (0 to 1) of the oblique fissure's area that borders the upper lobe.
    """
    errors = [fit.volume_error_ml or 0.0 for fit in fits]
    if len(fits) == 1:
        return {Label.LEFT_UPPER_LOBE: errors[0], Label.LEFT_LOWER_LOBE: errors[0]}
    oblique, horizontal = errors
    return {
        Label.RIGHT_LOWER_LOBE: oblique,
        Label.RIGHT_UPPER_LOBE: hypot(above_horizontal * oblique, horizontal),
        Label.RIGHT_MIDDLE_LOBE: hypot((1 - above_horizontal) * oblique, horizontal),
    }
