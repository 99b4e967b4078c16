"""The decoders agree with their twins, and decode what an encoder wrote."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.kernels import reference_pixels as reference

from qct.kernels.compiled import read_only
from qct.kernels.pixels import decode_lossless_jpeg, pack_runs, unpack_runs

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6)


@st.composite
def tables(draw):
    """All 17 categories in any order, with code lengths that leave the code of all ones free."""
    categories = np.array(draw(st.permutations(range(17))), np.int64)
    counts = np.zeros(16, np.int64)
    kinds = {"even": {5: 17}, "short": {2: 2, 3: 2, 5: 3, 8: 10}, "long": {1: 1, 11: 6, 16: 10}}
    for length, count in kinds[draw(st.sampled_from(sorted(kinds)))].items():
        counts[length - 1] = count
    return counts, categories


@st.composite
def scans(draw, n_columns):
    interval = draw(st.sampled_from([0, n_columns, 2 * n_columns]))
    return draw(st.integers(1, 7)), draw(st.sampled_from([1 << 15, 1 << 11])), interval


@given(data=st.data(), shape=SHAPES, table=tables())
def test_what_was_encoded_is_decoded(data, shape, table):
    pixels = data.draw(hnp.arrays(np.uint16, shape))
    scan = data.draw(scans(shape[1]))
    coded = reference.encode_lossless_jpeg(pixels, *table, scan)
    decoded, n = decode_lossless_jpeg(np.frombuffer(coded, np.uint8), *table, shape, scan)
    assert n == pixels.size
    np.testing.assert_array_equal(decoded, pixels)


@given(data=st.data(), shape=SHAPES, table=tables())
def test_decode_agrees_with_its_reference_on_whole_and_cut_images(data, shape, table):
    pixels = data.draw(hnp.arrays(np.uint16, shape))
    scan = data.draw(scans(shape[1]))
    coded = reference.encode_lossless_jpeg(pixels, *table, scan)
    cut = np.frombuffer(coded[: data.draw(st.integers(1, len(coded)))], np.uint8)
    args = (cut, *table, shape, scan)
    mine, n_mine = decode_lossless_jpeg(*args)
    its, n_its = reference.decode_lossless_jpeg(*args)
    assert n_mine == n_its
    np.testing.assert_array_equal(mine, its)
    assert n_mine <= pixels.size


@given(data=hnp.arrays(np.uint8, st.integers(0, 60)), table=tables())
def test_no_bytes_lead_out_of_the_image(data, table):
    pixels, n = decode_lossless_jpeg(data, *table, (4, 5), (4, 1 << 15, 0))
    assert 0 <= n <= 20
    assert pixels.min() >= 0
    assert pixels.max() < 65536


@given(data=hnp.arrays(np.uint8, st.integers(0, 40)), n_bytes=st.integers(0, 50))
def test_unpack_agrees_with_its_reference(data, n_bytes):
    mine, n_mine = unpack_runs(data, n_bytes)
    its, n_its = reference.unpack_runs(data, n_bytes)
    assert n_mine == n_its
    np.testing.assert_array_equal(mine, its)


@given(values=hnp.arrays(np.uint8, st.integers(0, 300), elements=st.sampled_from([0, 1, 255])))
def test_what_was_packed_is_unpacked(values):
    packed = np.frombuffer(reference.pack_runs(values), np.uint8)
    unpacked, n = unpack_runs(packed, values.size)
    assert n == values.size
    np.testing.assert_array_equal(unpacked, values)


def test_bytes_before_a_restart_marker_are_passed_over():
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    counts = np.zeros(16, np.int64)
    counts[4] = 17
    table, scan = (counts, np.arange(17)), (1, 1 << 11, 4)
    coded = bytes(reference.encode_lossless_jpeg(pixels, *table, scan))
    longer = coded.replace(b"\xff\xd0", bytes(20) + b"\xff\xd0")
    assert len(longer) == len(coded) + 20
    decoded, n = decode_lossless_jpeg(np.frombuffer(longer, np.uint8), *table, pixels.shape, scan)
    assert n == 12
    np.testing.assert_array_equal(decoded, pixels)


@given(
    rows=hnp.arrays(
        np.uint8,
        st.tuples(st.integers(0, 3), st.integers(0, 300)),
        elements=st.sampled_from([0, 1, 255]),
        fill=st.just(7),
    )
)
def test_pack_agrees_with_its_reference_row_by_row(rows):
    mine = pack_runs(read_only(rows))
    assert mine.tobytes() == b"".join(map(reference.pack_runs, rows))


@given(
    values=hnp.arrays(np.uint8, st.integers(0, 600), elements=st.integers(0, 2), fill=st.just(7))
)
def test_what_is_packed_here_is_unpacked(values):
    unpacked, n = unpack_runs(pack_runs(read_only(values[None])), values.size)
    assert n == values.size
    np.testing.assert_array_equal(unpacked, values)


def test_a_count_of_128_stands_for_nothing():
    data = np.array([128, 0, 7, 128, 255, 9], np.uint8)
    unpacked, n = unpack_runs(data, 3)
    assert (unpacked.tolist(), n) == ([7, 9, 9], 3)
