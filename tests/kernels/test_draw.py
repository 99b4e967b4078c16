import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from tests.kernels import reference_draw as reference

from qct.kernels.draw import (
    draw_capsules,
    drawn_radius,
    expand_slice,
    fill_blobs,
    mark_capsules,
    thin_share,
)

SEEDS = st.integers(0, 2**32 - 1)

drawn_radius, thin_share = njit(drawn_radius), njit(thin_share)


def scene(seed):
    """A tiny grid, its spacing, and capsules in and around it; one is a point, one lies far outside."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 7, 3))
    spacing = rng.uniform(0.5, 2, 3)
    segments = rng.uniform(-3, 9, (4, 8))
    segments[:, 6:] = rng.uniform(0.05, 3, (4, 2))
    segments[1, 3:6] = segments[1, :3]
    segments[2, :6] += 100
    return rng, shape, spacing, segments


@given(seed=SEEDS)
def test_draw_capsules_agrees_with_its_reference(seed):
    rng, shape, spacing, segments = scene(seed)
    drawn = rng.uniform(-1000, 400, shape).astype(np.float32)
    expected = drawn.astype(np.float64)
    draw_capsules(drawn, segments, 40.0, spacing, 0.8)
    reference.draw_capsules(expected, segments, 40.0, spacing, 0.8)
    np.testing.assert_allclose(drawn, expected, atol=1e-2)


@given(seed=SEEDS)
def test_mark_capsules_agrees_with_its_reference(seed):
    rng, shape, spacing, segments = scene(seed)
    numbers = rng.integers(1, 255, len(segments)).astype(np.uint8)
    marks, expected = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    mark_capsules(marks, segments, numbers, spacing)
    reference.mark_capsules(expected, segments, numbers, spacing)
    np.testing.assert_array_equal(marks, expected)


def blobs(seed):
    rng, shape, spacing, segments = scene(seed)
    state = rng.integers(0, 2, shape).astype(np.uint8)
    rough = rng.standard_normal((8, 8, 8)).astype(np.float32)
    return state, np.ascontiguousarray(segments[:, 3:7]), rough, spacing


@given(seed=SEEDS, wanted=st.integers(0, 60), gap=st.sampled_from([-1.0, 0.0, 1.0]))
def test_fill_blobs_agrees_with_its_reference(seed, wanted, gap):
    state, *scenery = blobs(seed)
    expected = state.copy()
    done = fill_blobs(state, *scenery, (wanted, gap))
    turned, left_out = reference.fill_blobs(expected, *scenery, (wanted, gap))
    assert done[0] == turned
    if turned < wanted:  # else the kernel stops early
        assert done[1] == left_out
    np.testing.assert_array_equal(state, expected)


@given(seed=SEEDS, wanted=st.integers(0, 60))
def test_blobs_turn_never_more_than_wanted_and_count_what_they_turn(seed, wanted):
    state, *scenery = blobs(seed)
    n_turned, _ = fill_blobs(state, *scenery, (wanted, -1.0))
    assert n_turned == np.count_nonzero(state == 2) <= wanted


@pytest.mark.parametrize("radius", [0.1, 0.2, 0.4, 0.5, 0.51, 0.7, 0.99, 1.0, 2.0])
def test_a_rod_keeps_its_mass_per_length_however_thin(radius):
    hu = np.zeros((1, 71, 71), np.float32)
    rod = np.array([[-50.0, 3.53, 3.56, 50.0, 3.53, 3.56, radius, radius]])
    draw_capsules(hu, rod, 1.0, np.array([1.0, 0.1, 0.1]), 1.0)
    assert hu.sum() * 0.01 == pytest.approx(np.pi * radius**2, rel=0.01)


@given(radius=st.floats(1e-3, 5), soft=st.floats(0.1, 2), off=st.floats(0, 5))
def test_a_wider_rod_covers_no_point_less(radius, soft, off):
    def share(r):
        edge = np.clip((drawn_radius(r, soft) - off) / soft + 0.5, 0, 1)
        assert drawn_radius(r, soft) == pytest.approx(
            reference.drawn_radius(np.float64(r), soft), abs=1e-9
        )
        return edge * thin_share(r, soft)

    assert share(radius) <= share(1.001 * radius) + 1e-12


@given(seed=SEEDS, cut=st.floats(0.05, 0.95))
def test_a_tube_cut_in_two_is_drawn_as_the_whole_one(seed, cut):
    _, shape, spacing, segments = scene(seed)
    segments[:, 7] = segments[:, 6]
    ends = segments[:, :3], segments[:, 3:6]
    middle = ends[0] + cut * (ends[1] - ends[0])
    radii = segments[:, 6:]
    halves = np.vstack([np.hstack([ends[0], middle, radii]), np.hstack([middle, ends[1], radii])])
    whole, parts = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    draw_capsules(whole, segments, 1.0, spacing, 0.8)
    draw_capsules(parts, halves, 1.0, spacing, 0.8)
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_a_tapered_tube_in_many_pieces_holds_what_the_whole_one_holds():
    at = np.linspace(0, 1, 9)[:, None]
    line = np.array([[2.0, 4, 4]]) + at * np.array([[16.0, 8, 7]])
    radius = 2.4 - 1.8 * at
    pieces = np.hstack([line[:-1], line[1:], radius[:-1], radius[1:]])
    whole = np.hstack([line[:1], line[-1:], radius[:1], radius[-1:]])
    drawn = []
    for segments in (whole, pieces):
        hu = np.zeros((22, 18, 18), np.float32)
        draw_capsules(hu, segments, 1.0, np.ones(3), 1.0)
        drawn.append(hu)
    assert drawn[1].sum() == pytest.approx(drawn[0].sum(), rel=0.005)


@given(seed=SEEDS)
def test_the_order_of_capsules_does_not_matter_and_twice_is_once(seed):
    rng, shape, spacing, segments = scene(seed)
    drawn = rng.uniform(-1000, 400, shape).astype(np.float32)
    again = drawn.copy()
    draw_capsules(drawn, segments, 40.0, spacing, 0.8)
    draw_capsules(again, np.vstack([segments[::-1], segments]), 40.0, spacing, 0.8)
    np.testing.assert_array_equal(drawn, again)


def weights(rng, n_coarse, n_fine):
    return rng.integers(0, n_coarse - 1, n_fine), rng.uniform(0, 1, n_fine).astype(np.float32)


@given(seed=SEEDS)
def test_expand_slice_agrees_with_its_reference(seed):
    rng = np.random.default_rng(seed)
    field = rng.uniform(-1000, 1000, rng.integers(2, 6, 2)).astype(np.float32)
    args = field, *weights(rng, field.shape[0], 7), *weights(rng, field.shape[1], 5)
    np.testing.assert_allclose(expand_slice(*args), reference.expand_slice(*args), atol=1e-2)


@given(seed=SEEDS)
def test_expand_slice_stays_between_the_extremes_of_the_field(seed):
    rng = np.random.default_rng(seed)
    field = rng.uniform(-1000, 1000, (4, 5)).astype(np.float32)
    fine = expand_slice(field, *weights(rng, 4, 9), *weights(rng, 5, 9))
    assert field.min() - 1e-3 <= fine.min() <= fine.max() <= field.max() + 1e-3
