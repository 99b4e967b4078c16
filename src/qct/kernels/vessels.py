"""Loops over the centre lines of vessels: cross-sections, and the volume around the lines."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.background import NOT_LUNG
from qct.kernels.compiled import in_parts, inner, kernel
from qct.kernels.sorting import sort_first

SPOKES = 16
"""Directions in which a cross-section is followed."""

MIDDLE = 0.6
"""Standard deviation of the Gaussian that weighs a cross-section's middle, in voxels."""

MOST_ALONG = 64
"""So many points of a stretch of line are looked at."""

STEP = 0.5
"""Steps along them, in voxels."""


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
    cosine, sine = np.zeros(SPOKES), np.zeros(SPOKES)
    for s in range(SPOKES):
        cosine[s], sine[s] = math.cos(2 * math.pi / SPOKES * s), math.sin(2 * math.pi / SPOKES * s)
    u, w = np.zeros(3), np.zeros(3)
    for p in range(part, points.shape[0], parts):
        pz, py, px = float(points[p, 0]), float(points[p, 1]), float(points[p, 2])
        _across(float(axes[p, 0]), float(axes[p, 1]), float(axes[p, 2]), u, w)
        weight = math.pi * STEP * STEP / 4
        total = max(_read(contrast, pz, py, px), 0.0) * weight
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


@inner
def _mean_of_pairs(ring: npt.NDArray[np.float64], gate: float) -> tuple[float, int]:
    """Return the mean over a ring, the lower of opposite values counting if they differ by more than the gate.

    Also return how many values are known.
    """
    half = ring.shape[0] // 2
    total, known, pairs = 0.0, 0, 0
    for s in range(half):
        a, b = ring[s], ring[s + half]
        known += int(a != NOT_LUNG) + int(b != NOT_LUNG)
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


@inner
def _across(z: float, y: float, x: float, u: Any, w: Any) -> None:
    """Fill two unit vectors at right angles to one and to each other."""
    if abs(z) <= abs(y) and abs(z) <= abs(x):
        u[0], u[1], u[2] = 0.0, -x, y
    elif abs(y) <= abs(x):
        u[0], u[1], u[2] = x, 0.0, -z
    else:
        u[0], u[1], u[2] = -y, z, 0.0
    size = math.sqrt(u[0] * u[0] + u[1] * u[1] + u[2] * u[2]) + 1e-30
    for d in range(3):
        u[d] /= size
    w[0], w[1], w[2] = y * u[2] - x * u[1], x * u[0] - z * u[2], z * u[1] - y * u[0]


@inner
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


def lower_quartile_along(
    shape: tuple[int, int, int],
    points: npt.NDArray[np.float32],
    axes: npt.NDArray[np.float32],
    values: npt.NDArray[np.float64],
    reach: tuple[float, float, float],
) -> npt.NDArray[Any]:
    """Give every point the lower quartile of the values of the points on its own stretch of line, itself too.

    Letters: N points.

    Parameters
    ----------
    shape : (int, int, int)
        Of the grid that holds all points.
    points : (N, 3) float32
        In voxels.
    axes : (N, 3) float32
        Unit vectors, signs arbitrary.
    values : (N,) float64
    reach : (float, float, float)
        Most distance along the line, most distance off it (voxels), least cosine between directions.

    Returns
    -------
    quartiles : (N,) float64
        The value that a quarter of the others, rounded down, lie below.
    """
    first = np.zeros(shape, np.int32)
    following = np.zeros(len(points), np.int32)
    _chain(points, first, following)
    quartiles = np.zeros(len(points))
    limits = (float(reach[0]), float(reach[1]), float(reach[2]))
    in_parts(_lower_quartile_along, points, axes, values, (first, following), limits, quartiles)
    return quartiles


