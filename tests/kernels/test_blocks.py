import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.kernels import reference_blocks

from qct.kernels.blocks import average_blocks, decide_voxels

GRIDS = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=5)
FACTORS = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
PADDING = -32768


@given(data=st.data(), factors=FACTORS)
def test_average_blocks_agrees_with_its_reference(data, factors):
    hu = data.draw(hnp.arrays(np.int16, data.draw(GRIDS)))
    args = (hu, factors, PADDING, -1000)
    np.testing.assert_array_equal(average_blocks(*args), reference_blocks.average_blocks(*args))


@given(data=st.data(), value=st.integers(-1024, 3071), factors=FACTORS)
def test_a_uniform_image_stays_what_it_is(data, value, factors):
    hu = np.full(data.draw(GRIDS), value, np.int16)
    assert (average_blocks(hu, factors, PADDING, -1000) == value).all()


@given(data=st.data(), factors=FACTORS)
def test_decide_voxels_agrees_with_its_reference(data, factors):
    grid = data.draw(GRIDS)
    hu = data.draw(
        hnp.arrays(np.int16, grid, elements=st.sampled_from([PADDING, -900, -401, -400, 40]))
    )
    blocks = tuple(-(-side // factor) for side, factor in zip(grid, factors, strict=True))
    below = data.draw(hnp.arrays(np.uint8, blocks))
    above = data.draw(hnp.arrays(np.uint8, blocks))
    args = (hu, below, above, factors, -400, PADDING)
    np.testing.assert_array_equal(decide_voxels(*args), reference_blocks.decide_voxels(*args))


@given(data=st.data(), factors=FACTORS)
def test_padding_never_gets_a_label(data, factors):
    grid = data.draw(GRIDS)
    ones = np.ones(
        tuple(-(-side // factor) for side, factor in zip(grid, factors, strict=True)), np.uint8
    )
    hu = np.full(grid, PADDING, np.int16)
    assert not decide_voxels(hu, ones, ones, factors, -400, PADDING).any()
