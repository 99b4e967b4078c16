"""Compressed pixels: lossless JPEG (ISO/IEC 10918-1 annex H), DICOM's run lengths (PS3.5 annex G)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import inner, kernel

LOOK_BITS = 12
"""Bits looked up at once; most differences with their code words are shorter."""

LONGEST_PACKET = 128
"""Bytes that one packet of run lengths stands for, at most."""

SHORTEST_RUN = 3
"""Fewer equal bytes are not worth a packet of their own."""

LONGEST_CODE = 16
"""Longest Huffman code word (ISO/IEC 10918-1 annex C)."""


def decode_lossless_jpeg(
    data: npt.NDArray[np.uint8],
    code_counts: npt.NDArray[np.int64],
    categories: npt.NDArray[np.int64],
    shape: tuple[int, int],
    scan: tuple[int, int, int],
) -> tuple[npt.NDArray[Any], int]:
    """Decode the entropy-coded part of a lossless JPEG image of one component.

    Letters: B bytes; N ``categories``; R, C ``shape``.

    Parameters
    ----------
    data : (B,) uint8
        What follows the scan header, up to the end of the image; restart markers inside.
    code_counts : (16,) int64
        Number of Huffman codes of length 1 to 16.
    categories : (N,) int64
        Difference category (0 to 16) of every code, in the order of the codes.
    shape : (int, int)
        R, C.
    scan : (int, int, int)
        Predictor (1 to 7), first prediction, restart interval in pixels (0 for none).

    Returns
    -------
    pixels : (R, C) uint16
        Bit patterns, before any point transform.
    n_decoded : int
        Pixels that the data were enough for; R * C if it is whole.

    Notes
    -----
    The sum of code counts is N. Predictions and differences add modulo 2**16 (H.1.2.1). Rows after a
    restart are predicted like the first row; an interval is a whole number of rows (H.1.1).
    """
    pixels = np.zeros(shape, np.uint16)
    return pixels, _decode_lossless_jpeg(data, code_counts, categories, scan, pixels)


@kernel('(Array(uint8, 1, "C", True), int64[::1], int64[::1], UniTuple(int64, 3), uint16[:, ::1])')
def _decode_lossless_jpeg(
    data: npt.NDArray[np.uint8],
    code_counts: npt.NDArray[np.int64],
    categories: npt.NDArray[np.int64],
    scan: tuple[int, int, int],
    pixels: npt.NDArray[np.uint16],
) -> Any:
    """Do what `decode_lossless_jpeg` says, into `pixels`; return how many were decoded."""
    n_rows, n_columns = pixels.shape
    predictor, first, interval = scan
    above = np.zeros(n_columns, np.int64)  # the row before, as whole numbers with a sign

    # Canonical codes (annex C): of every length the largest code plus one, shifted to the left end of
    # 16 bits, and what to add to a code to find its category.
    limits = np.zeros(LONGEST_CODE + 2, np.int64)
    shifts = np.zeros(LONGEST_CODE + 1, np.int64)
    code, n_before = 0, 0
    for length in range(1, LONGEST_CODE + 1):
        shifts[length] = n_before - code
        n_before += int(code_counts[length - 1])
        code += int(code_counts[length - 1])
        limits[length] = code << (LONGEST_CODE - length)
        code <<= 1
    limits[LONGEST_CODE + 1] = 1 << 62

    # For the next LOOK_BITS bits: how many of them a whole difference takes (0: look closer), and which.
    taken = np.zeros(1 << LOOK_BITS, np.int8)
    differences = np.zeros(1 << LOOK_BITS, np.int32)
    for bits in range(1 << LOOK_BITS):
        word = bits << (LONGEST_CODE - LOOK_BITS)
        length = 1
        while length <= LOOK_BITS and word >= limits[length]:
            length += 1
        if length > LOOK_BITS:
            continue
        category = int(categories[shifts[length] + (word >> (LONGEST_CODE - length))])
        if category == 16:
            taken[bits] = length
            differences[bits] = 32768
        elif length + category <= LOOK_BITS:
            taken[bits] = length + category
            if category > 0:
                value = (bits >> (LOOK_BITS - length - category)) & ((1 << category) - 1)
                if value < 1 << (category - 1):
                    value += 1 - (1 << category)
                differences[bits] = value

    n_data = len(data)
    place = 0
    held = 0  # bits not yet used, at the right end; never more than 56
    n_held = 0
    n_invented = 0  # zero bits that were added after the end of the data
    left = interval
    top = 0  # row that is predicted like the first one
    for y in range(n_rows):
        a, c = 0, 0  # the pixel before, and the one above that
        for x in range(n_columns):
            if interval > 0 and left == 0:
                # Skip the rest of the byte and the marker.
                while place + 1 < n_data and not (
                    data[place] == 0xFF and 0xD0 <= data[place + 1] <= 0xD7
                ):
                    place += 1
                place += 2
                held, n_held, n_invented = 0, 0, 0
                left = interval
                top = y
            left -= 1

            if n_held <= 2 * LONGEST_CODE:  # a code word and its difference are no longer
                held &= (1 << n_held) - 1
                while n_held <= 48:
                    byte = 0
                    if place < n_data and (
                        data[place] != 0xFF or (place + 1 < n_data and data[place + 1] == 0)
                    ):
                        byte = int(data[place]) & 0xFF  # compiled, int(uint8) alone is unsigned
                        place += 2 if data[place] == 0xFF else 1
                    else:
                        n_invented += 8
                    held = (held << 8) | byte
                    n_held += 8

            bits = (held >> (n_held - LOOK_BITS)) & ((1 << LOOK_BITS) - 1)
            if taken[bits] > 0:
                n_held -= int(taken[bits])
                difference = int(differences[bits])
            else:
                word = (held >> (n_held - LONGEST_CODE)) & 0xFFFF
                length = 1
                while word >= limits[length]:
                    length += 1
                if length > LONGEST_CODE:
                    return y * n_columns + x
                category = int(categories[shifts[length] + (word >> (LONGEST_CODE - length))])
                n_held -= length
                if category == 0 or category >= 16:
                    difference = 32768 if category >= 16 else 0
                else:
                    difference = (held >> (n_held - category)) & ((1 << category) - 1)
                    n_held -= category
                    if difference < 1 << (category - 1):
                        difference += 1 - (1 << category)
            if n_held < n_invented:
                return y * n_columns + x

            b = above[x]
            if y == top:
                predicted = first if x == 0 else a
            elif x == 0:
                predicted = b
            elif predictor == 1:
                predicted = a
            elif predictor == 2:
                predicted = b
            elif predictor == 3:
                predicted = c
            elif predictor == 4:
                predicted = a + b - c
            elif predictor == 5:
                predicted = a + ((b - c) >> 1)
            elif predictor == 6:
                predicted = b + ((a - c) >> 1)
            else:
                predicted = (a + b) >> 1
            a, c = (predicted + difference) & 0xFFFF, b
            above[x] = a
            pixels[y, x] = a
    return n_rows * n_columns


@kernel('(Array(uint8, 1, "C", True), int64)')
def unpack_runs(data: npt.NDArray[np.uint8], n_bytes: int) -> tuple[npt.NDArray[np.uint8], int]:
    """Unpack one segment of run-length coded bytes (DICOM PS3.5 G.3.2, the PackBits scheme).

    Letters: B bytes packed; N bytes unpacked.

    Parameters
    ----------
    data : (B,) uint8
        Every packet is a count c and what it counts: c < 128, c + 1 bytes as they are; c > 128, one byte
        257 - c times; c = 128, nothing.
    n_bytes : int
        N.

    Returns
    -------
    unpacked : (N,) uint8
    n_unpacked : int
        Bytes that the data were enough for.
    """
    unpacked = np.zeros(n_bytes, np.uint8)
    place, n = 0, 0
    while place + 1 < len(data) and n < n_bytes:
        count = int(data[place]) & 0xFF
        place += 1
        if count < 128:
            n_copied = min(count + 1, n_bytes - n, len(data) - place)
            for k in range(n_copied):
                unpacked[n + k] = data[place + k]
            place += count + 1
            n += n_copied
        elif count > 128:
            n_copied = min(257 - count, n_bytes - n)
            for k in range(n_copied):
                unpacked[n + k] = data[place]
            place += 1
            n += n_copied
    return unpacked, n


@inner
def _pack_plain(
    row: npt.NDArray[np.uint8], begin: int, end: int, packed: npt.NDArray[np.uint8], n: int
) -> int:
    """Write the bytes from `begin` to `end` as they are, behind `n` packed ones; return how many then are."""
    while begin < end:
        n_copied = min(end - begin, LONGEST_PACKET)
        packed[n] = n_copied - 1
        for k in range(n_copied):
            packed[n + 1 + k] = row[begin + k]
        n += n_copied + 1
        begin += n_copied
    return n


@kernel('(Array(uint8, 2, "C", True),)')
def pack_runs(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Pack bytes by their runs, every row for itself (DICOM PS3.5 G.3.1); `unpack_runs` is the way back.

    Letters: R rows of C bytes; B bytes packed.

    Parameters
    ----------
    rows : (R, C) uint8

    Returns
    -------
    packed : (B,) uint8
        A row takes at most C bytes, and one for every `LONGEST_PACKET` begun.
    """
    n_rows, n_columns = rows.shape
    packed = np.empty(n_rows * (n_columns + n_columns // LONGEST_PACKET + 1), np.uint8)
    n = 0
    for y in range(n_rows):
        row = rows[y]
        plain, x = 0, 0  # where the bytes begin that are to stand as they are; where to look
        while x < n_columns:
            end = x + 1
            while end < n_columns and row[end] == row[x]:
                end += 1
            if end - x >= SHORTEST_RUN:
                n = _pack_plain(row, plain, x, packed, n)
                while x < end:
                    count = min(end - x, LONGEST_PACKET)
                    packed[n] = 257 - count if count > 1 else 0
                    packed[n + 1] = row[x]
                    n += 2
                    x += count
                plain = end
            x = end
        n = _pack_plain(row, plain, n_columns, packed, n)
    return packed[:n].copy()
