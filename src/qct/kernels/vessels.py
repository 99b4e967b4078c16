"""Loops over blood vessels: what stands out of the lung around it, cross-sections, and volume around lines."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, kernel

NOT_LUNG = -32768
"""Contrast of a voxel that does not count."""

SPOKES = 16
"""Directions in which a cross-section is followed."""

MIDDLE = 0.6
"""Standard deviation of the Gaussian that weighs a cross-section's middle, in voxels."""

STEP = 0.5
"""Steps along them, in voxels."""

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
                                bin_ = math.floor(hu[z, y, x]) - LOWEST_HU
                                counts[min(max(bin_, 0), N_BINS - 1)] += 1
                                n += 1
                if n < max(least, 1):
                    continue
                level, spread = _mode(counts, n)
                background[k, j, i, 0] = level + LOWEST_HU + 0.5
                background[k, j, i, 1] = spread


@kernel
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
            squares += counts[bin_] * (bin_ - level) ** 2
            count += counts[bin_]
        spread = max(math.sqrt(squares / max(count, 1)), 1.0)
        total, count = 0, 0
        first = max(math.ceil(level - spread), 0)
        last = min(math.floor(level + spread), counts.size - 1)
        for bin_ in range(first, last + 1):
            total += bin_ * counts[bin_]
            count += counts[bin_]
        if count == 0:
            break
        level = total / count
    return level, spread


