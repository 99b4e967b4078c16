import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from scipy.stats import ncx2
from tests.kernels import reference_tubes as reference

from qct.kernels.tubes import PER_UNIT, SPAN, find_edges, fit_walls, read_disc, sample_rays
from qct.measure.airways import disc_table

STEP_MM = 0.2
DISTANCE = np.arange(0, 9, STEP_MM)

read_disc = njit(read_disc)


def disc(distance, radius):
    return ncx2.cdf(radius**2, 2, distance**2)


def profile(inner, outer, blur=0.6, lumen=-990.0, wall=20.0, beyond=-860.0):
    return reference.annulus(DISTANCE, inner, outer, blur, lumen, wall, beyond, disc)


@given(seed=st.integers(0, 2**32 - 1))
def test_sample_rays_agrees_with_its_reference(seed):
    rng = np.random.default_rng(seed)
    hu = rng.integers(-1024, 3000, rng.integers(2, 6, 3)).astype(np.int16)
    frames, turns = rng.uniform(-3, 7, (3, 3, 3)), rng.uniform(-1, 1, (4, 2))
    radii = np.arange(0, 3, 0.5)
    np.testing.assert_allclose(
        sample_rays(hu, frames, turns, radii),
        reference.sample_rays(hu, frames, turns, radii),
        atol=0.01,
    )


@given(inner=st.floats(1.0, 4.0), wall=st.floats(0.5, 2.0))
def test_find_edges_agrees_with_its_reference(inner, wall):
    line = profile(inner, inner + wall)
    edges = find_edges(line[None].astype(np.float32), STEP_MM, 3.0)[0]
    peak = int(np.argmax(line))
    line = line[: peak + 16]  # the reach of 3 mm
    np.testing.assert_allclose(edges[[0, 2]], reference.half_maximum(line, STEP_MM), atol=0.02)


def test_the_edges_of_a_jagged_profile_lie_halfway_between_its_darkest_values_and_its_peak():
    line = np.array([[-900, -890, -950, -200, 0, -400, -860, -850, -840]], np.float32)
    inner, peak, outer, top, foot = find_edges(line, 1.0, 3.0)[0]
    assert (peak, top, foot) == (4, 0, -860)
    assert inner == pytest.approx(2 + (950 - 475) / 750)
    assert outer == pytest.approx(5 + 30 / 460)


def test_find_edges_finds_no_wall_where_nothing_rises():
    edges = find_edges(np.full((1, 20), -850, np.float32), STEP_MM, 3.0)
    assert np.isnan(edges).all()


@given(radius=st.floats(0, 11.9), off=st.floats(-5.9, 5.9))
def test_read_disc_is_the_chance_of_a_normal_variate_to_fall_into_the_disc(radius, off):
    distance = abs(radius + off)
    assert read_disc(disc_table(), distance, radius) == pytest.approx(
        disc(distance, max(radius, 1e-9)), abs=2e-3
    )


def test_the_disc_table_reaches_as_far_as_it_says():
    assert disc_table().shape == (121, 2 * SPAN * PER_UNIT + 1)


@given(inner=st.floats(0.8, 5.0), wall=st.floats(0.3, 2.0), blur=st.floats(0.4, 0.9))
def test_fit_walls_finds_the_annulus_that_was_blurred(inner, wall, blur):
    line = profile(inner, inner + wall, blur)
    about = np.array(
        [[inner + 0.3, inner + wall + 0.5, blur, 20.0, -860.0, inner + wall + 2, STEP_MM, -990.0]]
    )
    found = fit_walls(line[None].astype(np.float32), disc_table(), about)[0]
    np.testing.assert_allclose(found[:2], (inner, inner + wall), atol=0.05)
    assert found[2] < 6


def test_fit_walls_agrees_with_a_simplex_search_on_a_noisy_profile():
    line = profile(2.0, 2.8) + np.random.default_rng(1).normal(0, 25, DISTANCE.size)
    about = np.array([[1.6, 3.2, 0.6, 20.0, -860.0, 4.4, STEP_MM, -990.0]])
    used = DISTANCE <= 4.4

    def model(distance, inner, outer):
        return reference.annulus(distance, inner, outer, 0.6, -990.0, 20.0, -860.0, disc)

    wanted = reference.fit_wall(line[used], DISTANCE[used], (1.6, 3.2), model)
    found = fit_walls(line[None].astype(np.float32), disc_table(), about)[0]
    np.testing.assert_allclose(found[:2], wanted, atol=0.04)
