"""Lines of sight meet what their twin says, and nothing is lost on the way."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.kernels import reference_sight as reference

from qct.kernels.sight import look_through

GRIDS = st.tuples(*[st.integers(1, 5)] * 3)


@st.composite
def scans(draw):
    grid = draw(GRIDS)
    hu = draw(hnp.arrays(np.int16, grid, elements=st.sampled_from([-32768, -951, -950, 40])))
    labels = draw(hnp.arrays(np.uint8, grid, elements=st.sampled_from([0, 1, 2, 3, 200])))
    side_of = np.zeros(256, np.uint8)
    side_of[1:] = draw(hnp.arrays(np.uint8, 255, elements=st.integers(0, 2)))
    return hu, labels, side_of, -950


@given(scan=scans())
def test_look_through_agrees_with_its_reference(scan):
    for mine, its in zip(look_through(*scan), reference.look_through(*scan), strict=True):
        np.testing.assert_array_equal(mine, its)


@given(scan=scans())
def test_every_voxel_is_seen_from_the_front_and_from_one_side(scan):
    hu, labels, side_of, low_hu = scan
    front, flanks = look_through(*scan)
    assert front[1].sum() == flanks[:, 1].sum() == np.count_nonzero(side_of[labels])
    assert front[0].sum() == np.count_nonzero(side_of[labels] * (hu < low_hu))
