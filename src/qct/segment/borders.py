"""Fit the borders of the lobes of one lung, the oblique fissure first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qct.findings import FissureFit
from qct.regions import Label, Side
from qct.segment.agree import agreeing
from qct.segment.avascular import find_band
from qct.segment.bend import bend, bend_off_vessels
from qct.segment.completeness import measure_completeness
from qct.segment.fissures import NO_POINTS, Evidence, LungBox, SheetPoints
from qct.segment.follow import Trace, follow
from qct.segment.lung_frame import LungFrame
from qct.segment.prior import FISSURES_OF, SidePrior, SurfacePrior
from qct.segment.surfaces import Lattice, Surface, fit_modes, place_surface, trace_border
from qct.segment.trust import judge, lobe_errors_ml, measure_coverage
from qct.segment.unroll import Chart, Slab, chart_of, unroll

ABOVE_OBLIQUE_MM = 4.0
"""Evidence of the horizontal fissure lies at least this far above the oblique one, in mm."""

FOLLOW_REACH_MM = (26.0, 26.0, 20.0, 14.0)
"""How far from the fitted surface the fissure is looked for, in mm, round by round: at first as far as shapes
are off (p90 14 to 18 mm)."""


BESIDE_MM = 12.0
"""Clear points farther from the fitted shape than this, in mm, are left to the search that follows."""

BESIDE_COSINE = 0.9
"""Their sheets are turned at most this far (26 degrees) from the fitted shape."""


@dataclass(frozen=True)
class LungImage:
    """One lung as the fit sees it.

    Attributes
    ----------
    evidence : Evidence or None
        None where nothing is to be followed: the prior alone decides.
    """

    side: Side
    box: LungBox
    frame: LungFrame
    evidence: Evidence | None


@dataclass(frozen=True)
class FittedBorder:
    """A border, and how far it is to be trusted."""

    surface: Surface
    fit: FissureFit


@dataclass(frozen=True)
class _Followed:
    """A fitted surface, and what the image shows along it, if anything was looked for."""

    coefficients: npt.NDArray[np.float64]
    surface: Surface
    chart: Chart | None = None
    slab: Slab | None = None
    trace: Trace | None = None


def fit_borders(
    lung: LungImage, model: SidePrior, features: npt.NDArray[np.float64]
) -> list[FittedBorder]:
    """Fit the oblique fissure, then the horizontal one above it."""
    borders: list[FittedBorder] = []
    surprise = None
    for fissure in FISSURES_OF[lung.side]:
        above = borders[0].surface if borders else None
        shape = model.surfaces[fissure]
        expected = model.predict(fissure, features, surprise)
        found = _fit(lung, shape, expected, above)
        surprise = found.coefficients - expected
        fit = judge(
            fissure,
            measure_coverage(found.chart, found.trace),
            _mahalanobis(surprise, shape.covariance),
            measure_completeness(found.slab, found.trace) if found.slab and found.trace else None,
        )
        borders.append(FittedBorder(found.surface, fit))
    return borders


def volume_errors_ml(borders: Sequence[FittedBorder], box: LungBox) -> dict[Label, float]:
    """Return the standard deviation of the volume of each lobe of a lung, in mL."""
    share = 1.0
    if len(borders) > 1:
        oblique = trace_border(borders[0].surface, box)
        is_above = borders[1].surface.heights(oblique.position_mm) > 0
        share = float(oblique.area_mm2[is_above].sum() / max(oblique.area_mm2.sum(), 1e-9))
    return lobe_errors_ml([border.fit for border in borders], share)


def _fit(
    lung: LungImage,
    shape: SurfacePrior,
    expected: npt.NDArray[np.float64],
    above: Surface | None,
) -> _Followed:
    """Fit the modes to what is clear, then bend the surface step by step onto what goes on from there."""
    if lung.evidence is None:
        return _placed(lung, shape, expected, above)
    clear = lung.evidence.points
    if above is not None:
        clear = clear.where(above.heights(clear.position_mm) > ABOVE_OBLIQUE_MM)
    coefficients = fit_modes(shape, expected, clear.thinned(), lung.frame)
    found = _placed(lung, shape, coefficients, above)
    followed, slab, trace = NO_POINTS, None, None
    for reach_mm in FOLLOW_REACH_MM:
        if found.chart is None:
            return found
        near = followed.joined(_beside(found.chart, clear))
        chart = found.chart.raised(bend(found.chart, near), lung.box, above)
        slab = unroll(chart, lung.box, lung.evidence.usable, reach_mm).above(above)
        trace = agreeing(follow(slab), _beside(chart, clear))
        followed = trace.points()
        points = clear.joined(followed).thinned()
        coefficients = fit_modes(shape, expected, points, lung.frame)
        found = _placed(lung, shape, coefficients, above)
    if found.chart is None:
        return found
    near = followed.joined(_beside(found.chart, clear))
    band = find_band(found.chart, lung.box, lung.evidence, above, near)
    met, off_vessels = bend_off_vessels(found.chart, near, band)
    surface = found.chart.raised(off_vessels, lung.box, above).field(Lattice.over(lung.box))
    # What is not seen stays as unknown as it was: vessels move the border, but do not vouch for it.
    return _Followed(coefficients, surface, found.chart.raised(met, lung.box, above), slab, trace)


def _beside(chart: Chart, points: SheetPoints) -> SheetPoints:
    """Return the points that may lie on the fissure of a chart: close to it, and facing its way."""
    columns, offset = chart.locate(points.position_mm)
    cosine = np.abs((points.normal * chart.normals_at(columns)).sum(axis=1))
    return points.where((np.abs(offset) < BESIDE_MM) & (cosine > BESIDE_COSINE))


def _placed(
    lung: LungImage,
    shape: SurfacePrior,
    coefficients: npt.NDArray[np.float64],
    above: Surface | None,
) -> _Followed:
    surface = place_surface(shape.field_of(coefficients), lung.frame, Lattice.over(lung.box))
    border = trace_border(surface, lung.box, above)
    return _Followed(coefficients, surface, chart_of(surface, lung.box, border, above))


def _mahalanobis(deviation: npt.NDArray[np.float64], covariance: npt.NDArray[np.float64]) -> float:
    """RMS distance in standard deviations."""
    standard = np.linalg.solve(np.linalg.cholesky(covariance), deviation)
    return float(np.sqrt(np.mean(standard**2)))
