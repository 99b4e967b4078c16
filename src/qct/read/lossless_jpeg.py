"""Lossless JPEG of one component: reads the markers, leaves the pixels to a kernel.

Several times faster than the general decoders, and it leaves the interpreter free, so that slices are
decoded on every core. What it does not know, it leaves to them.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qct.kernels.pixels import decode_lossless_jpeg

SOI, SOF3, DHT, SOS, DRI, EOI = 0xD8, 0xC3, 0xC4, 0xDA, 0xDD, 0xD9
"""Markers (ISO/IEC 10918-1 table B.1)."""

MAX_CATEGORY = 16
"""Largest category of differences in lossless JPEG (annex H.1.2.2)."""


class CutShortError(ValueError):
    """An image whose data end early."""


class NotPlainError(ValueError):
    """An image that this decoder leaves to others."""


@dataclass(frozen=True, slots=True)
class _Scan:
    """What the markers say."""

    precision: int
    shape: tuple[int, int]
    code_counts: npt.NDArray[np.int64]
    categories: npt.NDArray[np.int64]
    predictor: int
    point_transform: int
    restart_interval: int
    start: int
    """Where the entropy-coded data begin."""


def decode(frame: bytes) -> npt.NDArray[np.uint16]:
    """Decode one image.

    Returns
    -------
    pixels : (rows, columns) uint16
        Bit patterns of the stored values.

    Raises
    ------
    NotPlainError
        If it is not a lossless JPEG of one component and one table, or damaged in its markers.
    CutShortError
        If its data end early.
    """
    try:
        scan = _read_markers(frame)
    except (IndexError, struct.error) as trouble:
        raise NotPlainError from trouble
    first = 1 << (scan.precision - scan.point_transform - 1)
    pixels, n_decoded = decode_lossless_jpeg(
        np.frombuffer(frame, np.uint8)[scan.start :],
        scan.code_counts,
        scan.categories,
        scan.shape,
        (scan.predictor, first, scan.restart_interval),
    )
    if n_decoded < pixels.size:
        raise CutShortError(f"JPEG data end after {n_decoded} of {pixels.size} pixels")
    return pixels << np.uint16(scan.point_transform) if scan.point_transform else pixels


def segments(frame: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Go through the marker segments of an image: marker, content, and where the next one begins.

    Raises
    ------
    NotPlainError
        If it does not begin as an image does, or something else than a marker follows a segment.
    IndexError, struct.error
        If it ends within a segment's head.
    """
    if frame[:2] != bytes((0xFF, SOI)):
        raise NotPlainError
    place = 2
    while True:
        if frame[place] != 0xFF:
            raise NotPlainError
        (length,) = struct.unpack_from(">H", frame, place + 2)
        begin, place = place, place + 2 + length
        yield frame[begin + 1], frame[begin + 4 : place], place


def frame_header(segment: bytes) -> tuple[int, tuple[int, int]]:
    """Read bits, and rows and columns, of an image of one component.

    Raises
    ------
    NotPlainError
        If there are more components, or no pixels.
    struct.error
        If it is cut short.
    """
    precision, rows, columns, n_components = struct.unpack_from(">BHHB", segment)
    if n_components != 1 or not 2 <= precision <= 16 or not rows or not columns:
        raise NotPlainError
    return precision, (rows, columns)


def _read_markers(frame: bytes) -> _Scan:
    precision, shape, restart, start = 0, (0, 0), 0, 0
    tables: dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = {}
    for marker, segment, place in segments(frame):
        if marker == SOF3:
            precision, shape = frame_header(segment)
        elif marker == DHT:
            tables |= _huffman_tables(segment)
        elif marker == DRI:
            (restart,) = struct.unpack(">H", segment)
        elif marker == SOS:
            start = place
            break
        elif 0xC0 <= marker <= 0xCF or marker == EOI:
            raise NotPlainError
    table, predictor, point_transform = _scan_header(segment)
    if not precision or table not in tables or not 1 <= predictor <= 7:
        raise NotPlainError
    if point_transform >= precision or (restart and restart % shape[1]):
        raise NotPlainError
    counts, categories = tables[table]
    return _Scan(precision, shape, counts, categories, predictor, point_transform, restart, start)


def _huffman_tables(
    segment: bytes,
) -> dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Read tables; only codes that fit their length are let through to the kernel."""
    tables, place = {}, 0
    while place < len(segment):
        counts = np.frombuffer(segment, np.uint8, 16, place + 1).astype(np.int64)
        n = int(counts.sum())
        categories = np.frombuffer(segment[place + 17 : place + 17 + n], np.uint8).astype(np.int64)
        room = np.cumsum(counts.astype(float) / 2.0 ** np.arange(1, 17))[-1]
        if len(categories) < n or room > 1 or (n and categories.max() > MAX_CATEGORY):
            raise NotPlainError
        tables[segment[place] & 0x0F] = counts, categories
        place += 17 + n
    return tables


def _scan_header(segment: bytes) -> tuple[int, int, int]:
    n_components, _, table, predictor, _, approximation = struct.unpack_from(">BBBBBB", segment)
    if n_components != 1:
        raise NotPlainError
    return table >> 4, predictor, approximation & 0x0F
