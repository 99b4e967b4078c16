import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels import reference_background as reference

from qct.kernels.background import NOT_LUNG, block_background, block_means, contrast_to

SEEDS = st.integers(0, 2**31)


@settings(max_examples=15)
@given(seed=SEEDS)
def test_block_background_agrees_with_its_reference(seed):
    generator = np.random.default_rng(seed)
    hu = generator.normal(-860, 40, (7, 9, 8)).astype(np.float32)
    hu[generator.random(hu.shape) < 0.2] = generator.uniform(-1300, 300)
    inside = generator.random(hu.shape) < 0.6
    found = block_background(hu, inside, 4, 12)
    np.testing.assert_allclose(found, reference.block_background(hu, inside, 4, 12), rtol=1e-4)


@settings(max_examples=10)
@given(seed=SEEDS, share=st.floats(0.0, 0.25))
def test_vessels_do_not_lift_the_background(seed, share):
    generator = np.random.default_rng(seed)
    hu = generator.normal(-860, 25, (12, 12, 12)).astype(np.float32)
    bright = generator.random(hu.shape) < share
    hu[bright] += generator.uniform(40, 900, np.count_nonzero(bright))
    level, spread = block_background(hu, np.ones(hu.shape, bool), 12, 100)[0, 0, 0]
    assert level == pytest.approx(-860, abs=8)
    assert spread == pytest.approx(25, abs=6)


@settings(max_examples=10)
@given(seed=SEEDS)
def test_contrast_to_agrees_with_its_reference(seed):
    generator = np.random.default_rng(seed)
    hu = generator.uniform(-1000, 100, (7, 9, 8)).astype(np.float32)
    inside = generator.random(hu.shape) < 0.7
    background = generator.uniform(-950, -700, (2, 3, 2)).astype(np.float32)
    found = contrast_to(hu, inside, background, 4)
    expected = reference.contrast_to(hu, inside, background, 4)
    np.testing.assert_allclose(found, expected, atol=1)  # a half may be rounded either way
    np.testing.assert_array_equal(found == NOT_LUNG, ~inside)


@settings(max_examples=10)
@given(seed=SEEDS, trim=st.sampled_from([0.0, 0.1, 0.3]))
def test_block_means_agrees_with_its_reference(seed, trim):
    generator = np.random.default_rng(seed)
    hu = generator.normal(-860, 60, (8, 9, 10)).astype(np.float32)
    inside = generator.random(hu.shape) < 0.95
    taken = generator.random(hu.shape) < 0.3
    found = block_means(hu, inside, taken, (4, 3, 1), trim)
    expected = reference.block_means(hu, inside, taken, (4, 3, 1), trim)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@settings(max_examples=10)
@given(seed=SEEDS, by=st.integers(-60, 60))
def test_a_shift_of_all_hu_shifts_the_means_and_leaves_the_contrast(seed, by):
    generator = np.random.default_rng(seed)
    hu = generator.normal(-860, 30, (9, 9, 9)).astype(np.float32)
    inside, taken = np.ones(hu.shape, bool), np.zeros(hu.shape, bool)
    one, other = (block_means(x, inside, taken, (5, 1, 1), 0.1) for x in (hu, hu + by))
    np.testing.assert_allclose(other, one + by, atol=0.05)
    before, after = (contrast_to(x, inside, m, 5) for x, m in ((hu, one), (hu + by, other)))
    np.testing.assert_allclose(after, before, atol=1)
