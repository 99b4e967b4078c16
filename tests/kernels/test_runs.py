from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.kernels import reference_runs

from qct.kernels import runs
from qct.kernels.runs import find_runs, join_runs, paint_runs

VALUES = st.sampled_from([0, 0, 1, 1, 2, 255])
GRIDS = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=6), elements=VALUES
)


def joined(values):
    return join_runs(*find_runs(values), values.shape[1:])


@given(values=GRIDS, bits=st.sampled_from([255, 1, 6]), at_once=st.sampled_from([1, 20, 1000]))
def test_find_runs_agrees_with_its_reference(values, bits, at_once):
    with patch.object(runs, "AT_ONCE", at_once):
        ends, value = find_runs(values, bits)
    expected = reference_runs.find_runs(values & bits)
    np.testing.assert_array_equal(ends, expected)
    np.testing.assert_array_equal(value, (values & bits).reshape(-1)[expected[0]])


@given(values=GRIDS)
def test_join_runs_agrees_with_its_reference(values):
    (first, _), _ = find_runs(values)
    expected = reference_runs.numbered(values).reshape(-1)[first]
    np.testing.assert_array_equal(joined(values), expected)


@given(values=GRIDS)
def test_a_mirrored_grid_has_as_many_parts(values):
    mirrored = np.ascontiguousarray(values[::-1, :, ::-1])
    assert joined(values).max(initial=0) == joined(mirrored).max(initial=0)


@given(values=GRIDS, data=st.data())
def test_paint_runs_agrees_with_its_reference(values, data):
    ends, _ = find_runs(values)
    value = data.draw(hnp.arrays(np.uint8, len(ends[0])))
    painted = np.full(values.size, 7, np.uint8)
    expected = reference_runs.paint_runs(ends, value, painted)
    paint_runs(ends, value, painted)
    np.testing.assert_array_equal(painted, expected)


@given(values=GRIDS)
def test_runs_painted_with_their_values_are_the_grid(values):
    painted = np.zeros(values.size, np.uint8)
    paint_runs(*find_runs(values), painted)
    np.testing.assert_array_equal(painted.reshape(values.shape), values)
