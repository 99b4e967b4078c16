import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qct.measure.thirds import layers, third_by_height, third_of
from qct.regions import Label, Slab

SLICES = st.lists(st.integers(0, 50), max_size=30).map(lambda n: np.array(n, np.int64))


def test_equal_slices_make_equal_thirds():
    assert third_of(np.full(6, 40)).tolist() == [0, 0, 1, 1, 2, 2]


@given(per_slice=SLICES)
def test_thirds_are_counted_from_the_diaphragm(per_slice):
    assert (np.diff(third_of(per_slice).astype(int)) >= 0).all()


@given(per_slice=SLICES)
def test_a_third_misses_its_volume_by_no_more_than_one_slice(per_slice):
    slabs = third_of(per_slice)
    for slab in Slab:
        assert abs(per_slice[slabs == slab].sum() - per_slice.sum() / 3) <= per_slice.max(initial=0)


def test_each_lung_is_cut_by_itself():
    per_slice = np.zeros((32, 6), np.int64)
    per_slice[Label.RIGHT_UPPER_LOBE, :3] = 10
    per_slice[Label.LEFT_UPPER_LOBE, 3:] = 10
    cut = layers(per_slice)
    for way in range(2):
        slab_of = cut.slabs[way][np.arange(32)[:, None], cut.layer_of]
        assert slab_of[Label.RIGHT_LOWER_LOBE].tolist() == [0, 1, 2, 2, 2, 2]
        assert slab_of[Label.LEFT_LOWER_LOBE].tolist() == [0, 0, 0, 0, 1, 2]
    assert not cut.layer_of[Label.AIRWAY].any()


def test_thirds_by_height_part_the_slices_from_the_lowest_to_the_highest():
    assert third_by_height(np.array([0, 1, 50, 50, 50, 0, 1, 0])).tolist() == [
        0,
        0,
        0,
        1,
        1,
        2,
        2,
        2,
    ]


@given(per_slice=SLICES)
def test_the_layers_tell_both_kinds_of_thirds(per_slice):
    counts = np.zeros((32, per_slice.size), np.int64)
    counts[Label.LEFT_LUNG] = per_slice
    cut = layers(counts)
    for way, slabs in enumerate((third_of(per_slice), third_by_height(per_slice))):
        np.testing.assert_array_equal(
            cut.slabs[way, Label.LEFT_LUNG][cut.layer_of[Label.LEFT_LUNG]], slabs
        )
