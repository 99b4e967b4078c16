"""Loops over blocks of lung: how dense the lung between the vessels is, and what stands out of it."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, inner, kernel

NOT_LUNG = -32768
"""Contrast of a voxel that does not count."""

LOWEST_HU = -1100
"""HU of the first bin of a block's histogram."""

N_BINS = 1200
"""Bins of 1 HU; values beyond fall into the first or the last."""

STEPS_TO_MODE = 8
"""How often the background of a block is shifted towards its mode."""


def block_background(
    hu: npt.NDArray[np.float32], inside: npt.NDArray[np.bool_], edge: int, least: int
) -> npt.NDArray[Any]:
    """Estimate the HU of the lung between the vessels, in blocks.

    It is the mode of the block's HU, found from the median by mean shift: the mean of what lies within one
    standard deviation, again and again. The standard deviation is that of the values below, which vessels
    and their blurred flanks, being brighter, do not widen.

    Parameters
    ----------
    hu : (Z, Y, X) float32
    inside : (Z, Y, X) bool
        Lung.
    edge : int
        Of a block, in voxels.
    least : int
        A block with fewer voxels of lung has none.

    Returns
    -------
    background : (ceil(Z/edge), ceil(Y/edge), ceil(X/edge), 2) float32
        HU and standard deviation; NaN for none.
    """
    shape = [-(-n // edge) for n in hu.shape]
    background = np.full((*shape, 2), np.nan, np.float32)
    in_parts(_block_background, hu, inside, edge, least, background)
    return background


@kernel(
    "(float32[:, :, ::1], boolean[:, :, ::1], int64, int64, float32[:, :, :, ::1], int64, int64)"
)
def _block_background(
    hu: npt.NDArray[np.float32],
    inside: npt.NDArray[np.bool_],
    edge: int,
    least: int,
    background: npt.NDArray[np.float32],
    part: int,
    parts: int,
) -> None:
    """Fill the layers of blocks ``part::parts``."""
    nz, ny, nx = hu.shape
    bz, by, bx, _ = background.shape
    counts = np.zeros(N_BINS, np.int64)
    for k in range(part, bz, parts):
        for j in range(by):
            for i in range(bx):
                counts[:] = 0
                n = 0
                for z in range(k * edge, min((k + 1) * edge, nz)):
                    for y in range(j * edge, min((j + 1) * edge, ny)):
                        for x in range(i * edge, min((i + 1) * edge, nx)):
                            if inside[z, y, x]:
                                counts[_bin_of(hu[z, y, x])] += 1
                                n += 1
                if n < max(least, 1):
                    continue
                level, spread = _mode(counts, n)
                background[k, j, i, 0] = level + LOWEST_HU + 0.5
                background[k, j, i, 1] = spread


@inner
def _bin_of(hu: float) -> int:
    """Return the bin of 1 HU that a value falls into."""
    return min(max(math.floor(hu) - LOWEST_HU, 0), N_BINS - 1)


@inner
def _mode(counts: npt.NDArray[np.int64], n: int) -> tuple[float, float]:
    """Shift the median of `n` counted values to their mode; also return the deviation of those below it."""
    middle = 0
    below = counts[0]
    while 2 * below < n:
        middle += 1
        below += counts[middle]
    level, spread = float(middle), 0.0
    for _ in range(STEPS_TO_MODE):
        squares, count = 0.0, 0
        for bin_ in range(int(level) + 1):
            squares += counts[bin_] * ((bin_ - level) * (bin_ - level))
            count += counts[bin_]
        spread = max(math.sqrt(squares / max(count, 1)), 1.0)
        total, count = 0, 0
        # the nearest value below is never further than the spread: something is counted
        first = max(math.ceil(level - spread - 1e-9), 0)
        last = min(math.floor(level + spread), counts.size - 1)
        for bin_ in range(first, last + 1):
            total += bin_ * counts[bin_]
            count += counts[bin_]
        level = total / count
    return level, spread


def block_means(
    hu: npt.NDArray[np.float32],
    inside: npt.NDArray[np.bool_],
    taken: npt.NDArray[np.bool_],
    sizes: tuple[int, int, int],
    trim: float,
) -> npt.NDArray[Any]:
    """Average the lung between the vessels in blocks, without the lowest and the highest share of its values.

    Parameters
    ----------
    hu : (Z, Y, X) float32
    inside : (Z, Y, X) bool
        Lung.
    taken : (Z, Y, X) bool
        Where a vessel is.
    sizes : (int, int, int)
        Edge of a block; a block with fewer such voxels has no mean; how far from the rim of the lung they lie
        along every axis, at least.
    trim : float
        Share left out at either end, under 0.5.

    Returns
    -------
    means : (ceil(Z/edge), ceil(Y/edge), ceil(X/edge)) float32
        HU; NaN for none.
    """
    means = np.full([-(-n // sizes[0]) for n in hu.shape], np.nan, np.float32)
    in_parts(_block_means, hu, inside, taken, sizes, float(trim), means)
    return means


@kernel(
    "(float32[:, :, ::1], boolean[:, :, ::1], boolean[:, :, ::1], UniTuple(int64, 3), float64, "
    "float32[:, :, ::1], int64, int64)"
)
def _block_means(
    hu: npt.NDArray[np.float32],
    inside: npt.NDArray[np.bool_],
    taken: npt.NDArray[np.bool_],
    sizes: tuple[int, int, int],
    trim: float,
    means: npt.NDArray[np.float32],
    part: int,
    parts: int,
) -> None:
    """Fill the layers of blocks ``part::parts``."""
    edge, least, rim = sizes
    nz, ny, nx = hu.shape
    bz, by, bx = means.shape
    counts = np.zeros(N_BINS, np.int64)
    for k in range(part, bz, parts):
        for j in range(by):
            for i in range(bx):
                counts[:] = 0
                n = 0
                for z in range(max(k * edge, rim), min((k + 1) * edge, nz - rim)):
                    for y in range(max(j * edge, rim), min((j + 1) * edge, ny - rim)):
                        for x in range(max(i * edge, rim), min((i + 1) * edge, nx - rim)):
                            if (
                                inside[z, y, x]
                                and not taken[z, y, x]
                                and inside[z - rim, y, x]
                                and inside[z + rim, y, x]
                                and inside[z, y - rim, x]
                                and inside[z, y + rim, x]
                                and inside[z, y, x - rim]
                                and inside[z, y, x + rim]
                            ):
                                counts[_bin_of(hu[z, y, x])] += 1
                                n += 1
                if n >= max(least, 1):
                    means[k, j, i] = _trimmed_mean(counts, n, int(trim * n)) + LOWEST_HU + 0.5


@inner
def _trimmed_mean(counts: npt.NDArray[np.int64], n: int, cut: int) -> float:
    """Average `n` counted values but the `cut` lowest and the `cut` highest."""
    total, below = 0, 0
    for bin_ in range(counts.size):
        above = below + counts[bin_]
        total += bin_ * max(min(above, n - cut) - max(below, cut), 0)
        below = above
    return total / (n - 2 * cut)


def contrast_to(
    hu: npt.NDArray[np.float32],
    inside: npt.NDArray[np.bool_],
    background: npt.NDArray[np.float32],
    edge: int,
) -> npt.NDArray[Any]:
    """Subtract the background of blocks, linearly between their centres.

    Parameters
    ----------
    hu, inside
        As of `block_background`.
    background : (ceil(Z/edge), ceil(Y/edge), ceil(X/edge)) float32
        In every block.

    Returns
    -------
    contrast : (Z, Y, X) int16
        HU above the background, rounded; `NOT_LUNG` outside.
    """
    contrast = np.full(hu.shape, NOT_LUNG, np.int16)
    in_parts(_contrast_to, hu, inside, background, edge, contrast)
    return contrast


@kernel(
    "(float32[:, :, ::1], boolean[:, :, ::1], float32[:, :, ::1], int64, int16[:, :, ::1], int64, int64)"
)
def _contrast_to(
    hu: npt.NDArray[np.float32],
    inside: npt.NDArray[np.bool_],
    background: npt.NDArray[np.float32],
    edge: int,
    contrast: npt.NDArray[np.int16],
    part: int,
    parts: int,
) -> None:
    """Fill the slices ``part::parts``."""
    nz, ny, nx = hu.shape
    bz, by, bx = background.shape
    row = np.zeros(bx, np.float64)
    for z in range(part, nz, parts):
        fz = min(max((z + 0.5) / edge - 0.5, 0.0), bz - 1.0)
        kz = min(int(fz), max(bz - 2, 0))
        wz = fz - kz
        k2 = min(kz + 1, bz - 1)
        for y in range(ny):
            fy = min(max((y + 0.5) / edge - 0.5, 0.0), by - 1.0)
            ky = min(int(fy), max(by - 2, 0))
            wy = fy - ky
            j2 = min(ky + 1, by - 1)
            for i in range(bx):
                low = background[kz, ky, i] * (1 - wy) + background[kz, j2, i] * wy
                high = background[k2, ky, i] * (1 - wy) + background[k2, j2, i] * wy
                row[i] = low * (1 - wz) + high * wz
            for x in range(nx):
                if inside[z, y, x]:
                    fx = min(max((x + 0.5) / edge - 0.5, 0.0), bx - 1.0)
                    kx = min(int(fx), max(bx - 2, 0))
                    wx = fx - kx
                    level = row[kx] * (1 - wx) + row[min(kx + 1, bx - 1)] * wx
                    contrast[z, y, x] = math.floor(hu[z, y, x] - level + 0.5)
