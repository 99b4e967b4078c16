import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.kernels import reference_histogram as reference

from qct.kernels.histogram import BLOCK, RUN, count_hu, count_labels

PADDING = -32768
BINS = (-1024, 64, PADDING)
SLICES = st.tuples(st.integers(0, 4), st.integers(0, 2 * RUN + 3))


@st.composite
def scans(draw, n_labels=32):
    """HU over the whole int16 range, labels in runs, a slab per label and slice."""
    nz, n = draw(SLICES)
    hu = draw(hnp.arrays(np.int16, (nz, n)))
    fill = st.integers(0, n_labels - 1)
    labels = draw(hnp.arrays(np.uint8, (nz, n), elements=fill, fill=fill))
    slab_of = draw(hnp.arrays(np.uint8, (n_labels, nz), elements=st.integers(0, 2)))
    return hu, labels, slab_of


@given(scan=scans())
def test_count_hu_agrees_with_its_reference(scan):
    np.testing.assert_array_equal(count_hu(*scan, 3, BINS), reference.count_hu(*scan, 3, BINS))


@given(labels=SLICES.flatmap(lambda shape: hnp.arrays(np.uint8, shape)))
def test_count_labels_agrees_with_its_reference(labels):
    np.testing.assert_array_equal(count_labels(labels), reference.count_labels(labels))


@given(scan=scans())
def test_count_hu_loses_no_voxel_but_padding(scan):
    hu, labels, _ = scan
    assert count_hu(*scan, 3, BINS).sum() == np.count_nonzero((labels > 0) & (hu != PADDING))


@given(scan=scans())
def test_count_hu_does_not_depend_on_the_order_of_slices(scan):
    hu, labels, slab_of = (array[..., ::-1, :] for array in (*scan[:2], scan[2].T))
    flipped = [np.ascontiguousarray(array) for array in (hu, labels, slab_of.T)]
    np.testing.assert_array_equal(count_hu(*scan, 3, BINS), count_hu(*flipped, 3, BINS))


@pytest.mark.parametrize("threads", [1, 2])
def test_count_hu_is_the_same_at_any_number_of_threads(threads):
    rng = np.random.default_rng(20)
    hu = rng.integers(-1100, 300, (9, 700), np.int16)
    labels = np.repeat(rng.integers(0, 20, (9, 70), np.uint8), 10, axis=1)
    slab_of = rng.integers(0, 3, (32, 9), np.uint8)
    want = reference.count_hu(hu, labels, slab_of, 3, (-2048, 6144, PADDING))
    before = numba.get_num_threads()
    numba.set_num_threads(min(threads, before))
    try:
        got = count_hu(hu, labels, slab_of, 3, (-2048, 6144, PADDING))
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(got, want)


def test_blocks_of_background_are_passed_over_and_nothing_else():
    rng = np.random.default_rng(21)
    n = 4 * BLOCK + 17
    hu = rng.integers(-1100, 300, (3, n), np.int16)
    labels = np.zeros((3, n), np.uint8)
    labels[0, BLOCK + 5], labels[1, 2 * BLOCK - 1], labels[2, -1] = 3, 4, 5
    labels[1, 3 * BLOCK : 3 * BLOCK + 300] = 1
    slab_of = rng.integers(0, 3, (6, 3), np.uint8)
    np.testing.assert_array_equal(
        count_hu(hu, labels, slab_of, 3, BINS), reference.count_hu(hu, labels, slab_of, 3, BINS)
    )
    np.testing.assert_array_equal(count_labels(labels), reference.count_labels(labels))