def block_means(
    hu: npt.NDArray[np.float32],
    inside: npt.NDArray[np.bool_],
    taken: npt.NDArray[np.int32],
    sizes: tuple[int, int, int],
    trim: float,
) -> npt.NDArray[Any]:
    """Average the lung between the vessels in blocks, without the lowest and the highest share of its values.

    Parameters
    ----------
    hu : (Z, Y, X) float32
    inside : (Z, Y, X) bool
        Lung.
    taken : (Z, Y, X) int32
        0 or more where a vessel is, such as the owners of `paint_nearest`.
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
    "(float32[:, :, ::1], boolean[:, :, ::1], int32[:, :, ::1], UniTuple(int64, 3), float64, "
    "float32[:, :, ::1], int64, int64)"
)
def _block_means(
    hu: npt.NDArray[np.float32],
    inside: npt.NDArray[np.bool_],
    taken: npt.NDArray[np.int32],
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
                                taken[z, y, x] < 0
                                and inside[z, y, x]
                                and inside[z - rim, y, x]
                                and inside[z + rim, y, x]
                                and inside[z, y - rim, x]
                                and inside[z, y + rim, x]
                                and inside[z, y, x - rim]
                                and inside[z, y, x + rim]
                            ):
                                bin_ = math.floor(hu[z, y, x]) - LOWEST_HU
                                counts[min(max(bin_, 0), N_BINS - 1)] += 1
                                n += 1
                if n >= max(least, 1):
                    means[k, j, i] = _trimmed_mean(counts, n, int(trim * n)) + LOWEST_HU + 0.5


@kernel
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


def cross_sections(
    contrast: npt.NDArray[np.int16],
    points: npt.NDArray[np.float32],
    axes: npt.NDArray[np.float32],
    limits: tuple[float, float, float, float],
) -> npt.NDArray[Any]:
    """Integrate the contrast over the disc at right angles to each point's line.

    The disc is followed outwards in rings of `SPOKES` values. Of two opposite values that differ by more than
    a gate the lower one counts, so that what lies on one side (another vessel, the wall of a bronchus) does
    not. The disc ends a blur beyond the radius of a disc of full contrast with the same integral.

    Letters: N points; Z, Y, X grid.

    Parameters
    ----------
    contrast : (Z, Y, X) int16
        As of `contrast_to`.
    points : (N, 3) float32
        In voxels.
    axes : (N, 3) float32
        Unit vectors.
    limits : (float, float, float, float)
        Contrast of what fills a voxel (HU); blur, and the largest radius (voxels); gate (HU).

    Returns
    -------
    sections : (N, 5) float64
        Integral in HU voxel²; mean in HU of the same rings, weighed by a Gaussian of `MIDDLE` around the
        line; radius at which the disc ended; the share (0 to 1) of its last ring that is lung, and the mean
        of that ring.
    """
    sections = np.zeros((len(points), 5))
    in_parts(_cross_sections, contrast, points, axes, tuple(map(float, limits)), sections)
    return sections


@kernel(
    "(int16[:, :, ::1], float64[:, ::1], float32[:, ::1], UniTuple(float64, 4), float64[:, ::1], "
    "int64, int64)"
)
def _cross_sections(
    contrast: npt.NDArray[np.int16],
    points: npt.NDArray[np.float32],
    axes: npt.NDArray[np.float32],
    limits: tuple[float, float, float, float],
    sections: npt.NDArray[np.float64],
    part: int,
    parts: int,
) -> None:
    """Fill the points ``part::parts``."""
    full, blur, reach, gate = limits
    ring = np.zeros(SPOKES)
    turn = 2 * math.pi / SPOKES * np.arange(SPOKES)
    cosine, sine = np.cos(turn), np.sin(turn)
    u, w = np.zeros(3), np.zeros(3)
    for p in range(part, points.shape[0], parts):
        pz, py, px = float(points[p, 0]), float(points[p, 1]), float(points[p, 2])
        _across(float(axes[p, 0]), float(axes[p, 1]), float(axes[p, 2]), u, w)
        total = max(_read(contrast, pz, py, px), 0.0) * math.pi * (STEP / 2) ** 2
        weight = math.pi * (STEP / 2) ** 2
        weighed, weights = total, weight
        r, known, value = 0.0, SPOKES, 0.0
        while r < reach:
            r += STEP
            known = 0
            for s in range(SPOKES):
                a, b = r * cosine[s], r * sine[s]
                value = _read(
                    contrast,
                    pz + a * u[0] + b * w[0],
                    py + a * u[1] + b * w[1],
                    px + a * u[2] + b * w[2],
                )
                ring[s] = value
            value, known = _mean_of_pairs(ring, gate)
            if known == 0:
                break
            ring_area = 2 * math.pi * r * STEP
            total += value * ring_area
            weight = ring_area * math.exp(-(r * r) / (2 * MIDDLE * MIDDLE))
            weighed += value * weight
            weights += weight
            if r >= math.sqrt(max(total, 0.0) / (math.pi * full)) + blur:
                break
        sections[p, 0], sections[p, 1] = total, weighed / weights
        sections[p, 2], sections[p, 3], sections[p, 4] = r, known / SPOKES, value


@kernel
def _mean_of_pairs(ring: npt.NDArray[np.float64], gate: float) -> tuple[float, int]:
    """Return the mean over a ring, the lower of opposite values counting if they differ by more than the gate.

    Also return how many values are known.
    """
    half = ring.shape[0] // 2
    total, known, pairs = 0.0, 0, 0
    for s in range(half):
        a, b = ring[s], ring[s + half]
        known += (a != NOT_LUNG) + (b != NOT_LUNG)
        if a == NOT_LUNG and b == NOT_LUNG:
            continue
        if a == NOT_LUNG or b == NOT_LUNG:
            value = max(a, b)
        elif abs(a - b) > gate:
            value = min(a, b)
        else:
            value = (a + b) / 2
        total += value
        pairs += 1
    return total / max(pairs, 1), known


@kernel
def _across(z: float, y: float, x: float, u: Any, w: Any) -> None:
    """Fill two unit vectors at right angles to one and to each other."""
    if abs(z) <= abs(y) and abs(z) <= abs(x):
        u[0], u[1], u[2] = 0.0, -x, y
    elif abs(y) <= abs(x):
        u[0], u[1], u[2] = x, 0.0, -z
    else:
        u[0], u[1], u[2] = -y, z, 0.0
    size = math.sqrt(u[0] ** 2 + u[1] ** 2 + u[2] ** 2) + 1e-30
    for d in range(3):
        u[d] /= size
    w[0], w[1], w[2] = y * u[2] - x * u[1], x * u[0] - z * u[2], z * u[1] - y * u[0]


@kernel
def _read(contrast: npt.NDArray[np.int16], z: float, y: float, x: float) -> float:
    """Read linearly between voxels; `NOT_LUNG` where the nearest is none, whose neighbours count as 0."""
    nz, ny, nx = contrast.shape
    kz, ky, kx = math.floor(z), math.floor(y), math.floor(x)
    if kz < 0 or ky < 0 or kx < 0 or kz > nz - 2 or ky > ny - 2 or kx > nx - 2:
        return float(NOT_LUNG)
    fz, fy, fx = z - kz, y - ky, x - kx
    if contrast[kz + (fz >= 0.5), ky + (fy >= 0.5), kx + (fx >= 0.5)] == NOT_LUNG:
        return float(NOT_LUNG)
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                value = contrast[kz + a, ky + b, kx + c]
                if value != NOT_LUNG:
                    share = (fz if a else 1 - fz) * (fy if b else 1 - fy) * (fx if c else 1 - fx)
                    total += share * value
    return total


def paint_nearest(
    shape: tuple[int, int, int],
    points: npt.NDArray[np.int32],
    radii: npt.NDArray[np.float32],
) -> npt.NDArray[Any]:
    """Give every voxel within a point's radius to the point whose rim it lies deepest under.

    Of equals the first has it.

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


