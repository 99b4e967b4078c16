import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.kernels import reference_balls

from qct.kernels.balls import reach, touch

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6))
STEPS = st.sampled_from([0.7, 1.0, 1.25, 3.0])
RADII = st.sampled_from([0.0, 0.9, 1.5, 3.1, 7.0])


@given(mask=MASKS, radius_mm=RADII, spacing_mm=st.tuples(STEPS, STEPS, STEPS))
def test_reach_agrees_with_its_reference(mask, radius_mm, spacing_mm):
    np.testing.assert_array_equal(
        reach(mask, radius_mm, spacing_mm), reference_balls.reach(mask, radius_mm, spacing_mm)
    )


@given(
    x=st.lists(st.integers(0, 199), min_size=1, max_size=4),
    radius_mm=st.sampled_from([0.0, 1.0, 3.1, 70.0]),
)
def test_reach_goes_from_word_to_word_along_a_row_and_never_into_the_next(x, radius_mm):
    mask = np.zeros((1, 2, 200), bool)
    mask[0, 0, x] = True
    spacing_mm = (1.0, 1000.0, 1.0)
    expected = reference_balls.reach(mask, radius_mm, spacing_mm)
    np.testing.assert_array_equal(reach(mask, radius_mm, spacing_mm), expected)


@given(mask=MASKS)
def test_touch_agrees_with_its_reference(mask):
    np.testing.assert_array_equal(touch(mask), reference_balls.touch(mask))


@given(mask=MASKS, radius_mm=RADII)
def test_reach_is_a_dilation(mask, radius_mm):
    reached = reach(mask, radius_mm, (1.0, 1.0, 1.0))
    assert (reached >= mask).all()
    assert reached.any() == mask.any()
