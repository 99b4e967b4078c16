import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.kernels import reference_flood

from qct.kernels.flood import flood_in_order, flood_markers

GRIDS = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=4)
LOWEST, HIGHEST = 0, 6


def grid_and_seed(data):
    grid = data.draw(GRIDS)
    hu = data.draw(hnp.arrays(np.int16, grid, elements=st.integers(-2, 9)))
    seed = tuple(data.draw(st.integers(0, side - 1)) for side in grid)
    hu[seed] = min(hu[seed], HIGHEST)
    return hu, seed


@given(data=st.data())
def test_a_flood_in_order_answers_for_every_threshold(data):
    hu, seed = grid_and_seed(data)
    voxels, levels, _ = flood_in_order(hu, seed, LOWEST, HIGHEST, hu.size)
    found = np.full(hu.size, HIGHEST + 1)
    found[voxels] = levels
    expected = reference_flood.levels_in_order(np.maximum(hu, LOWEST), seed, LOWEST, HIGHEST)
    np.testing.assert_array_equal(found.reshape(hu.shape), expected)


@given(data=st.data())
def test_every_voxel_but_the_seed_was_wetted_from_a_wet_neighbour(data):
    hu, seed = grid_and_seed(data)
    voxels, levels, parents = flood_in_order(hu, seed, LOWEST, HIGHEST, hu.size)
    assert len(np.unique(voxels)) == len(voxels)
    assert (np.diff(levels) >= 0).all()
    assert parents[0] == -1
    where = np.array(np.unravel_index(voxels, hu.shape)).T
    steps = np.abs(where[1:] - where[parents[1:]]).sum(axis=1)
    assert (steps == 1).all()
    assert (parents[1:] < np.arange(1, len(voxels))).all()


def test_a_flood_stops_at_its_limit_of_voxels():
    hu = np.zeros((30, 30, 30), np.int16)
    voxels, _, _ = flood_in_order(hu, (0, 0, 0), 0, 1, 5000)  # more than the queue starts with
    assert len(voxels) == 5000


@given(data=st.data())
def test_each_voxel_goes_to_a_marker_that_reaches_it_over_the_lowest_pass(data):
    grid = data.draw(GRIDS)
    hu = data.draw(hnp.arrays(np.int16, grid, elements=st.integers(-2, 9)))
    markers = data.draw(hnp.arrays(np.uint8, grid, elements=st.sampled_from([0, 0, 0, 1, 2])))
    basins = flood_markers(hu, markers, LOWEST, HIGHEST)
    passes = {n: reference_flood.lowest_pass(hu, markers, n, LOWEST, HIGHEST) for n in (1, 2)}
    lowest = np.minimum(passes[1], passes[2])
    free = markers == 0
    np.testing.assert_array_equal(basins[free] > 0, lowest[free] <= HIGHEST)
    np.testing.assert_array_equal(basins[~free], markers[~free])


def test_two_floods_meet_on_the_bright_sheet_between_them():
    hu = np.full((5, 5, 9), -850, np.int16)
    hu[:, :, 6] = -500
    markers = np.zeros(hu.shape, np.uint8)
    markers[2, 2, 0], markers[2, 2, 8] = 1, 2
    basins = flood_markers(hu, markers, -1024, -400)
    assert (basins[:, :, :6] == 1).all()
    assert (basins[:, :, 7:] == 2).all()
