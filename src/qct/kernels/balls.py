"""What a ball reaches: all voxels within a radius of a mask, voxels of any shape.

A ball is a row of voxels for every step along z and y, wide in the middle. Rows of the mask are words of bits:
one or of words moves 64 voxels, and one shift widens as many. The rows of one width are put together before
they are widened, the widest first, so that a ball needs no more shifts than its widest row.
"""

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, inner, kernel

WORD = 64
"""Voxels in a word."""

SLACK_MM2 = 1e-3
"""Squared distances are rounded: a voxel at just the radius is reached."""


def reach(
    mask: npt.NDArray[np.bool_], radius_mm: float, spacing_mm: tuple[float, float, float]
) -> npt.NDArray[np.bool_]:
    """Find the voxels within a radius of a mask.

    Letters: Z, Y, X grid.

    Parameters
    ----------
    mask : (Z, Y, X) bool
    radius_mm : float
        Not negative. A voxel at just this distance is reached.
    spacing_mm : (float, float, float)
        Distance between voxel centres along (z, y, x).

    Returns
    -------
    reached : (Z, Y, X) bool
    """
    return _put(mask, _rows_of_ball(radius_mm, spacing_mm))


def touch(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Find the voxels that share a face, an edge or a corner with a mask, and those of the mask.

    Parameters
    ----------
    mask : (Z, Y, X) bool

    Returns
    -------
    touched : (Z, Y, X) bool
    """
    steps = (-1, 0, 1)
    return _put(mask, np.array([(z, y, 1) for z in steps for y in steps], np.int64))


def _put(mask: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Put a ball, given by its rows as from `_rows_of_ball`, to every voxel of a mask."""
    nz, ny, nx = mask.shape
    n_words = -(-nx // WORD)
    bits = np.zeros((nz, ny, n_words * WORD // 8), np.uint8)
    bits[:, :, : -(-nx // 8)] = np.packbits(mask, axis=2, bitorder="little")
    reached = np.zeros_like(bits)
    words, into = (one.view(np.uint64).reshape(nz, ny * n_words) for one in (bits, reached))
    in_parts(_put_rows, words, n_words, rows, into)
    return np.unpackbits(reached, axis=2, count=nx, bitorder="little").view(np.bool_)


def _rows_of_ball(
    radius_mm: float, spacing_mm: tuple[float, float, float]
) -> npt.NDArray[np.int64]:
    """Return (steps along z, steps along y, half the width) of the rows of a ball, (N, 3), the widest first."""
    sz, sy, sx = spacing_mm
    nz, ny, nx = (int(radius_mm / step_mm + 1e-6) for step_mm in spacing_mm)
    z, y, x = np.arange(-nz, nz + 1), np.arange(-ny, ny + 1), np.arange(nx + 2)
    left_mm2 = (radius_mm * radius_mm - (z * sz) ** 2 + SLACK_MM2).astype(np.float32)
    across_mm2 = ((x * float(np.float32(sx))) ** 2).astype(np.float32)
    in_slice_mm2 = across_mm2 + ((y * sy) ** 2).astype(np.float32)[:, None]
    width = (in_slice_mm2 <= left_mm2[:, None, None]).sum(axis=2) - 1
    at_z, at_y = np.nonzero(width >= 0)
    rows = np.column_stack([z[at_z], y[at_y], width[at_z, at_y]])
    return np.ascontiguousarray(rows[np.argsort(-rows[:, 2], kind="stable")], np.int64)


@kernel("(uint64[:, ::1], int64, int64[:, ::1], uint64[:, ::1], int64, int64)")
def _put_rows(
    words: npt.NDArray[np.uint64],
    n_words: int,
    rows: npt.NDArray[np.int64],
    reached: npt.NDArray[np.uint64],
    part: int,
    parts: int,
) -> None:
    """Put the rows of a ball to the words (Z, Y * `n_words`) of the slices ``part::parts``."""
    nz = words.shape[0]
    for z in range(part, nz, parts):
        into = reached[z]
        width = rows[0, 2]
        for n in range(rows.shape[0]):
            for _ in range(width - rows[n, 2]):
                _widen(into, n_words)
            width = rows[n, 2]
            z2, ahead = z + rows[n, 0], rows[n, 1] * n_words
            if 0 <= z2 < nz:
                there = words[z2, max(ahead, 0) :]
                here = into[max(-ahead, 0) :]
                for i in range(min(here.size, there.size)):
                    here[i] |= there[i]
        for _ in range(width):
            _widen(into, n_words)


@inner
def _widen(words: npt.NDArray[np.uint64], n_words: int) -> None:
    """Set the bits beside those that are set, in rows of so many words, in place."""
    one, last = np.uint64(1), np.uint64(63)
    for row in range(0, words.size, n_words):
        before = np.uint64(0)
        for w in range(row, row + n_words):
            word = words[w]
            after = words[w + 1] if w + 1 < row + n_words else np.uint64(0)
            words[w] = word | word << one | word >> one | before >> last | after << last
            before = word
