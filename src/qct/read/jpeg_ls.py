"""JPEG-LS of one component, coded without loss: reads the markers, leaves the pixels to a kernel.

The general decoder is as fast, but keeps the interpreter to itself; this one leaves it free, so that slices are
decoded on every core. What it does not know, it leaves to the other.
"""

import struct

import numpy as np
import numpy.typing as npt

from qct.kernels.jpeg_ls import RUN_BITS, decode_jpeg_ls
from qct.read.lossless_jpeg import CutShortError, NotPlainError

SOI, SOF55, SOS, EOI = b"\xff\xd8", 0xF7, 0xDA, b"\xff\xd9"
"""Markers (ISO/IEC 14495-1 C.1.1, and those of JPEG)."""

PASSED_OVER = (*range(0xE0, 0xF0), 0xFE)
"""Markers of segments that say nothing about pixels: application data and comments."""

MOST_BITS_OVER = 15
"""Bits that whole data may leave (`decode_jpeg_ls`)."""


def decode(frame: bytes) -> npt.NDArray[np.uint16]:
    """Decode one image.

    Returns
    -------
    pixels : (rows, columns) uint16
        Bit patterns of the stored values.

    Raises
    ------
    NotPlainError
        If it is not of one component without loss, has parameters of its own, or is damaged in its markers.
    CutShortError
        If its data end early, or go on after the last pixel.
    """
    try:
        precision, shape, start = _read_markers(frame)
    except (IndexError, struct.error) as trouble:
        raise NotPlainError from trouble
    end = frame.rfind(EOI)
    if end < start:
        raise NotPlainError
    data = np.frombuffer(frame, np.uint8)[start:end]
    pixels, n_decoded, n_over = decode_jpeg_ls(data, shape, precision, RUN_BITS)
    if n_decoded < shape[0]:
        raise CutShortError(f"JPEG-LS data end after {n_decoded} of {shape[0]} rows")
    if n_over > MOST_BITS_OVER:
        raise CutShortError(f"JPEG-LS data go on for {n_over} bits after the last pixel")
    return np.asarray(pixels)


def _read_markers(frame: bytes) -> tuple[int, tuple[int, int], int]:
    """Return precision, shape, and where the entropy-coded data begin."""
    if frame[:2] != SOI:
        raise NotPlainError
    precision, shape, place = 0, (0, 0), 2
    while True:
        if frame[place] != 0xFF:
            raise NotPlainError
        marker = frame[place + 1]
        (length,) = struct.unpack_from(">H", frame, place + 2)
        segment = frame[place + 4 : place + 2 + length]
        place += 2 + length
        if marker == SOF55:
            precision, rows, columns, n_components = struct.unpack_from(">BHHB", segment)
            shape = rows, columns
            if n_components != 1 or not 8 <= precision <= 16 or not rows or not columns:
                raise NotPlainError
        elif marker == SOS:
            n_components, _, table, near, interleave, transform = struct.unpack(">6B", segment)
            if not precision or (n_components, table, near, interleave, transform) != (
                1,
                0,
                0,
                0,
                0,
            ):
                raise NotPlainError
            return precision, shape, place
        elif marker not in PASSED_OVER:
            raise NotPlainError
