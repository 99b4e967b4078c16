import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from tests.kernels import reference_queues as reference

from qct.kernels.queues import doubled, put_last, take_first

doubled, put_last, take_first = map(njit, (doubled, put_last, take_first))

N_LEVELS = 3


@given(
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, N_LEVELS - 1)), max_size=30),
    kind=st.sampled_from([np.int32, np.int64]),
)
def test_queues_are_those_of_python(steps, kind):
    behind = np.zeros(len(steps), kind)
    heads, tails = np.full((2, N_LEVELS), -1, np.int64)
    theirs = reference.Queues(N_LEVELS)
    for entry, (puts, level) in enumerate(steps):
        if puts:
            put_last(behind, heads, tails, level, entry)
            theirs.put_last(level, entry)
        else:
            assert take_first(behind, heads, tails, level) == theirs.take_first(level)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_an_array_twice_as_long_begins_with_the_values_and_ends_in_zeros(n):
    values = np.arange(3, 3 + n)
    np.testing.assert_array_equal(doubled(values), reference.doubled(values))