@kernel("(int32[:, ::1], float32[::1], float32[:, :, ::1], int32[:, :, ::1], int64, int64)")
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


def sum_by_owner(
    contrast: npt.NDArray[np.int16],
    labels: npt.NDArray[np.uint8],
    owner: npt.NDArray[np.int32],
    section: npt.NDArray[np.int32],
    n_sections: int,
) -> npt.NDArray[Any]:
    """Sum the contrast of the voxels that belong to a point, by label and by the point's class.

    A voxel beside one that is `NOT_LUNG` shows the blurred rim of the lung or of an airway and does not count.

    Parameters
    ----------
    contrast : (Z, Y, X) int16
    labels : (Z, Y, X) uint8
        Below 8 where `contrast` is lung.
    owner : (Z, Y, X) int32
        As of `paint_nearest`.
    section : (N,) int32
        Class of every point, 0 to A - 1.
    n_sections : int
        A.

    Returns
    -------
    sums : (8, A) int64
    """
    sums = np.zeros((contrast.shape[0], 8, n_sections), np.int64)
    in_parts(_sum_by_owner, contrast, labels, owner, section, sums)
    total: npt.NDArray[Any] = sums.sum(axis=0)
    return total


@kernel(
    "(int16[:, :, ::1], uint8[:, :, ::1], int32[:, :, ::1], int32[::1], int64[:, :, ::1], int64, int64)"
)
def _sum_by_owner(
    contrast: npt.NDArray[np.int16],
    labels: npt.NDArray[np.uint8],
    owner: npt.NDArray[np.int32],
    section: npt.NDArray[np.int32],
    sums: npt.NDArray[np.int64],
    part: int,
    parts: int,
) -> None:
    """Fill the slices ``part::parts``."""
    nz, ny, nx = contrast.shape
    for z in range(part, nz, parts):
        below, above = max(z - 1, 0), min(z + 1, nz - 1)
        for y in range(ny):
            front, back = max(y - 1, 0), min(y + 1, ny - 1)
            for x in range(nx):
                if owner[z, y, x] < 0 or contrast[z, y, x] == NOT_LUNG:
                    continue
                lowest = min(
                    contrast[below, y, x],
                    contrast[above, y, x],
                    contrast[z, front, x],
                    contrast[z, back, x],
                    contrast[z, y, max(x - 1, 0)],
                    contrast[z, y, min(x + 1, nx - 1)],
                )
                if lowest != NOT_LUNG:
                    sums[z, labels[z, y, x], section[owner[z, y, x]]] += contrast[z, y, x]
