"""Bright thin sheets: how strongly every voxel looks like one, and which way the sheet faces."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, inner, kernel

_ORDERS = np.array([(0, 0, 0), (2, 0, 0), (0, 2, 0), (0, 0, 2), (1, 1, 0), (1, 0, 1), (0, 1, 1)])
"""Derivatives along z, y and x of the smoothed image and its Hessian."""

_ROUNDING = 1e-3
"""Curvatures so close to the least that counts, in HU/mm², are looked at again, by their eigenvalues."""

NORMAL_SCALE = 127
"""Normals are kept as int8: a component of 1 is stored as this number (error below 0.4 degrees)."""


@inner
def _correlate_rows(
    plane: npt.NDArray[np.float32], taps: npt.NDArray[np.float32], out: npt.NDArray[np.float32]
) -> None:
    """Correlate along y, continuing the edge; all of `out` is written."""
    ny, nx = plane.shape
    radius = taps.size // 2
    for y in range(ny):
        for x in range(nx):
            out[y, x] = np.float32(0)
        for t in range(taps.size):
            source = min(max(y + t - radius, 0), ny - 1)
            tap = taps[t]
            for x in range(nx):
                out[y, x] += tap * plane[source, x]


@inner
def _correlate_columns(
    plane: npt.NDArray[np.float32], taps: npt.NDArray[np.float32], out: npt.NDArray[np.float32]
) -> None:
    """Correlate along x, continuing the edge; all of `out` is written."""
    ny, nx = plane.shape
    radius = taps.size // 2
    row = np.empty(nx + 2 * radius, np.float32)
    for y in range(ny):
        for x in range(row.size):
            row[x] = plane[y, min(max(x - radius, 0), nx - 1)]
        for x in range(nx):
            out[y, x] = np.float32(0)
        for t in range(taps.size):
            tap = taps[t]
            for x in range(nx):
                out[y, x] += tap * row[x + t]


@inner
def _span(plane: npt.NDArray[np.bool_], room: int) -> tuple[int, int, int, int]:
    """Return the rows (from, to) and columns (from, to) of what is set, with room around; zeros for nothing."""
    ny, nx = plane.shape
    top, bottom, left, right = ny, 0, nx, 0
    for y in range(ny):
        for x in range(nx):
            if plane[y, x]:
                top, bottom = min(top, y), y + 1
                left, right = min(left, x), max(right, x + 1)
    if bottom == 0:
        return 0, 0, 0, 0
    return max(top - room, 0), min(bottom + room, ny), max(left - room, 0), min(right + room, nx)


@inner
def _is_beyond(a: float, b: float, c: float, d: float, e: float, f: float, least: float) -> bool:
    """Tell if all eigenvalues of [[a, d, e], [d, b, f], [e, f, c]] exceed `least` (Sylvester's criterion)."""
    a, b, c = a - least, b - least, c - least
    of_two = a * b - d * d
    of_three = c * of_two - a * f * f - b * e * e + 2 * d * e * f
    return a > 0 and of_two > 0 and of_three > 0


@inner
def _eigenvalues(
    a: float, b: float, c: float, d: float, e: float, f: float
) -> tuple[float, float, float]:
    """Return the eigenvalues of [[a, d, e], [d, b, f], [e, f, c]], largest first (trigonometric form)."""
    mean = (a + b + c) / 3.0
    u, v, w = a - mean, b - mean, c - mean
    spread = u * u + v * v + w * w + 2 * (d * d + e * e + f * f)
    p = math.sqrt(spread / 6.0)
    if p < 1e-12:
        return mean, mean, mean
    a, b, c, d, e, f = u / p, v / p, w / p, d / p, e / p, f / p
    half_det = (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)) / 2.0
    angle = math.acos(min(1.0, max(-1.0, half_det))) / 3.0
    first = mean + 2 * p * math.cos(angle)
    last = mean + 2 * p * math.cos(angle + 2.0943951023931953)
    return first, 3 * mean - first - last, last


