import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.kernels import reference_jpeg_ls as reference

from qct.kernels.jpeg_ls import RUN_BITS, decode_jpeg_ls

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)
PRECISIONS = st.integers(8, 16)


def decoded(data, shape, precision):
    return decode_jpeg_ls(np.frombuffer(data, np.uint8), shape, precision, RUN_BITS)


@st.composite
def images(draw):
    """Noise, few values (runs and what ends them), or one value with a few others."""
    precision = draw(PRECISIONS)
    highest = 2**precision - 1
    values = draw(
        st.sampled_from(
            [
                st.integers(0, highest),
                st.sampled_from([0, highest, highest // 2]),
                st.integers(highest // 3, highest // 3 + 9),
            ]
        )
    )
    fill = draw(st.sampled_from([st.nothing(), values]))
    return draw(hnp.arrays(np.uint16, draw(SHAPES), elements=values, fill=fill)), precision


@given(image=images())
def test_what_was_encoded_is_decoded(image):
    pixels, precision = image
    coded = reference.encode_jpeg_ls(pixels, precision)
    found, n_rows, n_over = decoded(coded, pixels.shape, precision)
    np.testing.assert_array_equal(found, pixels)
    assert n_rows == len(pixels)
    assert 0 <= n_over < 16


@settings(max_examples=5)
@given(seed=st.integers(0, 2**31), precision=PRECISIONS)
def test_contexts_learn_and_forget_as_the_encoder_s_do(seed, precision):
    generator = np.random.default_rng(seed)
    slope = np.add.outer(np.arange(40), 2 * np.arange(45))
    noise = generator.normal(0, generator.choice([0.3, 4, 2**precision / 9]), slope.shape)
    pixels = np.clip(slope + noise, 0, 2**precision - 1).astype(np.uint16)
    pixels[10:30, 5:40] = pixels[10, 5]
    coded = reference.encode_jpeg_ls(pixels, precision)
    np.testing.assert_array_equal(decoded(coded, pixels.shape, precision)[0], pixels)


def test_what_ends_many_runs_is_learned_and_forgotten():
    generator = np.random.default_rng(0)
    pixels = np.full((24, 60), 70, np.uint16)
    spots = generator.random(pixels.shape) < 0.15
    pixels[spots] = generator.integers(60, 90, pixels.shape)[spots]
    coded = reference.encode_jpeg_ls(pixels, 8)
    np.testing.assert_array_equal(decoded(coded, pixels.shape, 8)[0], pixels)


@given(image=images(), share=st.floats(0, 1))
def test_data_that_end_early_give_fewer_rows(image, share):
    pixels, precision = image
    coded = reference.encode_jpeg_ls(pixels, precision)
    cut = coded[: int(share * max(len(coded) - 2, 0))]
    found, n_rows, n_over = decoded(cut, pixels.shape, precision)
    assert n_rows <= len(pixels)
    np.testing.assert_array_equal(found[n_rows:], 0)
    longer, n_rows, n_over = decoded(coded + bytes(3), pixels.shape, precision)
    np.testing.assert_array_equal(longer, pixels)
    assert n_over >= 16


@given(data=hnp.arrays(np.uint8, st.integers(0, 60)), precision=PRECISIONS)
def test_no_bytes_lead_out_of_the_image(data, precision):
    pixels, n_rows, _ = decoded(data.tobytes(), (4, 5), precision)
    assert 0 <= n_rows <= 4
    assert pixels.max(initial=0) < 2**precision


@pytest.mark.parametrize("value", [0, 255])
def test_bytes_of_one_kind_lead_nowhere(value):
    for precision in (8, 16):
        assert decoded(bytes([value] * 40), (300, 300), precision)[1] < 300


@given(seed=st.integers(0, 2**31))
@settings(max_examples=5)
def test_charls_encodes_what_is_decoded(seed):
    jpeg_ls = pytest.importorskip("jpeg_ls")
    generator = np.random.default_rng(seed)
    pixels = np.cumsum(generator.integers(-9, 10, (32, 48)), axis=1) + 1000
    pixels[:, 20:30] = 900
    pixels = pixels.astype(np.uint16)
    frame = bytes(jpeg_ls.encode_array(pixels))
    start = frame.index(b"\xff\xda") + 10
    precision = frame[frame.index(b"\xff\xf7") + 4]
    found = decoded(frame[start:-2], pixels.shape, precision)
    np.testing.assert_array_equal(found[0], pixels)
    assert found[2] < 16
