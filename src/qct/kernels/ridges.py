"""Loops over candidates for centre lines: which lie on the ridge of a bright tube, and which way it runs."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, inner, kernel

WITHIN = 0.75
"""The top of the cross-section lies in the voxel if no coordinate is farther from its middle than this."""

ALONG = 0.8
"""Along a line the image bends less than this share of what it bends across."""


def find_ridges(
    image: npt.NDArray[np.int16],
    candidates: npt.NDArray[np.int32],
    taps: npt.NDArray[np.float32],
    least: tuple[float, float, float],
    blank: int,
) -> npt.NDArray[Any]:
    """Find the candidates that lie on the centre line of a bright tube.

    By the second-order expansion of the smoothed image the top of the cross-section lies in the voxel (Steger
    1998), and the image bends down in both directions across the line, and hardly along it.

    Letters: Z, Y, X grid; N candidates; T taps, odd.

    Parameters
    ----------
    image : (Z, Y, X) int16
    candidates : (N, 3) int32
        Voxels no nearer to the edge of the grid than the taps reach.
    taps : (3, T) float32
        Correlation kernels of the Gaussian and its first and second derivative.
    least : (float, float, float)
        Of the smoothed image; of the curvature in the weaker direction across, per voxel²; of the weaker over
        the stronger curvature (a sheet has 0, a round tube 1).
    blank : int
        Such voxels count as 0.

    Returns
    -------
    ridges : (N, 6) float32
        From the voxel's middle to the line, and the line's unit direction, its sign arbitrary; the direction
        is 0 where there is no line.
    """
    ridges = np.zeros((len(candidates), 6), np.float32)
    limits = (float(least[0]), float(least[1]), float(least[2]), int(blank))
    in_parts(_find_ridges, image, candidates, taps.astype(np.float64), limits, ridges)
    return ridges


@kernel(
    "(int16[:, :, ::1], int32[:, ::1], float64[:, ::1], Tuple((float64, float64, float64, int64)), "
    "float32[:, ::1], int64, int64)"
)
def _find_ridges(
    image: npt.NDArray[np.int16],
    candidates: npt.NDArray[np.int32],
    taps: npt.NDArray[np.float64],
    limits: tuple[float, float, float, int],
    ridges: npt.NDArray[np.float32],
    part: int,
    parts: int,
) -> None:
    """Fill one of `parts` spans of candidates."""
    n = candidates.shape[0]
    space = (np.zeros((taps.shape[1], 3)), np.zeros((taps.shape[1], 6)))
    found, m, v, off = np.zeros(10), np.zeros((3, 3)), np.zeros((3, 3)), np.zeros(3)
    for p in range(n * part // parts, n * (part + 1) // parts):
        at = (candidates[p, 0], candidates[p, 1], candidates[p, 2])
        if not _is_top(image, at):
            continue
        _expand(image, taps, at, limits[3], space, found)
        if found[0] < limits[0] or found[4] + found[5] + found[6] > -2 * limits[1]:
            continue
        m[0, 0], m[1, 1], m[2, 2] = found[4], found[5], found[6]
        m[0, 1], m[0, 2], m[1, 2] = found[7], found[8], found[9]
        m[1, 0], m[2, 0], m[2, 1] = found[7], found[8], found[9]
        _diagonalise(m, v)
        last, first = 0, 0
        for k in range(1, 3):
            if m[k, k] < m[last, last]:
                last = k
            if m[k, k] >= m[first, first]:
                first = k
        middle = 3 - last - first
        weaker = -m[middle, middle]
        if weaker < limits[1] or weaker < limits[2] * -m[last, last]:
            continue
        if abs(m[first, first]) > ALONG * weaker:
            continue
        off[:] = 0.0
        for k in (middle, last):
            slope = found[1] * v[0, k] + found[2] * v[1, k] + found[3] * v[2, k]
            for d in range(3):
                off[d] -= slope / m[k, k] * v[d, k]
        if max(abs(off[0]), abs(off[1]), abs(off[2])) <= WITHIN:
            for d in range(3):
                ridges[p, d] = off[d]
                ridges[p, 3 + d] = v[d, first]


@inner
def _is_top(image: npt.NDArray[np.int16], at: tuple[int, int, int]) -> bool:
    """Tell whether a voxel is no lower than both its neighbours along an axis; on a line it is along two."""
    z, y, x = at
    value = image[z, y, x]
    return bool(
        (value >= image[z, y, x - 1] and value >= image[z, y, x + 1])
        or (value >= image[z, y - 1, x] and value >= image[z, y + 1, x])
        or (value >= image[z - 1, y, x] and value >= image[z + 1, y, x])
    )


@inner
def _diagonalise(m: npt.NDArray[np.float64], v: npt.NDArray[np.float64]) -> None:
    """Turn a symmetric 3x3 matrix into diagonal form by Jacobi's rotations; columns of `v` are the axes."""
    for i in range(3):
        for j in range(3):
            v[i, j] = 1.0 if i == j else 0.0
    for _ in range(6):
        for p in range(2):
            for q in range(p + 1, 3):
                if abs(m[p, q]) < 1e-9:
                    continue
                theta = (m[q, q] - m[p, p]) / (2 * m[p, q])
                t = (1.0 if theta >= 0 else -1.0) / (abs(theta) + math.sqrt(theta * theta + 1))
                c = 1 / math.sqrt(t * t + 1)
                s = t * c
                for k in range(3):
                    a, b = m[k, p], m[k, q]
                    m[k, p], m[k, q] = c * a - s * b, s * a + c * b
                for k in range(3):
                    a, b = m[p, k], m[q, k]
                    m[p, k], m[q, k] = c * a - s * b, s * a + c * b
                for k in range(3):
                    a, b = v[k, p], v[k, q]
                    v[k, p], v[k, q] = c * a - s * b, s * a + c * b