@inner
def _eigenvector(
    a: float, b: float, c: float, d: float, e: float, f: float
) -> tuple[float, float, float]:
    """Return the unit null vector of the singular [[a, d, e], [d, b, f], [e, f, c]].

    It is the longest cross product of two rows.
    """
    best = (0.0, 0.0, 0.0)
    best_square = 0.0
    rows = ((a, d, e), (d, b, f), (e, f, c))
    for i in range(3):
        p, q = rows[i], rows[(i + 1) % 3]
        v = (p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0])
        square = v[0] * v[0] + v[1] * v[1] + v[2] * v[2]
        if square > best_square:
            best, best_square = v, square
    length = math.sqrt(best_square) + 1e-30
    return best[0] / length, best[1] / length, best[2] / length


def find_sheets(
    hu: npt.NDArray[np.float32],
    inside: npt.NDArray[np.bool_],
    taps: npt.NDArray[np.float32],
    least_curvature: float,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Measure how much every voxel looks like part of a thin bright sheet, or of a line.

    With Hessian eigenvalues l1 >= l2 >= l3 and m = max(abs(l1), abs(l2)), the strength of a sheet is
    -l3 (-l3 - m) / (-l3 + m): the curvature across it, times how far that outweighs the curvature along it
    (after Wiemker et al. 2005). It is 0 for lines, blobs and anything dark.

    Letters: Z, Y, X grid of 1 mm; T taps.

    Parameters
    ----------
    hu : (Z, Y, X) float32
    inside : (Z, Y, X) bool
        Where to look.
    taps : (3, T) float32
        Correlation kernels of the Gaussian and its first and second derivative.
    least_curvature : float
        Smallest -l3 that counts, in HU/mm².

    Returns
    -------
    strength : (Z, Y, X) float32
        0 where there is no sheet.
    normal : (Z, Y, X, 3) int8
        Unit normal (z, y, x) times `NORMAL_SCALE`; its sign is arbitrary. 0 where there is no sheet.
    smooth : (Z, Y, X) float32
        `hu` after the Gaussian, where `inside`; 0 elsewhere.
    across_line : (Z, Y, X) uint8
        -l2 in HU/mm², to the next lower whole number and at most 255: the weaker curvature across a bright
        line. 0 if it is not positive, or -l3 does not count.
    """
    strength = np.zeros(hu.shape, np.float32)
    normal = np.zeros((*hu.shape, 3), np.int8)
    smooth = np.zeros(hu.shape, np.float32)
    across_line = np.zeros(hu.shape, np.uint8)
    found = (strength, normal, smooth, across_line)
    in_parts(_find_sheets, hu, inside, taps, float(least_curvature), found)
    return found


@kernel(
    "(float32[:, :, ::1], boolean[:, :, ::1], float32[:, ::1], float64, "
    "Tuple((float32[:, :, ::1], int8[:, :, :, ::1], float32[:, :, ::1], uint8[:, :, ::1])), int64, "
    "int64)"
)
def _find_sheets(
    hu: npt.NDArray[np.float32],
    inside: npt.NDArray[np.bool_],
    taps: npt.NDArray[np.float32],
    least_curvature: float,
    found: tuple[
        npt.NDArray[np.float32],
        npt.NDArray[np.int8],
        npt.NDArray[np.float32],
        npt.NDArray[np.uint8],
    ],
    part: int,
    parts: int,
) -> None:
    """Fill the slices ``part::parts`` of what `find_sheets` returns."""
    strength, normal, smooth, across_line = found
    nz = hu.shape[0]
    radius = taps.shape[1] // 2
    for z in range(part, nz, parts):
        top, bottom, left, right = _span(inside[z], radius)
        if bottom == 0:
            continue
        height, width = bottom - top, right - left
        along_z = np.zeros((3, height, width), np.float32)
        for t in range(taps.shape[1]):
            source = hu[min(max(z + t - radius, 0), nz - 1)]
            for k in range(3):
                tap = taps[k, t]
                for y in range(height):
                    for x in range(width):
                        along_z[k, y, x] += tap * source[top + y, left + x]
        along_y = np.empty((height, width), np.float32)
        planes = np.empty((7, height, width), np.float32)
        for n in range(7):
            _correlate_rows(along_z[_ORDERS[n, 0]], taps[_ORDERS[n, 1]], along_y)
            _correlate_columns(along_y, taps[_ORDERS[n, 2]], planes[n])
        for y in range(top, bottom):
            for x in range(left, right):
                if not inside[z, y, x]:
                    continue
                here = planes[:, y - top, x - left]
                smooth[z, y, x] = here[0]
                zz, yy, xx = np.float64(here[1]), np.float64(here[2]), np.float64(here[3])
                zy, zx, yx = np.float64(here[4]), np.float64(here[5]), np.float64(here[6])
                if _is_beyond(zz, yy, xx, zy, zx, yx, _ROUNDING - least_curvature):
                    continue
                first, middle, last = _eigenvalues(zz, yy, xx, zy, zx, yx)
                if -last < least_curvature:
                    continue
                across_line[z, y, x] = int(min(max(-middle, 0.0), 255.0))
                along = max(abs(first), abs(middle))
                contrast = (-last - along) / (-last + along)
                if contrast <= 0:
                    continue
                strength[z, y, x] = -last * contrast
                v = _eigenvector(zz - last, yy - last, xx - last, zy, zx, yx)
                for k in range(3):
                    normal[z, y, x, k] = round(v[k] * NORMAL_SCALE)


def find_crests(
    strength: npt.NDArray[np.float32],
    normal: npt.NDArray[np.int8],
    inside: npt.NDArray[np.bool_],
    least_strength: float,
) -> npt.NDArray[Any]:
    """Mark the voxels whose strength is not exceeded 1 voxel away on either side along the normal.

    Parameters
    ----------
    strength, normal
        As `find_sheets` gives them.
    inside : (Z, Y, X) bool
        Where to look; the outermost layer of the grid is left out.
    least_strength : float
        A crest is stronger than this.

    Returns
    -------
    is_crest : (Z, Y, X) bool
    """
    is_crest = np.zeros(strength.shape, np.bool_)
    in_parts(_find_crests, strength, normal, inside, float(least_strength), is_crest)
    return is_crest


@kernel(
    "(float32[:, :, ::1], int8[:, :, :, ::1], boolean[:, :, ::1], float64, "
    "boolean[:, :, ::1], int64, int64)"
)
def _find_crests(
    strength: npt.NDArray[np.float32],
    normal: npt.NDArray[np.int8],
    inside: npt.NDArray[np.bool_],
    least_strength: float,
    is_crest: npt.NDArray[np.bool_],
    part: int,
    parts: int,
) -> None:
    """Fill every `parts`-th slice of what `find_crests` returns."""
    nz, ny, nx = strength.shape
    for z in range(1 + part, nz - 1, parts):
        for y in range(1, ny - 1):
            for x in range(1, nx - 1):
                here = strength[z, y, x]
                if here <= least_strength or not inside[z, y, x]:
                    continue
                highest = True
                for side in (-1.0, 1.0):
                    pz = z + side * normal[z, y, x, 0] / NORMAL_SCALE
                    py = y + side * normal[z, y, x, 1] / NORMAL_SCALE
                    px = x + side * normal[z, y, x, 2] / NORMAL_SCALE
                    iz = min(math.floor(pz), nz - 2)
                    iy = min(math.floor(py), ny - 2)
                    ix = min(math.floor(px), nx - 2)
                    fz, fy, fx = pz - iz, py - iy, px - ix
                    beside = 0.0
                    for dz in range(2):
                        for dy in range(2):
                            for dx in range(2):
                                share = (
                                    (fz if dz else 1 - fz)
                                    * (fy if dy else 1 - fy)
                                    * (fx if dx else 1 - fx)
                                )
                                beside += share * strength[iz + dz, iy + dy, ix + dx]
                    if beside > here:
                        highest = False
                is_crest[z, y, x] = highest


def count_coplanar(
    crests: npt.NDArray[np.int32],
    normals: npt.NDArray[np.float32],
    shape: tuple[int, int, int],
    reach: int,
    least_cosine: float,
    most_offset: float,
) -> npt.NDArray[Any]:
    """Count, for every crest voxel, the crest voxels around it that continue its sheet.

    They lie within a ball, close to the plane through the voxel at right angles to its normal, and face the
    same way. Unlike joined neighbours they bridge the gaps that noise tears into a faint sheet.

    Letters: N crests; Z, Y, X grid.

    Parameters
    ----------
    crests : (N, 3) int32
        Their (z, y, x), in the order of the grid, each once.
    normals : (N, 3) float32
        Unit normals; their sign does not matter.
    shape : (Z, Y, X)
    reach : int
        Radius of the ball, in voxels.
    least_cosine : float
        Smallest cosine between two normals of one sheet.
    most_offset : float
        Largest distance from the plane, in voxels.

    Returns
    -------
    count : (N,) int32
        The voxel itself counts too.
    """
    count = np.zeros(len(crests), np.int32)
    in_row = np.bincount(
        crests[:, 0] * np.int64(shape[1]) + crests[:, 1], minlength=shape[0] * shape[1]
    )
    begin = np.append(0, np.cumsum(in_row)).astype(np.int32)
    limits = (float(least_cosine), float(most_offset))
    across = crests.T.copy()
    in_parts(_count_coplanar, across, normals, begin, shape[:2], reach, limits, count)
    return count


@kernel(
    "(int32[:, ::1], float32[:, ::1], int32[::1], UniTuple(int64, 2), int64, UniTuple(float64, 2), "
    "int32[::1], int64, int64)"
)
def _count_coplanar(
    crests: npt.NDArray[np.int32],
    normals: npt.NDArray[np.float32],
    begin: npt.NDArray[np.int32],
    shape: tuple[int, int],
    reach: int,
    limits: tuple[float, float],
    count: npt.NDArray[np.int32],
    part: int,
    parts: int,
) -> None:
    """Fill what `count_coplanar` returns for the crests of the rows ``part::parts``.

    `crests` is (3, N); those of row ``z * Y + y`` are the ones from ``begin[row]`` up to the next row's;
    `limits` are the least cosine and the most offset.
    """
    least_cosine, most_offset = limits
    nz, ny = shape
    for row in range(part, nz * ny, parts):
        if begin[row] == begin[row + 1]:
            continue
        z, y = row // ny, row % ny
        for dz in range(max(-reach, -z), min(reach, nz - 1 - z) + 1):
            for dy in range(max(-reach, -y), min(reach, ny - 1 - y) + 1):
                left = reach * reach - dz * dz - dy * dy
                other = row + dz * ny + dy
                near, end = begin[other], begin[other + 1]
                if left < 0 or near == end:
                    continue
                half = int(math.sqrt(left))
                for a in range(begin[row], begin[row + 1]):
                    x = crests[2, a]
                    while near < end and crests[2, near] < x - half:
                        near += 1
                    offset = normals[a, 0] * dz + normals[a, 1] * dy
                    if abs(offset) > most_offset + abs(normals[a, 2]) * half:
                        continue  # the whole row is off the plane
                    b = near
                    n = 0  # without a branch: which crests count is hard to foresee
                    while b < end and crests[2, b] <= x + half:
                        off_plane = abs(offset + normals[a, 2] * (crests[2, b] - x))
                        cosine = (
                            normals[a, 0] * normals[b, 0]
                            + normals[a, 1] * normals[b, 1]
                            + normals[a, 2] * normals[b, 2]
                        )
                        n += (off_plane <= most_offset) & (abs(cosine) >= least_cosine)
                        b += 1
                    count[a] += n
