import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from qct.segment.parts import Parts, largest

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6))


@given(mask=MASKS)
def test_every_part_has_the_size_centre_box_and_voxels_that_scipy_finds(mask):
    parts = Parts.of(mask)
    numbered, n_parts = ndimage.label(mask)
    assert parts.sizes.size == n_parts + 1
    np.testing.assert_array_equal(parts.numbers(mask), numbered[mask])
    for number, box in enumerate(ndimage.find_objects(numbered), 1):
        one = numbered == number
        assert parts.sizes[number] == one.sum()
        np.testing.assert_allclose(parts.centres[number], ndimage.center_of_mass(one))
        assert parts.box(number) == box
        np.testing.assert_array_equal(parts.cut(number), one[box])
        chosen = np.arange(n_parts + 1) == number
        np.testing.assert_array_equal(parts.mask(chosen), one)
        np.testing.assert_array_equal(parts.voxels(chosen), np.nonzero(one))


@given(mask=MASKS, data=st.data())
def test_parts_are_painted_with_their_values_and_the_background_never(mask, data):
    parts = Parts.of(mask)
    value_of = data.draw(hnp.arrays(np.uint8, parts.sizes.size))
    painted = parts.painted(value_of)
    np.testing.assert_array_equal(painted[mask], value_of[parts.numbers(mask)])
    assert not painted[~mask].any()


@given(values=hnp.arrays(np.uint8, (3, 4, 5), elements=st.integers(0, 2)))
def test_parts_of_labels_have_one_label_each(values):
    parts = Parts.of(values)
    np.testing.assert_array_equal(parts.painted(parts.values), values)


@given(mask=MASKS)
def test_the_largest_part_is_one_part_that_none_exceeds(mask):
    kept = largest(mask)
    sizes = np.bincount(ndimage.label(mask)[0].ravel())[1:]
    assert kept.sum() == sizes.max(initial=0)
    assert ndimage.label(kept)[1] == int(mask.any())
