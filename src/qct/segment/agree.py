"""Drop what was followed in a gap of a fissure that is seen around it.

In a gap the brightest way runs along whatever is there: vessels, bronchial walls. It is fainter than the
fissure around it, and leaves the plate that the clear parts of the fissure span. Where a fissure is faint
everywhere, all of it is as clear as its best parts, and is left as it is.
"""

from dataclasses import replace

import numpy as np
from scipy.ndimage import distance_transform_edt

from qct.segment.bend import bend
from qct.segment.fissures import SheetPoints
from qct.segment.follow import Trace, number_patches
from qct.segment.unroll import COLUMN_MM

CLEAR_SHARE = 0.75
"""A column is clear if it has this share of the evidence of the best tenth of the columns of its fissure."""

REACH_MM = 1.5
"""A faint patch may lie so far off the plate of the clear columns, in mm, right beside them."""

REACH_PER_MM = 0.15
"""And so much farther per mm of distance from them, as fissures are bent."""


def agreeing(trace: Trace, clear: SheetPoints) -> Trace:
    """Return the trace without the faint patches that contradict its clear parts.

    Parameters
    ----------
    trace : Trace
    clear : SheetPoints
        Points of the same fissure that single voxels show.
    """
    if not trace.seen.any():
        return trace
    best = np.percentile(trace.evidence[trace.seen], 90)
    strong = trace.seen & (trace.evidence >= CLEAR_SHARE * best)
    faint = trace.seen & ~strong
    if not faint.any():
        return trace
    plate = bend(trace.chart, replace(trace, seen=strong).points().joined(clear))
    away = COLUMN_MM * np.asarray(distance_transform_edt(~strong))
    within = np.abs(trace.offset_mm - plate) <= REACH_MM + REACH_PER_MM * away
    patch = number_patches(trace.offset_mm, faint)[faint]
    agrees = np.bincount(patch, within[faint]) > np.bincount(patch) / 2
    seen = strong.copy()
    seen[faint] = agrees[patch]
    return replace(trace, seen=seen)