@inner
def _expand(
    image: npt.NDArray[np.int16],
    taps: npt.NDArray[np.float64],
    at: tuple[int, int, int],
    blank: int,
    space: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    found: npt.NDArray[np.float64],
) -> None:
    """Fill value, gradient (z, y, x) and Hessian (zz, yy, xx, zy, zx, yx) of the smoothed image at a voxel."""
    z, y, x = at
    along_x, along_y = space
    n = taps.shape[1]
    radius = n // 2
    for a in range(n):
        for b in range(n):
            s0, s1, s2 = 0.0, 0.0, 0.0
            for c in range(n):
                value = image[z + a - radius, y + b - radius, x + c - radius]
                if value != blank:
                    s0 += taps[0, c] * value
                    s1 += taps[1, c] * value
                    s2 += taps[2, c] * value
            along_x[b, 0], along_x[b, 1], along_x[b, 2] = s0, s1, s2
        for k in range(6):
            along_y[a, k] = 0.0
        for b in range(n):
            along_y[a, 0] += taps[0, b] * along_x[b, 0]
            along_y[a, 1] += taps[1, b] * along_x[b, 0]
            along_y[a, 2] += taps[2, b] * along_x[b, 0]
            along_y[a, 3] += taps[0, b] * along_x[b, 1]
            along_y[a, 4] += taps[1, b] * along_x[b, 1]
            along_y[a, 5] += taps[0, b] * along_x[b, 2]
    found[:] = 0.0
    for a in range(n):
        found[0] += taps[0, a] * along_y[a, 0]
        found[1] += taps[1, a] * along_y[a, 0]
        found[2] += taps[0, a] * along_y[a, 1]
        found[3] += taps[0, a] * along_y[a, 3]
        found[4] += taps[2, a] * along_y[a, 0]
        found[5] += taps[0, a] * along_y[a, 2]
        found[6] += taps[0, a] * along_y[a, 5]
        found[7] += taps[1, a] * along_y[a, 1]
        found[8] += taps[1, a] * along_y[a, 3]
        found[9] += taps[0, a] * along_y[a, 4]
