"""Rays within slices: what they meet first and last, and which voxels they pass between two depths."""

from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import kernel


@kernel("(uint8[:, :, ::1], uint8[:, :, ::1], float64[:, ::1], float64[:, ::1], uint8[::1], int64)")
def march_rays(
    sides: npt.NDArray[np.uint8],
    bone: npt.NDArray[np.uint8],
    centres: npt.NDArray[np.float64],
    directions: npt.NDArray[np.float64],
    own: npt.NDArray[np.uint8],
    n_steps: int,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """March outwards in every slice: where lung begins and ends on a ray, and where bone follows it.

    Letters: Z, Y, X grid; A rays per slice.

    Parameters
    ----------
    sides : (Z, Y, X) uint8
        Number of the lung, 0 elsewhere.
    bone : (Z, Y, X) uint8
        Not 0 in bone.
    centres : (Z, 2) float64
        Where the rays of a slice start, (y, x) in voxels.
    directions : (A, 2) float64
        One step of a ray, (y, x) in voxels.
    own : (A,) uint8
        Number of the lung that a ray looks for.
    n_steps : int
        Length of a ray in steps.

    Returns
    -------
    first, last : (Z, A) int16
        Step at which the ray meets its lung first and last; `n_steps` and -1 where it does not.
    wall : (Z, A) int16
        Step at which it meets bone first, outside all lung of its own; `n_steps` where it does not.

    Notes
    -----
    Nothing is checked. A ray ends at the edge of the grid.
    """
    nz, ny, nx = sides.shape
    n_rays = directions.shape[0]
    first = np.empty((nz, n_rays), np.int16)
    last = np.empty((nz, n_rays), np.int16)
    wall = np.empty((nz, n_rays), np.int16)
    for z in range(nz):
        for a in range(n_rays):
            first[z, a], last[z, a], wall[z, a] = n_steps, -1, n_steps
            for step in range(n_steps):
                y = int(np.floor(centres[z, 0] + step * directions[a, 0] + 0.5))
                x = int(np.floor(centres[z, 1] + step * directions[a, 1] + 0.5))
                if y < 0 or x < 0 or y >= ny or x >= nx:
                    break
                if sides[z, y, x] == own[a]:
                    first[z, a] = min(step, first[z, a])
                    last[z, a] = step
                    wall[z, a] = n_steps
                elif bone[z, y, x] and wall[z, a] == n_steps:
                    wall[z, a] = step
    return first, last, wall


@kernel("(boolean[:, :, ::1], int16[:, ::1], int16[:, ::1], float64[:, ::1], float64[:, ::1])")
def paint_rays(
    mask: npt.NDArray[np.bool_],
    inner: npt.NDArray[np.int16],
    outer: npt.NDArray[np.int16],
    centres: npt.NDArray[np.float64],
    directions: npt.NDArray[np.float64],
) -> None:
    """Set the voxels that rays pass from one depth up to another.

    Letters: Z, Y, X grid; A rays per slice.

    Parameters
    ----------
    mask : (Z, Y, X) bool
        Changed in place.
    inner, outer : (Z, A) int16
        First step that is painted, and the first beyond it that is not.
    centres : (Z, 2) float64
        Where the rays of a slice start, (y, x) in voxels.
    directions : (A, 2) float64
        One step of a ray, (y, x) in voxels.

    Notes
    -----
    Nothing is checked. Steps outside the grid paint nothing.
    """
    nz, ny, nx = mask.shape
    for z in range(nz):
        for a in range(directions.shape[0]):
            for step in range(inner[z, a], outer[z, a]):
                y = int(np.floor(centres[z, 0] + step * directions[a, 0] + 0.5))
                x = int(np.floor(centres[z, 1] + step * directions[a, 1] + 0.5))
                if y >= 0 and x >= 0 and y < ny and x < nx:
                    mask[z, y, x] = True
