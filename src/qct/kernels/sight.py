"""Look through a label map: along its rows from either side, and from the front."""

from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, kernel, read_only


def look_through(
    hu: npt.NDArray[np.int16],
    labels: npt.NDArray[np.uint8],
    side_of: npt.NDArray[np.uint8],
    low_hu: int,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Count what lines of sight meet: from the front along y, from either side along x.

    Letters: Z, Y, X grid.

    Parameters
    ----------
    hu : (Z, Y, X) int16
        Hounsfield units.
    labels : (Z, Y, X) uint8
        Region number per voxel.
    side_of : (256,) uint8
        What a number belongs to: 1, which is looked at from x = 0, 2, from the end of x, or 0, nothing to see.
    low_hu : int
        HU below it are low.

    Returns
    -------
    front : (3, Z, X) int32
        Both sides from y = 0: low voxels, all voxels, and the number that is met first (0 for nothing).
    flanks : (2, 3, Z, Y) int32
        The same of either side alone.
    """
    nz, ny, nx = labels.shape
    front = np.zeros((3, nz, nx), np.int32)
    flanks = np.zeros((2, 3, nz, ny), np.int32)
    in_parts(_look_through, read_only(hu), read_only(labels), side_of, low_hu, front, flanks)
    return front, flanks


@kernel(
    '(Array(int16, 3, "C", True), Array(uint8, 3, "C", True), uint8[::1], int64, int32[:, :, ::1], '
    "int32[:, :, :, ::1], int64, int64)"
)
def _look_through(
    hu: npt.NDArray[np.int16],
    labels: npt.NDArray[np.uint8],
    side_of: npt.NDArray[np.uint8],
    low_hu: int,
    front: npt.NDArray[np.int32],
    flanks: npt.NDArray[np.int32],
    part: int,
    parts: int,
) -> None:
    """Fill the slices ``part::parts``."""
    nz, ny, nx = labels.shape
    for z in range(part, nz, parts):
        for y in range(ny):
            for x in range(nx):
                label = labels[z, y, x]
                side = side_of[label]
                if side == 0:
                    continue
                if front[2, z, x] == 0:
                    front[2, z, x] = label
                if side == 2 or flanks[0, 2, z, y] == 0:
                    flanks[side - 1, 2, z, y] = label  # from the end: the last one stays
                front[1, z, x] += 1
                flanks[side - 1, 1, z, y] += 1
                if hu[z, y, x] < low_hu:
                    front[0, z, x] += 1
                    flanks[side - 1, 0, z, y] += 1
