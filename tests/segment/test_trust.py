"""Traces over a flat border of 120 x 120 mm: how much they tell about it."""

import numpy as np
import pytest

from qct.regions import Fissure
from qct.segment.follow import Trace
from qct.segment.trust import (
    AVERAGE_ERROR,
    FOLLOWED_ERROR,
    PARTLY_SUPPORTED,
    POPULATION_AVERAGE,
    SUPPORTED,
    Coverage,
    judge,
    measure_coverage,
)
from qct.segment.unroll import Chart

GRID = (60, 60)
CHART = Chart(np.eye(3)[[2, 1, 0]], np.zeros(3), np.zeros(GRID), np.ones(GRID, bool))


def coverage_of(seen, offset_mm=0.0):
    offset = np.full(GRID, offset_mm)
    trace = Trace(CHART, offset, np.zeros((2, *GRID)), np.full(GRID, 5.0), seen)
    return measure_coverage(CHART, trace)


def one_half():
    seen = np.zeros(GRID, bool)
    seen[:30] = True
    return seen


def stripes():
    seen = np.zeros(GRID, bool)
    seen[np.arange(60) % 20 < 10] = True
    return seen


def support_of(coverage):
    return judge(Fissure.RIGHT_HORIZONTAL, coverage, 1.0, None).support


def test_a_fissure_seen_in_many_places_tells_more_than_one_half_of_it():
    half, spread = coverage_of(one_half()), coverage_of(stripes())
    assert one_half().sum() == stripes().sum()
    assert half.unknown > 3 * spread.unknown
    assert support_of(half) == PARTLY_SUPPORTED
    assert support_of(spread) == SUPPORTED


def test_what_is_unknown_grows_with_the_distance_from_what_was_followed():
    away = np.maximum(np.arange(60) - 29, 0) * 2.0
    expected = np.mean(1 - np.exp(-away / 60))
    assert coverage_of(one_half()).unknown == pytest.approx(expected)


def test_a_fissure_followed_beside_the_border_makes_nothing_known():
    coverage = coverage_of(np.ones(GRID, bool), offset_mm=5.0)
    assert coverage.unknown == 1
    assert coverage.beside_fissure == 1
    assert support_of(coverage) == POPULATION_AVERAGE


@pytest.mark.parametrize(
    ("unknown", "error"),
    [(0.0, FOLLOWED_ERROR), (1.0, AVERAGE_ERROR[Fissure.RIGHT_HORIZONTAL])],
)
def test_the_error_lies_between_followed_and_average(unknown, error):
    fit = judge(Fissure.RIGHT_HORIZONTAL, Coverage(0.4, 0.0, 5000.0, unknown), 1.0, None)
    assert fit.error_mm == pytest.approx(error.distance_mm, abs=0.05)
    assert fit.volume_error_ml == pytest.approx(5 * error.offset_mm, abs=0.05)
