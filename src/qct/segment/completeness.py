"""Fissure completeness: the share of a lobe border along which a fissure can be seen."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qct.segment.follow import standard_contrast
from qct.segment.unroll import Slab

PLATE_COLUMNS = 1
"""Radius of the plates, in columns: small, so that gaps in a fissure stay gaps."""

ON_BORDER_MM = 2.0
"""The fissure may lie so far off the border, in mm."""

CONTROL_MM = (5.0, 12.0)
"""What lies so far off the border shows what noise and vessels look like."""

CHANCE = 0.10
"""Share of what lies there that exceeds the threshold."""

LEAST_USABLE = 0.25
"""Share of the border's area that has to be usable."""

LEVEL = np.zeros((1, 2))


@dataclass(frozen=True)
class Completeness:
    """Attributes: `percent` of the border's usable area; `usable`, the share (0 to 1) that is."""

    percent: float
    usable: float


def measure_completeness(slab: Slab) -> Completeness | None:
    """Estimate how much of a border shows its fissure; None if too little of it can be judged."""
    contrast = standard_contrast(slab, PLATE_COLUMNS, LEVEL)
    area = slab.chart.area_mm2()
    usable = slab.usable[..., len(slab.heights_mm) // 2] & (area > 0)
    share = float(area[usable].sum() / max(area.sum(), 1e-9))
    if share < LEAST_USABLE:
        return None
    best = _best_near(contrast, slab.heights_mm, 0.0)
    controls = np.concatenate(
        [_best_near(contrast, slab.heights_mm, s)[usable] for s in _controls()]
    )
    threshold = np.quantile(controls, 1 - CHANCE)
    shown = float(area[usable & (best > threshold)].sum() / area[usable].sum())
    return Completeness(100 * float(np.clip((shown - CHANCE) / (1 - CHANCE), 0, 1)), share)


def _controls() -> list[float]:
    low, high = CONTROL_MM
    return [sign * shift for sign in (-1, 1) for shift in np.arange(low, high + 1, 2.0)]


def _best_near(
    contrast: npt.NDArray[np.float32], heights_mm: npt.NDArray[np.float64], shift_mm: float
) -> npt.NDArray[np.float32]:
    near = np.abs(heights_mm - shift_mm) <= ON_BORDER_MM
    best: npt.NDArray[np.float32] = contrast[..., near].max(axis=2)
    return best
