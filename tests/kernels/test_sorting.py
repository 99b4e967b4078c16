import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from tests.kernels import reference_sorting as reference

from qct.kernels.sorting import sort_first

sort_first = njit(sort_first)


@settings(max_examples=20)
@given(values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=9), data=st.data())
def test_the_first_are_sorted_and_the_others_stay(values, data):
    n = data.draw(st.integers(0, len(values)))
    found, expected = np.array(values), np.array(values)
    sort_first(found, n)
    reference.sort_first(expected, n)
    np.testing.assert_array_equal(found, expected)
