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
            for i in range(bx):
                total = 0
                end = min((i + 1) * fx, nx)
                for x in range(i * fx, end):
                    total += int(columns[x])
                count = slices * rows * (end - i * fx)
                mean[k, j, i] = (2 * total + count) // (2 * count)


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
    """Label the slices ``part::parts``; `kept` is below and above, `limits` are threshold and padding."""
    nz, ny, nx = hu.shape
    fz, fy, fx = factors
    below, above = kept
    for z in range(part, nz, parts):
        for y in range(ny):
            for i in range(below.shape[2]):
                low = below[z // fz, y // fy, i]
                high = above[z // fz, y // fy, i]
                if low == 0 and high == 0:
                    continue
                for x in range(i * fx, min((i + 1) * fx, nx)):
                    value = hu[z, y, x]
                    if value != limits[1]:
                        labels[z, y, x] = low if value < limits[0] else high