@kernel("(float64[:, ::1], int32[:, :, ::1], int32[::1])")
def _chain(
    points: npt.NDArray[np.float32],
    first: npt.NDArray[np.int32],
    following: npt.NDArray[np.int32],
) -> None:
    """Chain the points of every voxel, by their numbers from 1: its first, and after each the next; 0 ends."""
    for p in range(points.shape[0]):
        z = math.floor(points[p, 0] + 0.5)
        y = math.floor(points[p, 1] + 0.5)
        x = math.floor(points[p, 2] + 0.5)
        following[p] = first[z, y, x]
        first[z, y, x] = p + 1


@kernel(
    "(float64[:, ::1], float32[:, ::1], float64[::1], Tuple((int32[:, :, ::1], int32[::1])), "
    "UniTuple(float64, 3), float64[::1], int64, int64)"
)
def _lower_quartile_along(
    points: npt.NDArray[np.float32],
    axes: npt.NDArray[np.float32],
    values: npt.NDArray[np.float64],
    chains: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]],
    limits: tuple[float, float, float],
    quartiles: npt.NDArray[np.float64],
    part: int,
    parts: int,
) -> None:
    """Fill the points ``part::parts``."""
    first, following = chains
    nz, ny, nx = first.shape
    room = math.ceil(limits[0])
    found = np.zeros(MOST_ALONG)
    for p in range(part, points.shape[0], parts):
        n = 0
        pz = math.floor(points[p, 0] + 0.5)
        py = math.floor(points[p, 1] + 0.5)
        px = math.floor(points[p, 2] + 0.5)
        for z in range(max(pz - room, 0), min(pz + room + 1, nz)):
            for y in range(max(py - room, 0), min(py + room + 1, ny)):
                for x in range(max(px - room, 0), min(px + room + 1, nx)):
                    q = first[z, y, x] - 1
                    while q >= 0:
                        if n < MOST_ALONG and _is_along(points, axes, (p, q), limits):
                            found[n] = values[q]
                            n += 1
                        q = following[q] - 1
        sort_first(found, n)
        quartiles[p] = found[(n - 1) // 4]


@inner
def _is_along(
    points: npt.NDArray[np.float32],
    axes: npt.NDArray[np.float32],
    pair: tuple[int, int],
    limits: tuple[float, float, float],
) -> bool:
    """Tell whether the second point lies on the stretch of line of the first."""
    p, q = pair
    along, square, cosine = 0.0, 0.0, 0.0
    for d in range(3):
        step = float(points[q, d]) - float(points[p, d])
        along += step * axes[p, d]
        square += step * step
        cosine += float(axes[p, d]) * float(axes[q, d])
    off = math.sqrt(max(square - along * along, 0.0))
    return bool(abs(along) <= limits[0] and off <= limits[1] and abs(cosine) >= limits[2])


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
        Index of the point plus 1, 0 for none: memory that is never written to costs nothing.
    """
    owner = np.zeros(shape, np.int32)
    in_parts(_paint_nearest, points, radii, owner)
    return owner


@kernel("(int32[:, ::1], float32[::1], int32[:, :, ::1], int64, int64)")
def _paint_nearest(
    points: npt.NDArray[np.int32],
    radii: npt.NDArray[np.float32],
    owner: npt.NDArray[np.int32],
    part: int,
    parts: int,
) -> None:
    """Fill the slices ``part::parts``."""
    nz, ny, nx = owner.shape
    for p in range(points.shape[0]):
        reach = int(radii[p])
        pz, py, px = points[p, 0], points[p, 1], points[p, 2]
        first = max(pz - reach, 0)
        first += (part - first) % parts
        for z in range(first, min(pz + reach, nz - 1) + 1, parts):
            for y in range(max(py - reach, 0), min(py + reach, ny - 1) + 1):
                for x in range(max(px - reach, 0), min(px + reach, nx - 1) + 1):
                    under = _from_rim(points, radii, p, (z, y, x))
                    q = owner[z, y, x] - 1
                    if under <= 0 and (q < 0 or under < _from_rim(points, radii, q, (z, y, x))):
                        owner[z, y, x] = p + 1


@inner
def _from_rim(
    points: npt.NDArray[np.int32], radii: npt.NDArray[np.float32], p: int, at: tuple[int, int, int]
) -> float:
    """Return a voxel's distance from a point's rim, negative under it; infinite beyond the radius."""
    z, y, x = at[0] - points[p, 0], at[1] - points[p, 1], at[2] - points[p, 2]
    square = z * z + y * y + x * x
    if square > radii[p] * radii[p]:
        return np.inf
    return float(np.float32(math.sqrt(square) - radii[p]))


def sum_by_owner(
    contrast: npt.NDArray[np.int16],
    labels: npt.NDArray[np.uint8],
    owner: npt.NDArray[np.int32],
    points: npt.NDArray[np.int32],
    section: npt.NDArray[np.int32],
    n_sections: int,
) -> npt.NDArray[Any]:
    """Sum the contrast of the voxels that belong to a point, by label and by the point's class.

    A voxel beside one that is `NOT_LUNG` shows the blurred rim of the lung or of an airway: what its mirror
    image across the point shows counts in its place, for a vessel is alike on both sides. Where that is at
    the rim, too, neither counts.

    Letters: Z, Y, X grid; N points.

    Parameters
    ----------
    contrast : (Z, Y, X) int16
    labels : (Z, Y, X) uint8
        Below 8 where `contrast` is lung.
    owner : (Z, Y, X) int32
        As of `paint_nearest`.
    points : (N, 3) int32
        In voxels.
    section : (N,) int32
        Class of every point, 0 to A - 1.
    n_sections : int
        A.

    Returns
    -------
    sums : (8, A) int64
    """
    sums = np.zeros((contrast.shape[0], 8, n_sections), np.int64)
    in_parts(_sum_by_owner, contrast, labels, owner, points, section, sums)
    total: npt.NDArray[Any] = sums.sum(axis=0)
    return total


@kernel(
    "(int16[:, :, ::1], uint8[:, :, ::1], int32[:, :, ::1], int32[:, ::1], int32[::1], "
    "int64[:, :, ::1], int64, int64)"
)
def _sum_by_owner(
    contrast: npt.NDArray[np.int16],
    labels: npt.NDArray[np.uint8],
    owner: npt.NDArray[np.int32],
    points: npt.NDArray[np.int32],
    section: npt.NDArray[np.int32],
    sums: npt.NDArray[np.int64],
    part: int,
    parts: int,
) -> None:
    """Fill the slices ``part::parts``."""
    nz, ny, nx = contrast.shape
    for z in range(part, nz, parts):
        for y in range(ny):
            for x in range(nx):
                p = owner[z, y, x] - 1
                if p < 0 or contrast[z, y, x] == NOT_LUNG:
                    continue
                mz, my, mx = z, y, x
                if _at_rim(contrast, z, y, x):
                    mz, my, mx = 2 * points[p, 0] - z, 2 * points[p, 1] - y, 2 * points[p, 2] - x
                    if _at_rim(contrast, mz, my, mx):
                        continue
                sums[z, labels[z, y, x], section[p]] += contrast[mz, my, mx]


@inner
def _at_rim(contrast: npt.NDArray[np.int16], z: int, y: int, x: int) -> bool:
    """Tell whether a voxel is off the grid, `NOT_LUNG`, or beside one that is (off the grid is none)."""
    nz, ny, nx = contrast.shape
    if z < 0 or y < 0 or x < 0 or z >= nz or y >= ny or x >= nx:
        return True
    lowest = min(
        contrast[z, y, x],
        contrast[max(z - 1, 0), y, x],
        contrast[min(z + 1, nz - 1), y, x],
        contrast[z, max(y - 1, 0), x],
        contrast[z, min(y + 1, ny - 1), x],
        contrast[z, y, max(x - 1, 0)],
        contrast[z, y, min(x + 1, nx - 1)],
    )
    return bool(lowest == NOT_LUNG)
