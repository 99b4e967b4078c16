import numpy as np
import pytest
from numba import njit
from tests.kernels import reference_growth as reference

from qct.kernels.growth import doubled


@pytest.mark.parametrize("n", [0, 1, 5])
def test_an_array_twice_as_long_begins_with_the_values_and_ends_in_zeros(n):
    values = np.arange(3, 3 + n)
    np.testing.assert_array_equal(njit(doubled)(values), reference.doubled(values))
