import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels import reference_plates as reference

from qct.kernels import plates

TILTS = np.array([(0.0, 0.0), (0.8, 0.0), (-0.8, 0.8)])
STEPS = np.array([0.0, 0.4, 1.0], np.float32)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31))
def test_unroll_columns_agrees_with_its_reference(seed):
    generator = np.random.default_rng(seed)
    hu = generator.uniform(-950, -700, (6, 7, 8)).astype(np.float32)
    usable = generator.random(hu.shape) < 0.7
    feet = generator.uniform(-1, 7, (3, 4, 3))
    heights = np.arange(-3.0, 4.0)
    up = np.array([0.6, 0.0, 0.8])
    found = plates.unroll_columns(hu, usable, feet, up, heights, 120.0)
    expected = reference.unroll_columns(hu, usable, feet, up, heights, 120.0)
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_allclose(found[0], expected[0], atol=1e-2)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31), n_heights=st.sampled_from([2, 9]))
def test_plate_contrast_agrees_with_its_reference(seed, n_heights):
    generator = np.random.default_rng(seed)
    hu = generator.uniform(-100, 100, (4, 5, n_heights)).astype(np.float32)
    usable = generator.random(hu.shape) < 0.8
    hu[~usable] = np.nan  # what is not usable is not read
    found = plates.plate_contrast(hu, usable, 1, TILTS, 2, 0.5)
    expected = reference.plate_contrast(hu, usable, 1, TILTS, 2, 0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31))
def test_follow_plates_agrees_with_its_reference(seed):
    cost = np.random.default_rng(seed).uniform(-3, 0, (4, 5, 6)).astype(np.float32)
    found = plates.follow_plates(cost, STEPS)
    np.testing.assert_allclose(found, reference.follow_plates(cost, STEPS), atol=1e-4)


@settings(max_examples=10)
@given(height=st.integers(4, 15), slope=st.sampled_from([-0.5, 0.0, 0.5]))
def test_a_faint_plate_is_followed_through_the_gaps_that_noise_tears(height, slope):
    generator = np.random.default_rng(height)
    hu = generator.normal(0, 30, (24, 24, 20)).astype(np.float32)
    true = np.clip(np.rint(height + slope * (np.arange(24) - 12)), 3, 16).astype(int)
    for u in range(24):
        hu[u, :, true[u]] += 40
    contrast = plates.plate_contrast(hu, np.ones(hu.shape, bool), 2, TILTS, 3, 0.5)
    cost = -np.clip(np.nan_to_num(contrast) / 10, 0, 5).astype(np.float32)
    found = plates.follow_plates(cost, STEPS).argmin(axis=2)
    assert np.mean(np.abs(found - true[:, None]) <= 1) > 0.8
