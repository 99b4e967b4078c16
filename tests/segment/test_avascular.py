"""A lung full of short vessels, but for a band around a level border that no voxel shows."""

import numpy as np
import pytest

from qct.segment.avascular import BEYOND_MM, LEFT_SHARE, REACH_MM, find_band, rate
from qct.segment.bend import bend_off_vessels
from qct.segment.fissures import NO_POINTS, Evidence, LungBox, SheetPoints
from qct.segment.surfaces import Lattice, Surface
from qct.segment.unroll import COLUMN_MM, Chart

SIDE_MM = 100
MIDDLE_MM = SIDE_MM / 2
N_COLUMNS = int(SIDE_MM / COLUMN_MM)


def lung(border_mm, n_vessels=3000, seed=0):
    """Return a box and its evidence: vessels 6 mm long, fewer near the level `border_mm` as on scans."""
    rng = np.random.default_rng(seed)
    shape = (SIDE_MM,) * 3
    on_vessel = np.zeros(shape, bool)
    starts = rng.integers(0, SIDE_MM - 6, (n_vessels, 3))
    kept = rng.random(n_vessels) < rate(starts[:, 0] - border_mm)
    for z, y, x in starts[kept]:
        on_vessel[z : z + 2, y : y + 2, x : x + 6] = True
    box = LungBox(np.zeros(shape, np.float32), np.ones(shape, bool), np.zeros(3))
    return box, Evidence(NO_POINTS, np.ones(shape, bool), np.ones(shape, bool), on_vessel)


def level_chart():
    grid = (N_COLUMNS, N_COLUMNS)
    axes = np.eye(3)[[2, 1, 0]]
    return Chart(axes, np.array([MIDDLE_MM, 0, 0]), np.zeros(grid), np.ones(grid, bool))


def sheet_over(columns):
    """Return points of a clear fissure on the chart's surface, over some columns."""
    at = level_chart().surface_mm()[columns].reshape(-1, 3)
    return SheetPoints(at, np.tile([1.0, 0.0, 0.0], (len(at), 1)), np.full(len(at), 4.0))


@pytest.mark.parametrize("border_mm", [-6.0, 0.0, 7.0])
def test_the_vessels_tell_where_the_border_is(border_mm):
    box, evidence = lung(MIDDLE_MM + border_mm)
    band = find_band(level_chart(), box, evidence, None, NO_POINTS)
    best = band.cost.sum(axis=(0, 1)).argmin() - REACH_MM
    assert abs(best - border_mm) <= 2
    _, rise = bend_off_vessels(level_chart(), NO_POINTS, band)
    assert abs(np.median(rise) - border_mm) < 2


def test_the_surface_stays_on_a_fissure_that_is_seen():
    box, evidence = lung(MIDDLE_MM + 7)
    seen = sheet_over((slice(0, 20), slice(None)))
    band = find_band(level_chart(), box, evidence, None, seen)
    beyond = int(BEYOND_MM / COLUMN_MM)
    assert not band.cost[: 20 + beyond].any()
    assert band.cost[21 + beyond :].any(axis=2).all()
    _, rise = bend_off_vessels(level_chart(), seen, band)
    assert np.abs(rise[:18]).max() < 1
    assert rise[-8:].mean() > 3


def test_vessels_everywhere_or_nowhere_say_little():
    box, evidence = lung(-1000.0)
    _, rise = bend_off_vessels(
        level_chart(), NO_POINTS, find_band(level_chart(), box, evidence, None, NO_POINTS)
    )
    assert np.abs(rise).mean() < 3
    evidence.on_vessel[:] = False
    assert not find_band(level_chart(), box, evidence, None, NO_POINTS).cost.any()


def test_what_lies_below_the_floor_says_nothing():
    box, evidence = lung(MIDDLE_MM)
    lattice = Lattice(np.zeros(3), (26, 26, 26))
    below_all = Surface(lattice, np.full(lattice.shape, -1.0, np.float32))
    assert not find_band(level_chart(), box, evidence, below_all, NO_POINTS).cost.any()


def test_the_band_is_as_it_was_measured():
    assert rate(np.array([0.0]))[0] == pytest.approx(LEFT_SHARE, abs=0.01)
    assert rate(np.array([8.0, -8.0])) == pytest.approx((1 + LEFT_SHARE) / 2)
    assert rate(np.array([26.0]))[0] == pytest.approx(1.0, abs=0.01)
