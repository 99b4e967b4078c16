"""JPEG-LS that is decoded here is what CharLS encoded; what is not known or damaged is not decoded."""

import jpeg_ls as charls
import numpy as np
import pytest

from qct.read.jpeg_ls import decode
from qct.read.lossless_jpeg import CutShortError, NotPlainError

EOI = b"\xff\xd9"


def image(seed=0):
    generator = np.random.default_rng(seed)
    pixels = np.cumsum(generator.normal(0, 20, (64, 80)), axis=1) + 2000
    pixels[:, :20] = 0
    return np.clip(pixels, 0, 4095).astype(np.uint16)


def encoded(pixels, **how):
    return bytes(charls.encode_array(pixels, **how))


def test_an_image_of_charls_is_decoded_as_it_was():
    for seed in range(5):
        np.testing.assert_array_equal(decode(encoded(image(seed))), image(seed))
    eight = (image() // 16).astype(np.uint8)
    np.testing.assert_array_equal(decode(encoded(eight)), eight)


def test_a_comment_is_passed_over():
    frame = encoded(image())
    told = frame[:2] + b"\xff\xfe\x00\x06qct!" + frame[2:]
    np.testing.assert_array_equal(decode(told), image())


@pytest.mark.parametrize("kept", [0.3, 0.99])
def test_data_that_end_early_are_refused(kept):
    frame = encoded(image())
    with pytest.raises(CutShortError, match="end after"):
        decode(frame[: int(kept * len(frame))] + EOI)


def test_data_that_go_on_are_refused():
    frame = encoded(image())
    with pytest.raises(CutShortError, match="go on"):
        decode(frame[:-2] + bytes(9) + EOI)


def test_what_is_not_plain_is_left_to_others():
    frame = encoded(image())
    start = frame.index(b"\xff\xf7")
    own_parameters = b"\xff\xf8\x00\x0d\x01\x0f\xff\x00\x10\x00\x20\x00\x80\x00\x40"
    cases = [
        encoded(image(), lossy_error=2),
        encoded(np.stack([image()] * 3, axis=-1), interleave_mode=2),
        frame[:start] + own_parameters + frame[start:],
        frame[:-2],
        frame[:20],
        b"\xff\xd8\xff\xf7",
        b"GIF",
    ]
    for case in cases:
        with pytest.raises(NotPlainError):
            decode(case)
