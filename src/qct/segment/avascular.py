"""Where no fissure shows, the vessels tell a little of where it is: few of them come near a border of lobes.

Lobes have their own vessels, which end before they reach the fissure. That leaves a band on both sides of it
in which readers look for a fissure that they do not see [1]_, [2]_. How empty the band is was measured along
fissures that were followed or marked on scans (see docs/lobes.md); places of vessels are taken for a Poisson
process whose rate falls off in the band, and what the vessels around it say of a border at a certain height
is its log-likelihood.

References
----------
.. [1] Marks BW, Kuhns LR. Identification of the pleural fissures with computed tomography. Radiology
   1982;143:139-141 (*to be confirmed*).
.. [2] Proto AV, Ball JB. Computed tomography of the major and minor fissures. AJR 1983;140:439-448 (*to be
   confirmed*).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve1d, distance_transform_edt, uniform_filter

from qct.segment.fissures import Evidence, LungBox, SheetPoints
from qct.segment.surfaces import Surface
from qct.segment.unroll import COLUMN_MM, Chart

REACH_MM = 26
"""Vessels are read so far above and below the surface, in mm."""

LEFT_SHARE = 0.3
"""Share of the usual rate of vessels that is left beside a fissure, on scans."""

HALF_MM, EDGE_MM = 8.0, 1.3
"""The rate comes back about `HALF_MM` from the fissure, as a logistic function of this width, on scans."""

TOGETHER = 26.0
"""Millimetres of columns on vessels that count as one independent vessel: twice the variance over the mean of
what patches of 16 by 16 by 8 mm hold on two scans (4 to 14)."""

LOCAL_COLUMNS = 10
"""The usual rate is that of the columns around, to this distance."""

BEYOND_MM = 8.0
"""Only columns farther than this from where the fissure is seen are asked, in mm."""

OFF_FLOOR_MM = 10.0
"""Near the fissure on which another one ends, lung is empty for that fissure's sake; distance in mm."""


@dataclass(frozen=True)
class Band:
    """What the vessels say of the place of a surface. U, V columns; H heights, 1 mm apart.

    Attributes
    ----------
    cost : (U, V, H) float64
        Negative log-likelihood of each height above the surface, but for a constant; 0 where nobody asks.
    """

    cost: npt.NDArray[np.float64]


def find_band(
    chart: Chart, box: LungBox, evidence: Evidence, above: Surface | None, seen: SheetPoints
) -> Band:
    """Ask the vessels around a surface where its border may lie, off the points where it is seen.

    Parameters
    ----------
    chart : Chart
    box : LungBox
    evidence : Evidence
        Its vessels, and where in the lung they were looked for.
    above : Surface or None
        The surface on which this one ends; what lies below it says nothing.
    seen : SheetPoints
        Where the fissure was followed or shows clearly.
    """
    heights = np.arange(-REACH_MM, REACH_MM + 0.5)
    points = chart.surface_mm()[:, :, None] + heights[:, None] * chart.axes[2]
    looked, on_vessel = box.read(points, evidence.inner, evidence.on_vessel)
    if above is not None:
        height = above.heights(points.reshape(-1, 3)).reshape(looked.shape)
        looked &= height > OFF_FLOOR_MM
    on_vessel &= looked
    asked = chart.on_border & (_distance_mm(chart, seen) > BEYOND_MM)
    cost = np.zeros(looked.shape)
    cost[asked] = _cost(on_vessel, looked, asked, heights)
    return Band(cost)


def rate(distance_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the share of the usual rate of vessels at distances from a fissure, in mm."""
    outside = 1 / (1 + np.exp((HALF_MM - np.abs(distance_mm)) / EDGE_MM))
    share: npt.NDArray[np.float64] = LEFT_SHARE + (1 - LEFT_SHARE) * outside
    return share


def _cost(
    on_vessel: npt.NDArray[np.bool_],
    looked: npt.NDArray[np.bool_],
    asked: npt.NDArray[np.bool_],
    heights_mm: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the negative log-likelihood of a border at every height of the columns asked for, (N, H)."""
    width = 2 * LOCAL_COLUMNS + 1
    found, length = (
        uniform_filter(seen.sum(axis=2, dtype=np.float64), width, mode="constant")
        for seen in (on_vessel, looked)
    )
    # The columns hold a band themselves: outside it, vessels are more frequent than on average.
    usual = found / np.maximum(length, 1e-3) / rate(heights_mm).mean()
    share = rate(np.arange(-2.0 * REACH_MM, 2 * REACH_MM + 0.5))
    vessels, lung = (seen[asked].astype(np.float64) for seen in (on_vessel, looked))
    surprise = convolve1d(vessels, -np.log(share), axis=1, mode="constant")
    empty = convolve1d(lung, 1 - share, axis=1, mode="constant")
    cost: npt.NDArray[np.float64] = (surprise - usual[asked][:, None] * empty) / TOGETHER
    return cost


def _distance_mm(chart: Chart, seen: SheetPoints) -> npt.NDArray[np.float64]:
    """Return how far each column is from the nearest that holds a point."""
    hit = chart.marked(chart.locate(seen.position_mm)[0])
    if not hit.any():
        return np.full(hit.shape, np.inf)
    return COLUMN_MM * np.asarray(distance_transform_edt(~hit), np.float64)
