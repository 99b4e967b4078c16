"""Fissure completeness: the share of a lobe border along which a fissure can be seen.

It is counted where a fissure could be seen at all: off vessels and off the rim of the lung. What noise and
vessels show beside the border is taken off. It needs lobe labels only, whoever drew them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qct.segment.follow import Trace, standard_contrast
from qct.segment.unroll import Slab

PLATE_COLUMNS = 1
"""Radius of the plates, in columns: small, so that gaps in a fissure stay gaps."""

ON_BORDER_MM = 2.0
"""The fissure may lie so far off the border, in mm."""

CONTROL_MM = (5.0, 12.0)
"""What lies so far off the border shows what noise and vessels look like."""

CHANCE = 0.10
"""Share of what lies there that exceeds the threshold."""

LEAST_DETECTED = 0.5
"""Share of fissure that exceeds the threshold, at least: where it is seen so badly, the estimate stays low."""

LEAST_USABLE = 0.25
"""Share of the border's area that has to be usable."""

COMPLETE_PERCENT, NEARLY_PERCENT = 95.0, 80.0
"""Bands that valve planning distinguishes (to be confirmed against the protocol in use)."""

_LEVEL = np.zeros((1, 2))


@dataclass(frozen=True)
class Completeness:
    """How much of a border shows its fissure.

    Attributes
    ----------
    percent : float
        Of the border's usable area.
    usable : float
        Share (0 to 1) of the border's area in which a fissure could be seen.
    """

    percent: float
    usable: float

    @property
    def band(self) -> str:
        """``complete`` (95 % and more), ``nearly complete`` (80 % and more) or ``incomplete``."""
        if self.percent >= COMPLETE_PERCENT:
            return "complete"
        return "nearly complete" if self.percent >= NEARLY_PERCENT else "incomplete"


def measure_completeness(slab: Slab, trace: Trace) -> Completeness | None:
    """Estimate how much of a border shows its fissure; None if too little of it can be judged.

    A share d of the columns that show a fissure exceeds the threshold, and a share c = `CHANCE` of those that
    do not; of all columns s do. Then (s - c) / (d - c) show one. d is read where the fissure was followed.
    Plates smear the rim of gaps: on drawn sheets the estimate is up to 9 points high, most near 70 percent.
    """
    contrast = standard_contrast(slab, PLATE_COLUMNS, _LEVEL)
    area = slab.chart.area_mm2()
    usable = slab.usable[..., len(slab.heights_mm) // 2] & (area > 0)
    share = float(area[usable].sum() / max(area.sum(), 1e-9))
    if share < LEAST_USABLE:
        return None
    best = _best_near(contrast, slab.heights_mm, 0.0)
    controls = np.concatenate(
        [_best_near(contrast, slab.heights_mm, s)[usable] for s in _controls()]
    )
    shown = best > np.quantile(controls, 1 - CHANCE)
    seen = usable & trace.seen & (np.abs(trace.offset_mm) <= ON_BORDER_MM)
    detected = max(_share(shown, area, seen), LEAST_DETECTED)
    percent = 100 * (_share(shown, area, usable) - CHANCE) / (detected - CHANCE)
    return Completeness(float(np.clip(percent, 0, 100)), share)


def _share(
    shown: npt.NDArray[np.bool_], area: npt.NDArray[np.float64], part: npt.NDArray[np.bool_]
) -> float:
    return float(area[shown & part].sum() / max(area[part].sum(), 1e-9))


def _controls() -> list[float]:
    low, high = CONTROL_MM
    return [sign * shift for sign in (-1, 1) for shift in np.arange(low, high + 1, 2.0)]


def _best_near(
    contrast: npt.NDArray[np.float32], heights_mm: npt.NDArray[np.float64], shift_mm: float
) -> npt.NDArray[np.float32]:
    near = np.abs(heights_mm - shift_mm) <= ON_BORDER_MM
    best: npt.NDArray[np.float32] = contrast[..., near].max(axis=2)
    return best
