"""Drop what was followed where no fissure is.

Noise and vessels make patches, too: slabs far from any fissure of two scans and of digital chests hold one or
two each. They are small, and single voxels hardly show a sheet in them; a patch that is neither large nor shown
by voxels counts only if it goes on from one that is.

In a gap of a fissure the brightest way runs along whatever is there: vessels, bronchial walls. It is fainter
than the fissure around it, and leaves the plate that the clear parts of the fissure span. Where a fissure is
faint everywhere, all of it is as clear as its best parts, and is left as it is.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from qct.segment.bend import bend
from qct.segment.fissures import SheetPoints
from qct.segment.follow import Trace, number_patches
from qct.segment.unroll import COLUMN_MM

LEAST_ALONE = 500.0
"""Evidence of a patch that stands for itself where single voxels show nothing of it. Of 33 slabs far from any
fissure, on two scans and a digital chest, 7 hold such a patch, 27 one of `follow.LEAST_PATCH`."""

SHOWN_FACTOR = 2.0
"""A patch all of whose columns single voxels show needs less by one plus this."""

SHOWN_MM = 1.5
"""Voxels show the fissure of a column if they lie so close to where it was followed."""

BESIDE_MM = 16.0
"""A patch that does not stand for itself lies no farther than this from one that does, in mm."""

CLEAR_SHARE = 0.75
"""A column is clear if it has this share of the evidence of the best tenth of the columns of its fissure."""

REACH_MM = 1.5
"""A faint patch may lie so far off the plate of the clear columns, in mm, right beside them."""

REACH_PER_MM = 0.15
"""And so much farther per mm of distance from them, as fissures are bent."""


def agreeing(trace: Trace, clear: SheetPoints) -> Trace:
    """Return the trace without the patches that nothing speaks for, or that its clear parts contradict.

    Parameters
    ----------
    trace : Trace
    clear : SheetPoints
        Points of the same fissure that single voxels show.
    """
    standing = _standing(trace, clear)
    if not standing.any():
        return replace(trace, seen=standing)
    best = np.percentile(trace.evidence[standing], 90)
    strong = standing & (trace.evidence >= CLEAR_SHARE * best)
    faint = trace.seen & ~strong
    if not faint.any():
        return trace
    plate = bend(trace.chart, replace(trace, seen=strong).points().joined(clear))
    away = COLUMN_MM * np.asarray(distance_transform_edt(~strong))
    beside = standing | (COLUMN_MM * np.asarray(distance_transform_edt(~standing)) <= BESIDE_MM)
    within = beside & (np.abs(trace.offset_mm - plate) <= REACH_MM + REACH_PER_MM * away)
    patch = number_patches(trace.offset_mm, faint)[faint]
    agrees = np.bincount(patch, within[faint]) > np.bincount(patch) / 2
    seen = strong.copy()
    seen[faint] = agrees[patch]
    return replace(trace, seen=seen)


def _standing(trace: Trace, clear: SheetPoints) -> npt.NDArray[np.bool_]:
    """Mark the patches that stand for themselves."""
    if not trace.seen.any():
        return trace.seen
    patch = number_patches(trace.offset_mm, trace.seen)[trace.seen]
    shown = np.bincount(patch, _shown(trace, clear)[trace.seen]) / np.bincount(patch)
    evidence = np.bincount(patch, trace.evidence[trace.seen])
    standing = trace.seen.copy()
    standing[trace.seen] = (evidence * (1 + SHOWN_FACTOR * shown) >= LEAST_ALONE)[patch]
    return standing


def _shown(trace: Trace, clear: SheetPoints) -> npt.NDArray[np.bool_]:
    """Mark the columns where single voxels show what was followed."""
    shown = np.zeros(trace.seen.shape, bool)
    columns, offset = trace.chart.locate(clear.position_mm)
    index = np.rint(columns).astype(np.int64)
    on_grid = ((index >= 0) & (index < np.reshape(shown.shape, (2, 1)))).all(axis=0)
    at = tuple(index[:, on_grid])
    near = np.abs(offset[on_grid] - trace.offset_mm[at]) <= SHOWN_MM
    shown[tuple(row[near] for row in at)] = True
    return shown
