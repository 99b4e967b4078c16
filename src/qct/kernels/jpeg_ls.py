"""Decode JPEG-LS without loss (ISO/IEC 14495-1, also ITU-T T.87): one component, usual parameters.

Names of the standard are kept where they are letters: a, b, c, d are the neighbours left, above, above left and
above right; a context has A, B, C, N.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import kernel

N_CONTEXTS = 365
"""Contexts of regular mode (A.3.4); two more are of run interruption."""

RESET = 64
"""Counts at which a context is halved (C.2.4.1.1.1)."""

MOST_BIAS, LEAST_BIAS = 127, -128
"""Limits of C (A.6.2)."""

PLACE, HELD, N_HELD, N_INVENTED = 0, 1, 2, 3
"""Of a stream: next byte; bits not yet used, at the right end; how many; of these, zeros after the end."""

HELD_BITS = 49
"""So many bits are held after a refill, at least; no more than 56."""

CODE_BITS = 32
"""So many bits are enough for nearly every code word."""

RUN_BITS = np.array(
    [
        0,
        0,
        0,
        0,
        1,
        1,
        1,
        1,
        2,
        2,
        2,
        2,
        3,
        3,
        3,
        3,
        4,
        4,
        5,
        5,
        6,
        6,
        7,
        7,
        8,
        9,
        10,
        11,
        12,
        13,
        14,
        15,
    ]
)
"""J: logarithm of the length of a run by its index (A.7.1.1)."""


@kernel
def _refill(data: npt.NDArray[np.uint8], stream: npt.NDArray[np.int64]) -> None:
    """Hold at least `HELD_BITS` bits; after a byte of ones the next has seven (A.1)."""
    place, n_held = int(stream[PLACE]), int(stream[N_HELD])
    held = int(stream[HELD]) & ((1 << n_held) - 1)
    while n_held < HELD_BITS:
        is_stuffed = place > 0 and data[place - 1] == 0xFF
        if place >= len(data) or (is_stuffed and data[place] >= 0x80):
            held <<= 8
            n_held += 8
            stream[N_INVENTED] += 8
            continue
        width = 7 if is_stuffed else 8
        held = (held << width) | (int(data[place]) & 0xFF)
        n_held += width
        place += 1
    stream[PLACE], stream[HELD], stream[N_HELD] = place, held, n_held


@kernel
def _more(
    data: npt.NDArray[np.uint8], stream: npt.NDArray[np.int64], held: int, n_held: int
) -> Any:
    """Refill, with the bits held outside the stream; return them."""
    stream[HELD], stream[N_HELD] = held, n_held
    _refill(data, stream)
    return stream[HELD], stream[N_HELD]


@kernel
def _bits(data: npt.NDArray[np.uint8], stream: npt.NDArray[np.int64], n: int) -> Any:
    """Read a number of at most 17 bits."""
    if stream[N_HELD] < n:
        _refill(data, stream)
    stream[N_HELD] -= n
    return (stream[HELD] >> stream[N_HELD]) & ((1 << n) - 1)


@kernel
def _golomb(
    data: npt.NDArray[np.uint8], stream: npt.NDArray[np.int64], k: int, most: int, n_bits: int
) -> Any:
    """Read a number in the limited Golomb code (A.5.3).

    At most `most` zeros and a one say its upper part, and k bits the lower; after `most` zeros the whole
    follows, less one, in `n_bits` bits.
    """
    n_zeros = 0
    while True:
        if stream[N_HELD] == 0:
            _refill(data, stream)
        held, n_held = stream[HELD], stream[N_HELD]
        while n_held > 0 and n_zeros <= most:
            n_held -= 1
            if (held >> n_held) & 1:
                stream[N_HELD] = n_held
                if n_zeros < most:
                    return (n_zeros << k) + _bits(data, stream, k)
                return _bits(data, stream, n_bits) + 1
            n_zeros += 1
        stream[N_HELD] = n_held
        if n_zeros > most:
            return 0  # no code: the data are damaged


@kernel
def _quantized(maximum: int) -> Any:
    """Return the class (-4 to 4) of every difference, `maximum` added (A.3.3, thresholds of C.2.4.1.1.1)."""
    factor = (min(maximum, 4095) + 128) // 256
    first = factor + 2
    second = 4 * factor + 3
    third = 17 * factor + 4
    classes = np.zeros(2 * maximum + 1, np.int8)
    for size in range(1, maximum + 1):
        size_class = 1 if size < first else 2 if size < second else 3 if size < third else 4
        classes[maximum + size] = size_class
        classes[maximum - size] = -size_class
    return classes


@kernel
def _run_length(
    data: npt.NDArray[np.uint8],
    stream: npt.NDArray[np.int64],
    index: int,
    left: int,
    run_bits: npt.NDArray[np.int64],
) -> Any:
    """Read how long a run goes on, at most to the end of its row, and the run index after it (A.7.1)."""
    length = 0
    while _bits(data, stream, 1) == 1:
        whole = 1 << run_bits[index]
        if length + whole <= left:
            index = min(index + 1, len(run_bits) - 1)
        length = min(length + whole, left)
        if length == left:
            return length, index
    length += _bits(data, stream, run_bits[index])
    return min(length, left - 1), index


@kernel
def _interruption(
    data: npt.NDArray[np.uint8],
    stream: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    is_flat: bool,
    most: int,
    n_bits: int,
) -> Any:
    """Read the error of the pixel that ends a run, and learn from it (A.7.2).

    `counts` has the rows A, N and the number of negative errors; its last two columns are of interruptions.
    """
    at = N_CONTEXTS + (1 if is_flat else 0)
    flat = 1 if is_flat else 0
    size = counts[0, at] + (counts[1, at] >> 1 if is_flat else 0)
    k = 0
    while counts[1, at] << k < size:
        k += 1
    mapped = _golomb(data, stream, k, most, n_bits)
    is_odd = (mapped + flat) & 1
    error = (mapped + flat + is_odd) >> 1
    often_negative = 1 if k != 0 or 2 * counts[2, at] >= counts[1, at] else 0
    if often_negative == is_odd:
        error = -error
    if error < 0:
        counts[2, at] += 1
    counts[0, at] += (mapped + 1 - flat) >> 1
    if counts[1, at] == RESET:
        for row in range(3):
            counts[row, at] >>= 1
    counts[1, at] += 1
    return error


@kernel('(Array(uint8, 1, "C", True), UniTuple(int64, 2), int64, int64[::1])')
def decode_jpeg_ls(
    data: npt.NDArray[np.uint8],
    shape: tuple[int, int],
    precision: int,
    run_bits: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[Any], int, int]:
    """Decode the entropy-coded part of a JPEG-LS image of one component, coded without loss.

    Letters: B bytes; R, C ``shape``.

    Parameters
    ----------
    data : (B,) uint8
        What follows the scan header, up to the marker that ends the image.
    shape : (int, int)
        R, C.
    precision : int
        Bits of a pixel, 8 to 16.
    run_bits : (32,) int64
        `RUN_BITS`.

    Returns
    -------
    pixels : (R, C) uint16
    n_decoded : int
        Rows that the data were enough for; R if it is whole.
    n_over : int
        Bits left after the last row. Whole data leave less than 16: up to seven to the end of a byte, and a
        byte after one of ones.

    Notes
    -----
    Damaged data give wrong pixels, and no access outside the arrays.
    """
    n_rows, n_columns = shape
    pixels = np.zeros((n_rows, n_columns), np.uint16)
    maximum = (1 << precision) - 1
    most = 2 * (precision + max(8, precision)) - precision - 1
    classes = _quantized(maximum)
    counts = np.zeros((3, N_CONTEXTS + 2), np.int64)
    counts[0] = max(2, (maximum + 1 + 32) // 64)
    counts[1] = 1
    sums = np.zeros(N_CONTEXTS, np.int64)
    biases = np.zeros(N_CONTEXTS, np.int64)
    stream = np.zeros(4, np.int64)
    above = np.zeros(n_columns + 2, np.int64)  # a pixel more at both ends
    row = np.zeros(n_columns + 2, np.int64)
    held, n_held = 0, 0  # of the stream, while no run is read
    index = 0
    for y in range(n_rows):
        above[n_columns + 1] = above[n_columns]
        a, b, d = above[1], above[0], above[1]
        row[0] = a
        x = 1
        while x <= n_columns:
            c, b, d = b, d, above[x + 1]
            if a == b == c == d:
                stream[HELD], stream[N_HELD] = held, n_held
                length, index = _run_length(data, stream, index, n_columns + 1 - x, run_bits)
                row[x : x + length] = a
                x += length
                if x <= n_columns:
                    b, d = above[x], above[x + 1]
                    limit = most - run_bits[index] - 1
                    error = _interruption(data, stream, counts, a == b, limit, precision)
                    a = (b + (error if b >= a else -error)) & maximum
                    row[x] = a
                    index = max(index - 1, 0)
                    x += 1
                held, n_held = stream[HELD], stream[N_HELD]
                continue
            at = (
                81 * int(classes[d - b + maximum])
                + 9 * int(classes[b - c + maximum])
                + int(classes[c - a + maximum])
            )
            sign = -1 if at < 0 else 1
            at *= sign
            low, high = min(a, b), max(a, b)
            predicted = low if c >= high else high if c <= low else a + b - c
            predicted = min(max(predicted + sign * biases[at], 0), maximum)
            n, size, total = counts[1, at], counts[0, at], sums[at]
            k = 0
            while n << k < size:
                k += 1
            if n_held < CODE_BITS:
                held, n_held = _more(data, stream, held, n_held)
            n_zeros = 0
            n_held -= 1
            while not (held >> n_held) & 1:
                n_zeros += 1
                if n_zeros > most:
                    return pixels, y, 0
                if n_held == 0:
                    held, n_held = _more(data, stream, held, n_held)
                n_held -= 1
            n_bits = k if n_zeros < most else precision
            if n_held < n_bits:
                held, n_held = _more(data, stream, held, n_held)
            n_held -= n_bits
            mapped = (held >> n_held) & ((1 << n_bits) - 1)
            mapped += n_zeros << k if n_zeros < most else 1
            error = -((mapped + 1) >> 1) if mapped & 1 else mapped >> 1
            if k == 0 and 2 * total <= -n:
                error = -error - 1
            a = (predicted + sign * error) & maximum
            row[x] = a
            x += 1
            total += error
            size += abs(error)
            if n == RESET:
                size >>= 1
                total >>= 1
                n >>= 1
            n += 1
            counts[0, at], counts[1, at] = size, n
            if total <= -n:
                biases[at] = max(biases[at] - 1, LEAST_BIAS)
                total = max(total + n, 1 - n)
            elif total > 0:
                biases[at] = min(biases[at] + 1, MOST_BIAS)
                total = min(total - n, 0)
            sums[at] = total
        if n_held < stream[N_INVENTED]:
            return pixels, y, 0
        for x in range(n_columns):
            pixels[y, x] = row[x + 1]
        above, row = row, above
    n_over = n_held - stream[N_INVENTED] + 8 * (len(data) - stream[PLACE])
    return pixels, n_rows, n_over
