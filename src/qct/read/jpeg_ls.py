"""JPEG-LS of one component (ISO/IEC 14495-1), decoded by CharLS with the interpreter left free.

pyjpegls wraps CharLS and holds the interpreter while it decodes: slices would come one after the other. The
functions of CharLS are called where pyjpegls has them. Where it does not show them (Windows), and for images of
another kind, decoding is left to the general way.
"""

import ctypes
import struct
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.read.lossless_jpeg import SOS, NotPlainError, frame_header, segments

SOF55 = 0xF7
"""Marker of its frame header (ISO/IEC 14495-1 table C.1)."""


def decode(frame: bytes, shape: tuple[int, int]) -> npt.NDArray[np.uint16]:
    """Decode one image.

    Parameters
    ----------
    frame : bytes
    shape : (int, int)
        Rows and columns that it has to have.

    Returns
    -------
    pixels : (rows, columns) uint16
        Bit patterns of the stored values.

    Raises
    ------
    NotPlainError
        If it is not one component of 9 to 16 bits and that shape; or where CharLS does not show its functions.
    ValueError
        If CharLS cannot decode it.
    """
    charls = _charls()
    if charls is None or _shape(frame) != shape:
        raise NotPlainError
    pixels = np.empty(shape, np.uint16)
    trouble = charls(pixels.ctypes.data, pixels.nbytes, frame, len(frame), None, None)
    if trouble:
        raise ValueError(f"JPEG-LS data cannot be decoded (CharLS error {trouble})")
    return pixels


def _shape(frame: bytes) -> tuple[int, int] | None:
    """Read rows and columns of an image of 9 to 16 bits; None if it is none."""
    try:
        for marker, segment, _ in segments(frame):
            if marker == SOF55:
                precision, shape = frame_header(segment)
                return shape if precision > 8 else None
            if marker == SOS:
                break
    except (IndexError, struct.error):
        pass
    return None


@cache
def _charls() -> Any:
    """Return ``JpegLsDecode`` of CharLS, which other threads do not wait for; None if there is none."""
    wrapper = find_spec("_CharLS")
    if wrapper is None or wrapper.origin is None:
        return None
    try:
        decoder = ctypes.CDLL(wrapper.origin).JpegLsDecode
    except (OSError, AttributeError):
        return None
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    decoder.argtypes = [pointer, size, ctypes.c_char_p, size, pointer, pointer]
    decoder.restype = ctypes.c_int
    return decoder
