"""Between the native grid and a grid of blocks: averaging down, deciding up."""

from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, kernel, read_only


def average_blocks(
    hu: npt.NDArray[np.int16], factors: tuple[int, int, int], padding_hu: int, instead_hu: int
) -> npt.NDArray[Any]:
    """Average HU over blocks of voxels; a last block that is cut off averages what it has.

    Parameters
    ----------
    hu : (Z, Y, X) int16
    factors : (int, int, int)
        Voxels per block along (z, y, x).
    padding_hu, instead_hu : int
        A voxel with the first value counts as the second.

    Returns
    -------
    mean : (ceil(Z/fz), ceil(Y/fy), ceil(X/fx)) int16
        Mean, rounded half up.
    """
    mean = np.empty(
        [-(-n // factor) for n, factor in zip(hu.shape, factors, strict=True)], np.int16
    )
    in_parts(_average_blocks, read_only(hu), factors, (padding_hu, instead_hu), mean)
    return mean


@kernel(
    '(Array(int16, 3, "C", True), UniTuple(int64, 3), UniTuple(int64, 2), '
    "int16[:, :, ::1], int64, int64)"
)
def _average_blocks(
    hu: npt.NDArray[np.int16],
    factors: tuple[int, int, int],
    padding: tuple[int, int],
    mean: npt.NDArray[np.int16],
    part: int,
    parts: int,
) -> None:
    """Average the slices of blocks ``part::parts``; `padding` is what counts as something else, and as what."""
    nz, ny, nx = hu.shape
    fz, fy, fx = factors
    bz, by, bx = mean.shape
    columns = np.empty(nx, np.int32)  # summed over z and y first: whole rows run in vector lanes
    totals = np.empty(bx, np.float64)
    for k in range(part, bz, parts):
        slices = min((k + 1) * fz, nz) - k * fz
        for j in range(by):
            rows = min((j + 1) * fy, ny) - j * fy
            columns[:] = 0
            for dz in range(slices):
                for dy in range(rows):
                    row = hu[k * fz + dz, j * fy + dy]
                    for x in range(nx):
                        value = np.int32(row[x])
                        columns[x] += np.int32(padding[1]) if value == padding[0] else value
            totals[:] = 0
            for dx in range(fx):
                for i in range((nx - dx + fx - 1) // fx):
                    totals[i] += columns[i * fx + dx]
            for begin, end, width in ((0, nx // fx, fx), (nx // fx, bx, nx % fx)):
                count = slices * rows * width
                share = 0.5 / max(count, 1)
                for i in range(begin, end):  # half a step from where rounding could go wrong
                    mean[k, j, i] = np.floor((2 * totals[i] + count + 0.5) * share)


def decide_voxels(
    hu: npt.NDArray[np.int16],
    below: npt.NDArray[np.uint8],
    above: npt.NDArray[np.uint8],
    factors: tuple[int, int, int],
    threshold_hu: int,
    padding_hu: int,
) -> npt.NDArray[Any]:
    """Give every voxel the label that its block keeps for it, by its own HU.

    Parameters
    ----------
    hu : (Z, Y, X) int16
    below, above : (ceil(Z/fz), ceil(Y/fy), ceil(X/fx)) uint8
        Label of a block's voxels below the threshold, and of the others.
    factors : (int, int, int)
        Voxels per block along (z, y, x).
    threshold_hu, padding_hu : int
        A voxel with exactly the second value gets 0 whatever its block says.

    Returns
    -------
    labels : (Z, Y, X) uint8
    """
    labels = np.zeros(hu.shape, np.uint8)
    limits = (threshold_hu, padding_hu)
    in_parts(_decide_voxels, read_only(hu), (below, above), factors, limits, labels)
    return labels


@kernel(
    '(Array(int16, 3, "C", True), UniTuple(uint8[:, :, ::1], 2), UniTuple(int64, 3), '
    "UniTuple(int64, 2), uint8[:, :, ::1], int64, int64)"
)
def _decide_voxels(
    hu: npt.NDArray[np.int16],
    kept: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]],
    factors: tuple[int, int, int],
    limits: tuple[int, int],
    labels: npt.NDArray[np.uint8],
    part: int,
    parts: int,
) -> None:
    """Label slices of blocks ``part::parts``; `kept` is below and above, `limits` are threshold and padding."""
    nz, ny, nx = hu.shape
    fz, fy, fx = factors
    below, above = kept
    bz, by, bx = below.shape
    threshold_hu, padding_hu, nothing = np.int16(limits[0]), np.int16(limits[1]), np.uint8(0)
    low, high = np.empty(bx * fx, np.uint8), np.empty(bx * fx, np.uint8)
    for k in range(part, bz, parts):
        for j in range(by):
            begin, end = bx, 0
            for i in range(bx):
                if below[k, j, i] or above[k, j, i]:
                    begin, end = min(begin, i), i + 1
            for i in range(begin, end):
                for x in range(i * fx, (i + 1) * fx):
                    low[x], high[x] = below[k, j, i], above[k, j, i]
            first, last = begin * fx, min(end * fx, nx)
            for z in range(k * fz, min((k + 1) * fz, nz)):
                for y in range(j * fy, min((j + 1) * fy, ny)):
                    row, into = hu[z, y, first:last], labels[z, y, first:last]
                    dark, bright = low[first:last], high[first:last]
                    for x in range(row.size):  # without a branch: in vector lanes
                        label = dark[x] if row[x] < threshold_hu else bright[x]
                        into[x] = label if row[x] != padding_hu else nothing
