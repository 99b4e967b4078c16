"""A fissure is drawn as a trace over a flat chart, with a gap in it."""

import numpy as np

from qct.segment.agree import BESIDE_MM, agreeing
from qct.segment.fissures import NO_POINTS, SheetPoints
from qct.segment.follow import Trace
from qct.segment.unroll import COLUMN_MM, Chart

GRID = (60, 60)
GAP = (slice(22, 38), slice(22, 38))


def trace(offset_in_gap_mm, evidence_in_gap, evidence=5.0):
    chart = Chart(np.eye(3)[[2, 1, 0]], np.zeros(3), np.zeros(GRID), np.ones(GRID, bool))
    offset, seen = np.zeros(GRID), np.full(GRID, evidence)
    offset[GAP], seen[GAP] = offset_in_gap_mm, evidence_in_gap
    return Trace(chart, offset, np.zeros((2, *GRID)), seen, np.ones(GRID, bool))


def test_something_faint_that_leaves_a_clear_fissure_is_dropped():
    kept = agreeing(trace(9.0, 2.0), NO_POINTS).seen
    assert not kept[GAP].any()
    assert kept.sum() == kept.size - 16 * 16


def test_a_fainter_stretch_of_the_fissure_is_kept():
    assert agreeing(trace(1.0, 2.0), NO_POINTS).seen.all()


def test_a_fissure_that_is_faint_everywhere_is_left_as_it_is():
    assert agreeing(trace(9.0, 2.0, evidence=2.2), NO_POINTS).seen.all()


def test_nothing_seen_stays_nothing():
    empty = trace(0.0, 0.0)
    empty.seen[:] = False
    assert not agreeing(empty, NO_POINTS).seen.any()


PATCH = (slice(4, 16), slice(4, 16))
FISSURE = (slice(0, 60), slice(30, 60))


def patches(*evidence_of_places):
    """Return a trace of which only some places are seen, each with its evidence."""
    drawn = trace(0.0, 0.0)
    drawn.seen[:] = False
    for place, evidence in evidence_of_places:
        drawn.seen[place], drawn.evidence[place] = True, evidence
    return drawn


def test_a_small_patch_that_no_voxel_shows_is_none():
    assert not agreeing(patches((PATCH, 2.2)), NO_POINTS).seen.any()


def test_a_small_patch_that_single_voxels_show_counts():
    chart = patches().chart
    at = chart.surface_mm()[PATCH].reshape(-1, 3)
    shown = SheetPoints(at, np.repeat(chart.axes[2:], len(at), axis=0), np.ones(len(at)))
    assert agreeing(patches((PATCH, 2.2)), shown).seen[PATCH].all()


def test_voxels_that_show_a_sheet_elsewhere_do_not_speak_for_a_patch():
    chart = patches().chart
    at = chart.surface_mm()[PATCH].reshape(-1, 3) + 4.0 * chart.axes[2]
    aside = SheetPoints(at, np.repeat(chart.axes[2:], len(at), axis=0), np.ones(len(at)))
    assert not agreeing(patches((PATCH, 2.2)), aside).seen.any()


def test_a_small_patch_counts_beside_a_clear_fissure_and_not_far_from_it():
    near = (slice(4, 16), slice(20, 29))
    assert (30 - 24) * COLUMN_MM < BESIDE_MM < (30 - 16) * COLUMN_MM
    assert agreeing(patches((FISSURE, 5.0), (near, 2.2)), NO_POINTS).seen[near].all()
    alone = agreeing(patches((FISSURE, 5.0), (PATCH, 2.2)), NO_POINTS).seen
    assert alone[FISSURE].all()
    assert not alone[PATCH].any()
