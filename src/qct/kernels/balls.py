"""What a ball reaches: all voxels within a radius of a mask, voxels of any shape.

Squared distances are sums over the axes, so the minimum over a ball is one pass per axis. The passes look no
further than the radius: for the balls that lungs need an eighth of the CPU time of a distance map (0.03 s
against 0.24 s for 7 million voxels and a radius of 5).
"""

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, kernel


def reach(
    mask: npt.NDArray[np.bool_], radius_mm: float, spacing_mm: tuple[float, float, float]
) -> npt.NDArray[np.bool_]:
    """Find the voxels within a radius of a mask.

    Letters: Z, Y, X grid.

    Parameters
    ----------
    mask : (Z, Y, X) bool, C-contiguous
    radius_mm : float
        Not negative. A voxel at just this distance is reached.
    spacing_mm : (float, float, float)
        Distance between voxel centres along (z, y, x).

    Returns
    -------
    reached : (Z, Y, X) bool
    """
    in_slices = np.empty(mask.shape, np.float32)
    reached = np.zeros(mask.shape, np.bool_)
    in_parts(_measure_in_slices, mask, float(radius_mm), spacing_mm, in_slices)
    in_parts(_reach_across, in_slices, float(radius_mm), spacing_mm[0], reached)
    return reached


@kernel("(boolean[:, :, ::1], float64, UniTuple(float64, 3), float32[:, :, ::1], int64, int64)")
def _measure_in_slices(
    mask: npt.NDArray[np.bool_],
    radius_mm: float,
    spacing_mm: tuple[float, float, float],
    squared: npt.NDArray[np.float32],
    part: int,
    parts: int,
) -> None:
    """Measure squared distances (mm2) to the mask within the slices ``part::parts``, up to the radius."""
    nz, ny, nx = mask.shape
    _, sy, sx = spacing_mm
    beyond = int(radius_mm / sx) + 2
    n_rows = int(radius_mm / sy + 1e-6)
    rows = np.empty((ny, nx), np.float32)
    for z in range(part, nz, parts):
        for y in range(ny):
            _measure_in_row(mask[z, y], np.float32(sx), beyond, rows[y])
        for y in range(ny):
            nearest = squared[z, y]
            for x in range(nx):
                nearest[x] = rows[y, x]
            for y2 in range(max(y - n_rows, 0), min(y + n_rows + 1, ny)):
                more = np.float32(((y2 - y) * sy) ** 2)
                other = rows[y2]
                for x in range(nx):
                    way = other[x] + more
                    nearest[x] = way if way < nearest[x] else nearest[x]


@kernel
def _measure_in_row(
    mask: npt.NDArray[np.bool_],
    step_mm: np.float32,
    beyond: int,
    squared: npt.NDArray[np.float32],
) -> None:
    """Measure the squared distance (mm2) to the mask along one row, at most `beyond` steps."""
    nx = mask.size
    steps = beyond
    for x in range(nx):
        steps = 0 if mask[x] else min(steps + 1, beyond)
        squared[x] = (steps * step_mm) ** 2
    steps = beyond
    for x in range(nx - 1, -1, -1):
        steps = 0 if mask[x] else min(steps + 1, beyond)
        squared[x] = min(squared[x], (steps * step_mm) ** 2)


@kernel("(float32[:, :, ::1], float64, float64, boolean[:, :, ::1], int64, int64)")
def _reach_across(
    squared: npt.NDArray[np.float32],
    radius_mm: float,
    slice_mm: float,
    reached: npt.NDArray[np.bool_],
    part: int,
    parts: int,
) -> None:
    """Combine slices, in the rows ``part::parts``."""
    nz, ny, nx = squared.shape
    n_slices = int(radius_mm / slice_mm + 1e-6)
    for y in range(part, ny, parts):
        for z in range(nz):
            row = reached[z, y]
            for z2 in range(max(z - n_slices, 0), min(z + n_slices + 1, nz)):
                left = np.float32(radius_mm * radius_mm - ((z2 - z) * slice_mm) ** 2 + 1e-3)
                other = squared[z2, y]
                for x in range(nx):
                    row[x] |= other[x] <= left
