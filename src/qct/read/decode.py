"""Stored pixel values of one slice, from whatever transfer syntax they came in."""

import contextlib
import os
import struct
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

from qct.errors import PixelError
from qct.kernels.pixels import unpack_runs
from qct.read import jpeg_ls, lossless_jpeg
from qct.read.headers import HEADER_ERRORS, PixelFormat, Slice

Stored = npt.NDArray[Any]

EXPLICIT_HEADER_BYTES = 12
"""PixelData element header of explicit VR: tag, VR, two reserved, length (PS3.5 7.1.2)."""

IMPLICIT_HEADER_BYTES = 8
"""PixelData element header of implicit VR: tag, length (PS3.5 7.1.3)."""

UNDEFINED_LENGTH = 0xFFFFFFFF

ITEM_TAG = b"\xfe\xff\x00\xe0"
"""Starts a fragment of encapsulated pixel data (PS3.5 A.4); always little endian."""

ITEM_HEADER_BYTES = 8
"""Tag and length of an item."""

DECODE_ERRORS = (*HEADER_ERRORS, BufferError)
"""What decoders raise on damaged or unknown pixel data."""

_AGAIN = "Send the series again, uncompressed if possible."


def stored_values(one: Slice) -> Stored:
    """Decode one slice.

    Returns
    -------
    stored : (rows, columns) integer array
        Stored values, before any rescale; unused high bits removed.

    Raises
    ------
    PixelError
        If there are no pixels, too few of them, or they cannot be decoded; names the file.
    """
    if not one.has_pixels:
        raise PixelError(f"{one.shown_path.name} has no pixel data", hint=_AGAIN)
    syntax = UID(one.pixels.transfer_syntax)
    try:
        data, is_encapsulated = _pixel_data(one, syntax)
        if is_encapsulated:
            return _decompressed(one, syntax, data)
        return _plain(one, syntax, data)
    except DECODE_ERRORS as trouble:
        raise PixelError(
            f"{one.shown_path.name}: pixel data ({syntax.name}) cannot be decoded", hint=_AGAIN
        ) from trouble


def _pixel_data(one: Slice, syntax: UID) -> tuple[bytes, bool]:
    """Return the bytes of one frame, and whether they were encapsulated."""
    size = _frame_bytes(one.pixels)
    if one.pixel_offset is None:
        data = bytes(pydicom.dcmread(one.path).PixelData)
        return data[one.frame * size : (one.frame + 1) * size], False
    with one.path.open("rb") as file:
        file.seek(one.pixel_offset)
        start = file.read(EXPLICIT_HEADER_BYTES)
        order = ">" if start[:2] == b"\x7f\xe0" else "<"
        is_implicit = start[4:6] not in (b"OW", b"OB", b"UN")
        header = IMPLICIT_HEADER_BYTES if is_implicit else EXPLICIT_HEADER_BYTES
        (length,) = struct.unpack(f"{order}I", start[header - 4 : header])
        file.seek(one.pixel_offset + header)
        if length == UNDEFINED_LENGTH:
            _check_items(file, one)
            return get_frame(file, one.frame, number_of_frames=one.pixels.n_frames), True
        file.seek(one.frame * size, 1)
        return file.read(max(0, min(size, length - one.frame * size))), False


def _check_items(file: BinaryIO, one: Slice) -> None:
    """Refuse a file that ends inside an item (PS3.5 A.4); decoders fill what is cut off, and say nothing."""
    start = file.tell()
    size = file.seek(0, os.SEEK_END)
    at = start
    while at + ITEM_HEADER_BYTES <= size:
        file.seek(at)
        tag, length = struct.unpack("<4sI", file.read(ITEM_HEADER_BYTES))
        if tag != ITEM_TAG:
            break
        at += ITEM_HEADER_BYTES + length
    if at > size:
        raise PixelError(
            f"{one.shown_path.name} is cut short: {at - size} bytes of pixel data are missing",
            hint="Send this slice again.",
        )
    file.seek(start)


