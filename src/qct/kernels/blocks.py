"""Between the native grid and a grid of blocks: averaging down, deciding up."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import prange

from qct.kernels.compiled import parallel_kernel


@parallel_kernel
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
    nz, ny, nx = hu.shape
    fz, fy, fx = factors
    bz, by, bx = (nz + fz - 1) // fz, (ny + fy - 1) // fy, (nx + fx - 1) // fx
    mean = np.empty((bz, by, bx), np.int16)
    for k in prange(bz):
        for j in range(by):
            for i in range(bx):
                total = 0
                count = 0
                for z in range(k * fz, min((k + 1) * fz, nz)):
                    for y in range(j * fy, min((j + 1) * fy, ny)):
                        for x in range(i * fx, min((i + 1) * fx, nx)):
                            value = int(hu[z, y, x])
                            total += instead_hu if value == padding_hu else value
                            count += 1
                mean[k, j, i] = (2 * total + count) // (2 * count)
    return mean


@parallel_kernel
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
    nz, ny, nx = hu.shape
    fz, fy, fx = factors
    labels = np.zeros((nz, ny, nx), np.uint8)
    bx = below.shape[2]
    for z in prange(nz):
        for y in range(ny):
            for i in range(bx):
                low = below[z // fz, y // fy, i]
                high = above[z // fz, y // fy, i]
                if low == 0 and high == 0:
                    continue
                for x in range(i * fx, min((i + 1) * fx, nx)):
                    value = hu[z, y, x]
                    if value != padding_hu:
                        labels[z, y, x] = low if value < threshold_hu else high
    return labels


@parallel_kernel
def count_labels(labels: npt.NDArray[np.uint8], n_labels: int) -> npt.NDArray[Any]:
    """Count the voxels of every label, slice by slice.

    Parameters
    ----------
    labels : (Z, Y, X) uint8
        Every label is below `n_labels`.
    n_labels : int

    Returns
    -------
    counts : (Z, n_labels) int64
    """
    nz, ny, nx = labels.shape
    counts = np.zeros((nz, n_labels), np.int64)
    for z in prange(nz):
        for y in range(ny):
            for x in range(nx):
                counts[z, labels[z, y, x]] += 1
    return counts
