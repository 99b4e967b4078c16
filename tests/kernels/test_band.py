import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels import reference_band as reference

from qct.kernels.band import solve_band


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 12), width=st.integers(1, 6))
def test_solve_band_agrees_with_its_reference(seed, n, width):
    generator = np.random.default_rng(seed)
    band = generator.uniform(-1, 1, (n, width))
    band[:, 0] = 2 * width  # outweighs its row: positive definite
    right = generator.uniform(-100, 100, n)
    expected = reference.solve_band(band, right)
    found = right.copy()
    solve_band(band, found)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31))
def test_what_lies_below_the_matrix_is_ignored(seed):
    generator = np.random.default_rng(seed)
    band = generator.uniform(-1, 1, (5, 3))
    band[:, 0] = 6.0
    right = generator.uniform(-1, 1, 5)
    marked = band.copy()
    marked[3, 2] = marked[4, 1:] = np.nan
    once, again = right.copy(), right.copy()
    solve_band(band, once)
    solve_band(marked, again)
    np.testing.assert_array_equal(once, again)