def _frame_bytes(pixels: PixelFormat) -> int:
    return pixels.rows * pixels.columns * pixels.samples * (pixels.bits_allocated // 8)


def _plain(one: Slice, syntax: UID, data: bytes) -> Stored:
    """Read pixels that are not compressed."""
    pixels = one.pixels
    expected = _frame_bytes(pixels)
    if syntax.is_encapsulated:
        raise PixelError(
            f"{one.shown_path.name} claims to be compressed ({syntax.name}) and is not", hint=_AGAIN
        )
    if len(data) < expected or not expected:
        raise PixelError(
            f"{one.shown_path.name} is cut short: {len(data)} bytes of pixel data, expected {expected}",
            hint="Send this slice again.",
        )
    sign = "i" if pixels.is_signed else "u"
    order = "<" if syntax.is_little_endian else ">"
    stored = np.frombuffer(data, f"{order}{sign}{pixels.bits_allocated // 8}")
    return _used_bits(stored.reshape(pixels.rows, pixels.columns), pixels)


def _used_bits(stored: Stored, pixels: PixelFormat) -> Stored:
    """Drop bits above the high bit: old files keep overlays there."""
    unused = pixels.bits_allocated - pixels.bits_stored
    if unused <= 0:
        return stored
    native = stored.astype(stored.dtype.newbyteorder("="), copy=True)
    above = pixels.bits_allocated - 1 - pixels.high_bit
    native <<= above
    native >>= unused
    return np.asarray(native)


def _decompressed(one: Slice, syntax: UID, data: bytes) -> Stored:
    pixels = one.pixels
    if not syntax.is_encapsulated:
        raise PixelError(
            f"{one.shown_path.name} claims to be uncompressed ({syntax.name}) and is not",
            hint=_AGAIN,
        )
    if syntax in (JPEGLossless, JPEGLosslessSV1):
        with contextlib.suppress(lossless_jpeg.NotPlainError):
            return _as_stored(lossless_jpeg.decode(data), pixels)
    if syntax in JPEGLSTransferSyntaxes and pixels.bits_allocated == 16:
        with contextlib.suppress(lossless_jpeg.NotPlainError):
            return _as_stored(jpeg_ls.decode(data, (pixels.rows, pixels.columns)), pixels)
    if syntax == RLELossless:
        return _run_lengths(data, pixels)
    return _by_pydicom(data, syntax, pixels)


def _run_lengths(data: bytes, pixels: PixelFormat) -> Stored:
    """Decode run lengths: one segment per byte of a pixel, the highest first (PS3.5 annex G)."""
    n_planes = pixels.bits_allocated // 8
    n_segments, *offsets = struct.unpack_from("<16L", data)
    if n_segments != n_planes:
        raise ValueError(n_segments)
    n_pixels = pixels.rows * pixels.columns
    planes = np.empty((n_pixels, n_planes), np.uint8)
    packed = np.frombuffer(data, np.uint8)
    for k, start in enumerate(offsets[:n_planes]):
        end = offsets[k + 1] if k + 1 < n_planes else len(data)
        planes[:, n_planes - 1 - k], n = unpack_runs(packed[start:end], n_pixels)
        if n < n_pixels:
            raise ValueError(n)
    sign = "i" if pixels.is_signed else "u"
    stored = planes.reshape(-1).view(f"<{sign}{n_planes}")
    return _used_bits(stored.reshape(pixels.rows, pixels.columns), pixels)


def _as_stored(bits: npt.NDArray[np.uint16], pixels: PixelFormat) -> Stored:
    """Give bit patterns their sign and width."""
    if bits.shape != (pixels.rows, pixels.columns):
        raise ValueError(bits.shape)
    sign = "i" if pixels.is_signed else "u"
    stored = bits.astype("u1") if pixels.bits_allocated == 8 else bits
    return _used_bits(stored.view(f"{sign}{stored.itemsize}"), pixels)


def _by_pydicom(frame: bytes, syntax: UID, pixels: PixelFormat) -> Stored:
    """Decode one compressed frame with the decoders that pydicom knows.

    CharLS (pyjpegls) takes 5 ms for a slice of JPEG-LS where libjpeg, pydicom's first choice, takes 15.
    """
    array, _ = get_decoder(syntax).as_array(
        encapsulate([frame]),
        decoding_plugin="pyjpegls" if syntax in JPEGLSTransferSyntaxes else "",
        index=0,
        raw=True,
        rows=pixels.rows,
        columns=pixels.columns,
        number_of_frames=1,
        samples_per_pixel=pixels.samples,
        photometric_interpretation=pixels.photometric,
        bits_allocated=pixels.bits_allocated,
        bits_stored=pixels.bits_stored,
        pixel_representation=int(pixels.is_signed),
        pixel_keyword="PixelData",
    )
    if array.shape != (pixels.rows, pixels.columns):
        raise ValueError(array.shape)
    return np.asarray(array)
