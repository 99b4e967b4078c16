"""Loops over blood vessels: what stands out of the lung around it, ridges, cross-sections, and their volume."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, kernel

NOT_LUNG = -32768
"""Contrast of a voxel that does not count."""

SPOKES = 16
"""Directions in which a cross-section is followed."""

STEP = 0.5
"""Steps along them, in voxels."""

LOWEST_HU = -1100
"""HU of the first bin of a block's histogram; 1200 bins reach 99 HU."""


def block_background(
    hu: npt.NDArray[np.float32], inside: npt.NDArray[np.bool_], edge: int, least: int
) -> npt.NDArray[Any]:
    """Estimate the HU of the lung between the vessels, in blocks.

    It is the mean of what lies within three robust standard deviations of the block's median: vessels, which
    are far brighter, do not weigh, and noise, which is symmetric, does not bias.

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
        HU and robust standard deviation; NaN for none.
    """
    shape = [-(-n // edge) for n in hu.shape]
    background = np.full((*shape, 2), np.nan, np.float32)
    in_parts(_block_background, hu, inside, edge, least, background)
    return background


@kernel
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
    counts = np.zeros(1200, np.int64)
    for k in range(part, bz, parts):
        for j in range(by):
            for i in range(bx):
                counts[:] = 0
                n = 0
                for z in range(k * edge, min((k + 1) * edge, nz)):
                    for y in range(j * edge, min((j + 1) * edge, ny)):
                        for x in range(i * edge, min((i + 1) * edge, nx)):
                            if inside[z, y, x]:
                                bin_ = int(math.floor(hu[z, y, x])) - LOWEST_HU
                                counts[min(max(bin_, 0), 1199)] += 1
                                n += 1
                if n < max(least, 1):
                    continue
                median = 0
                below = counts[0]
                while 2 * below < n:
                    median += 1
                    below += counts[median]
                half = 0
                near = counts[median]
                while 2 * near < n:
                    half += 1
                    if median - half >= 0:
                        near += counts[median - half]
                    if median + half < 1200:
                        near += counts[median + half]
                reach = max(int(3 * 1.4826 * half), 5)
                total, count = 0, 0
                for bin_ in range(max(median - reach, 0), min(median + reach, 1199) + 1):
                    total += bin_ * counts[bin_]
                    count += counts[bin_]
                background[k, j, i, 0] = total / count + LOWEST_HU + 0.5
                background[k, j, i, 1] = 1.4826 * half


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


@kernel
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
                    contrast[z, y, x] = int(math.floor(hu[z, y, x] - level + 0.5))


def find_ridges(
    contrast: npt.NDArray[np.int16],
    taps: npt.NDArray[np.float32],
    least_contrast: float,
    least_curvature: float,
    least_roundness: float,
) -> npt.NDArray[Any]:
    """Find voxels on the centre lines of bright tubes.

    A voxel is on a line if, by the second-order expansion of the smoothed image, the top of the cross-section
    lies within it (Steger 1998), and the image bends down across the line in both directions, at least
    `least_roundness` times as much in the weaker, and less than half as much along the line as across.

    Parameters
    ----------
    contrast : (Z, Y, X) int16
        HU above the lung around; `NOT_LUNG` counts as 0. The outermost layers, as many as the taps reach, are
        left out.
    taps : (3, T) float32
        Correlation kernels of the Gaussian and its first and second derivative; T odd.
    least_contrast : float
        Of the voxel itself and of the smoothed image there.
    least_curvature : float
        In the weaker direction across, in HU/voxel².
    least_roundness : float
        Weaker over stronger curvature; a sheet has 0, a round tube 1.

    Returns
    -------
    axis : (Z, Y, X, 3) int8
        Direction of the line times 100, its sign arbitrary; 0 where there is none.
    """
    axis = np.zeros((*contrast.shape, 3), np.int8)
    limits = (float(least_contrast), float(least_curvature), float(least_roundness))
    in_parts(_find_ridges, contrast, taps.astype(np.float64), limits, axis)
    return axis


@kernel
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


@kernel
def _expand(
    contrast: npt.NDArray[np.int16],
    taps: npt.NDArray[np.float64],
    at: tuple[int, int, int],
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
                value = contrast[z + a - radius, y + b - radius, x + c - radius]
                if value != NOT_LUNG:
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


@kernel
def _find_ridges(
    contrast: npt.NDArray[np.int16],
    taps: npt.NDArray[np.float64],
    limits: tuple[float, float, float],
    axis: npt.NDArray[np.int8],
    part: int,
    parts: int,
) -> None:
    """Fill the slices ``part::parts``."""
    nz, ny, nx = contrast.shape
    radius = taps.shape[1] // 2
    space = (np.zeros((taps.shape[1], 3)), np.zeros((taps.shape[1], 6)))
    found, m, v = np.zeros(10), np.zeros((3, 3)), np.zeros((3, 3))
    for z in range(radius + part, nz - radius, parts):
        for y in range(radius, ny - radius):
            for x in range(radius, nx - radius):
                if contrast[z, y, x] < limits[0]:
                    continue
                _expand(contrast, taps, (z, y, x), space, found)
                if found[0] < limits[0]:
                    continue
                m[0, 0], m[1, 1], m[2, 2] = found[4], found[5], found[6]
                m[0, 1], m[0, 2], m[1, 2] = found[7], found[8], found[9]
                m[1, 0], m[2, 0], m[2, 1] = found[7], found[8], found[9]
                if m[0, 0] + m[1, 1] + m[2, 2] > -limits[1]:
                    continue
                _diagonalise(m, v)
                last, first = 0, 0
                for k in range(1, 3):
                    if m[k, k] < m[last, last]:
                        last = k
                    if m[k, k] >= m[first, first]:
                        first = k
                middle = 3 - last - first
                weaker, stronger = -m[middle, middle], -m[last, last]
                if weaker < limits[1] or weaker < limits[2] * stronger:
                    continue
                if abs(m[first, first]) > 0.5 * weaker:
                    continue
                off = np.zeros(3)
                for k in (middle, last):
                    slope = found[1] * v[0, k] + found[2] * v[1, k] + found[3] * v[2, k]
                    for d in range(3):
                        off[d] -= slope / m[k, k] * v[d, k]
                if max(abs(off[0]), abs(off[1]), abs(off[2])) > 0.6:
                    continue
                for d in range(3):
                    axis[z, y, x, d] = int(math.floor(100 * v[d, first] + 0.5))


def cross_sections(
    contrast: npt.NDArray[np.int16],
    points: npt.NDArray[np.int32],
    axes: npt.NDArray[np.float32],
    reach: float,
    rise: float,
) -> npt.NDArray[Any]:
    """Integrate the contrast over the disc at right angles to each point's line.

    The disc is followed outwards along `SPOKES` directions. A spoke ends at its first value of 0 or less, where
    it leaves the lung, or where it has risen by `rise` over its lowest value: another vessel begins there. A
    spoke that ended otherwise than by 0 or less takes the mean of the others from there on.

    Letters: N points; Z, Y, X grid.

    Parameters
    ----------
    contrast : (Z, Y, X) int16
        As of `contrast_to`.
    points : (N, 3) int32
    axes : (N, 3) float32
        Unit vectors.
    reach : float
        Most radius, in voxels.
    rise : float
        In HU.

    Returns
    -------
    sections : (N, 2) float64
        Integral in HU voxel², and the share (0 to 1) of the spokes that reached the lung around.
    """
    sections = np.zeros((len(points), 2))
    in_parts(_cross_sections, contrast, points, axes, (float(reach), float(rise)), sections)
    return sections


@kernel
def _cross_sections(
    contrast: npt.NDArray[np.int16],
    points: npt.NDArray[np.int32],
    axes: npt.NDArray[np.float32],
    limits: tuple[float, float],
    sections: npt.NDArray[np.float64],
    part: int,
    parts: int,
) -> None:
    """Fill the points ``part::parts``."""
    nz, ny, nx = contrast.shape
    n_steps = int(limits[0] / STEP)
    open_ = np.zeros(SPOKES, np.int8)  # 0 goes on, 1 reached the lung, 2 was stopped
    lowest = np.zeros(SPOKES)
    for p in range(part, points.shape[0], parts):
        az, ay, ax = axes[p, 0], axes[p, 1], axes[p, 2]
        # two directions across: a cross product with the axis that is farthest from it
        if abs(az) <= abs(ay) and abs(az) <= abs(ax):
            uz, uy, ux = 0.0, -ax, ay
        elif abs(ay) <= abs(ax):
            uz, uy, ux = ax, 0.0, -az
        else:
            uz, uy, ux = -ay, az, 0.0
        size = math.sqrt(uz * uz + uy * uy + ux * ux) + 1e-30
        uz, uy, ux = uz / size, uy / size, ux / size
        wz, wy, wx = ay * ux - ax * uy, ax * uz - az * ux, az * uy - ay * uz
        here = float(contrast[points[p, 0], points[p, 1], points[p, 2]])
        open_[:] = 0
        lowest[:] = here
        total = here * math.pi * (STEP / 2) ** 2
        for step in range(1, n_steps + 1):
            r = step * STEP
            ring, n_known, n_open = 0.0, 0, 0
            for s in range(SPOKES):
                if open_[s] == 1:
                    n_known += 1
                if open_[s] != 0:
                    continue
                angle = 2 * math.pi * s / SPOKES
                cu, cw = r * math.cos(angle), r * math.sin(angle)
                z = int(math.floor(points[p, 0] + cu * uz + cw * wz + 0.5))
                y = int(math.floor(points[p, 1] + cu * uy + cw * wy + 0.5))
                x = int(math.floor(points[p, 2] + cu * ux + cw * wx + 0.5))
                value = float(NOT_LUNG)
                if 0 <= z < nz and 0 <= y < ny and 0 <= x < nx:
                    value = float(contrast[z, y, x])
                if value == NOT_LUNG or value > lowest[s] + limits[1]:
                    open_[s] = 2
                elif value <= 0:
                    open_[s] = 1
                    n_known += 1
                else:
                    lowest[s] = min(lowest[s], value)
                    ring += value
                    n_known += 1
                    n_open += 1
            if n_open == 0:
                break
            total += ring / n_known * 2 * math.pi * r * STEP
        reached = 0
        for s in range(SPOKES):
            if open_[s] == 1:
                reached += 1
        sections[p, 0] = total
        sections[p, 1] = reached / SPOKES


def paint_nearest(
    shape: tuple[int, int, int],
    points: npt.NDArray[np.int32],
    radii: npt.NDArray[np.float32],
) -> npt.NDArray[Any]:
    """Give every voxel within a point's radius to the point whose rim it lies deepest under; the first of equals.

    Parameters
    ----------
    shape : (int, int, int)
    points : (N, 3) int32
    radii : (N,) float32
        In voxels.

    Returns
    -------
    owner : (Z, Y, X) int32
        Index of the point, -1 for none.
    """
    owner = np.full(shape, -1, np.int32)
    in_parts(_paint_nearest, points, radii, np.full(shape, np.inf, np.float32), owner)
    return owner


@kernel
def _paint_nearest(
    points: npt.NDArray[np.int32],
    radii: npt.NDArray[np.float32],
    gap: npt.NDArray[np.float32],
    owner: npt.NDArray[np.int32],
    part: int,
    parts: int,
) -> None:
    """Fill the slices ``part::parts``; `gap` is the distance over the radius so far."""
    nz, ny, nx = owner.shape
    for p in range(points.shape[0]):
        radius = radii[p]
        reach = int(radius)
        pz, py, px = points[p, 0], points[p, 1], points[p, 2]
        first = max(pz - reach, 0)
        first += (part - first) % parts
        for z in range(first, min(pz + reach, nz - 1) + 1, parts):
            for y in range(max(py - reach, 0), min(py + reach, ny - 1) + 1):
                for x in range(max(px - reach, 0), min(px + reach, nx - 1) + 1):
                    square = (z - pz) ** 2 + (y - py) ** 2 + (x - px) ** 2
                    if square > radius * radius:
                        continue
                    relative = np.float32(math.sqrt(square) - radius)
                    if relative < gap[z, y, x]:
                        gap[z, y, x] = relative
                        owner[z, y, x] = p
