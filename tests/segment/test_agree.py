"""A fissure is drawn as a trace over a flat chart, with a gap in it."""

import numpy as np

from qct.segment.agree import agreeing
from qct.segment.fissures import NO_POINTS
from qct.segment.follow import Trace
from qct.segment.unroll import Chart

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
