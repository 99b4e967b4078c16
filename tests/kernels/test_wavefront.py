import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numba import njit
from tests.kernels import reference_wavefront as reference

from qct.kernels.wavefront import (
    AHEAD,
    ENDED,
    FREE,
    LEAKED,
    SPLIT,
    TAKEN,
    is_walled,
    part_front,
    smooth_slices,
    walk_branch,
    without_spurs,
)
from qct.segment.airway_tree import ray_offsets

GRIDS = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=5)
SPACING = np.array([1.0, 1.0, 1.0])
RAYS = ray_offsets(4.0, (1.0, 1.0, 1.0))
ANYWHERE = np.array([-600.0, 100, 0, 1e9, 1e9, 1e9, 100, 4])
"""Rules by which a front enters all that is dark."""

is_walled, part_front, without_spurs = map(njit, (is_walled, part_front, without_spurs))


@given(hu=hnp.arrays(np.int16, GRIDS))
def test_smooth_slices_agrees_with_its_reference(hu):
    np.testing.assert_array_equal(smooth_slices(hu), reference.smooth_slices(hu))


@given(data=st.data())
def test_is_walled_agrees_with_its_reference(data):
    hu = data.draw(hnp.arrays(np.int16, (5, 5, 5), elements=st.integers(-1000, 0)))
    at = tuple(data.draw(st.integers(0, 4)) for _ in range(3))
    depth, least = data.draw(st.integers(0, 900)), data.draw(st.integers(0, 42))
    wanted = reference.is_walled(hu, at, RAYS, 3, depth, least)
    ends, steps = RAYS[:, 2], RAYS[:, :3] @ np.array([25, 5, 1])
    assert is_walled(hu, at, ends, steps, float(depth), float(least)) == wanted


@given(mask=hnp.arrays(bool, GRIDS))
def test_part_front_agrees_with_its_reference_and_takes_every_voxel(mask):
    state = np.where(mask, AHEAD, FREE).astype(np.uint8)
    front = np.flatnonzero(mask)
    np.testing.assert_array_equal(part_front(front, state), reference.part_front(front, mask.shape))
    np.testing.assert_array_equal(state, np.where(mask, TAKEN, FREE))


def test_a_part_of_one_voxel_or_much_smaller_than_the_largest_is_a_spur():
    part = np.repeat([1, 2, 3, 4], [20, 1, 3, 4])
    assert without_spurs(part) == 2
    np.testing.assert_array_equal(np.bincount(part), [4, 20, 4])


@settings(max_examples=40)
@given(data=st.data(), shape=GRIDS)
def test_a_front_enters_what_can_be_reached_in_the_order_of_path_length(data, shape):
    dark = data.draw(hnp.arrays(bool, shape))
    spacing = np.array(data.draw(st.sampled_from([(1.0, 1.0, 1.0), (2.5, 0.7, 0.7)])))
    hu = np.where(dark, -900, 0).astype(np.int16)
    seeds = np.array([data.draw(st.integers(0, dark.size - 1))])
    state = np.zeros(shape, np.uint8)
    state.reshape(-1)[seeds] = TAKEN
    voxels, layer, _, outcome = walk_branch(hu, state, seeds, spacing, RAYS, ANYWHERE)
    length = reference.path_lengths(dark, seeds, spacing).reshape(-1)
    if outcome == ENDED:
        reached = np.flatnonzero((length < np.iinfo(np.int64).max) & (length > 0))
        np.testing.assert_array_equal(np.sort(voxels), reached)
    assert (np.diff(length[voxels]) >= 0).all()
    step = round(10 * float(np.sqrt((spacing**2).sum()))) + 1
    np.testing.assert_array_equal(layer, length[voxels] // step)


def fork(n_arms):
    """A tube of 3 x 3 voxels along z that divides into arms along y at z = 10."""
    hu = np.zeros((21, 41, 9), np.int16)
    hu[:11, 19:22, 3:6] = -950
    for arm in range(n_arms):
        side = slice(0, 22) if arm == 0 else slice(19, 41)
        hu[10:13, side, 3:6] = -950
    return hu


def walk(hu, **changed):
    rules = {
        "lumen": -600,
        "depth": 100,
        "least": 20,
        "voxels": 60,
        "parts": 3,
        "layers": 100,
        "near": 100,
        "steps": 4,
    }
    state = np.zeros(hu.shape, np.uint8)
    state[0] = TAKEN
    seeds = np.flatnonzero(hu[0] < -600)
    numbers = np.array(list((rules | changed).values()), np.float64)
    return walk_branch(hu, state, seeds, SPACING, RAYS, numbers)


def test_a_front_falls_apart_where_the_tube_divides():
    hu = fork(2)
    voxels, layer, part, outcome = walk(hu)
    assert outcome == SPLIT
    last = layer == layer.max()
    assert set(part[last]) == {1, 2}
    y = np.unravel_index(voxels, hu.shape)[1]
    assert y[part == 1].max() < 19 or y[part == 2].max() < 19


def test_a_front_goes_round_a_bend_and_ends_where_the_tube_ends():
    voxels, _, part, outcome = walk(fork(1))
    assert outcome == ENDED
    assert not part.any()
    assert voxels.size == np.count_nonzero(fork(1)[1:])


def test_a_front_that_breaks_into_the_open_has_leaked():
    hu = fork(0)
    hu[11:] = -860
    assert walk(hu, least=0)[3] == LEAKED


def test_no_wall_no_way_but_at_the_edge_of_the_grid():
    hu = np.full((21, 41, 41), -860, np.int16)
    hu[0] = -900
    voxels, _, _, _ = walk(hu, voxels=1e9, parts=1e9)
    _, y, x = np.unravel_index(voxels, hu.shape)
    assert (np.minimum(np.minimum(y, 40 - y), np.minimum(x, 40 - x)) <= 4).all()


def test_rays_without_a_step_close_by_meet_no_wall_there():
    hu = fork(1)
    voxels, _, _, _ = walk(hu, depth=1e9, steps=0)
    np.testing.assert_array_equal(voxels, walk(hu, depth=1e9, near=1e9)[0])
    assert voxels.size < np.count_nonzero(hu[1:])
