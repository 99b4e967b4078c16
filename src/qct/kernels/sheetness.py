"""Bright thin sheets: how strongly every voxel looks like one, and which way the sheet faces."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, kernel

NORMAL_SCALE = 127
"""Normals are kept as int8: a component of 1 is stored as this number (error below 0.4 degrees)."""


@kernel
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


@kernel
def _has_any(plane: npt.NDArray[np.bool_]) -> bool:
    """Tell whether anything of a plane is set."""
    for y in range(plane.shape[0]):
        for x in range(plane.shape[1]):
            if plane[y, x]:
                return True
    return False


@kernel
def _tap_x(plane: npt.NDArray[np.float32], taps: npt.NDArray[np.float32], y: int, x: int) -> Any:
    """Correlate one voxel along x, continuing the edge."""
    nx = plane.shape[1]
    radius = taps.size // 2
    total = np.float32(0)
    for t in range(taps.size):
        total += taps[t] * plane[y, min(max(x + t - radius, 0), nx - 1)]
    return total


@kernel
def _eigenvalues(
    a: float, b: float, c: float, d: float, e: float, f: float
) -> tuple[float, float, float]:
    """Return the eigenvalues of [[a, d, e], [d, b, f], [e, f, c]], largest first (trigonometric form)."""
    mean = (a + b + c) / 3.0
    spread = (a - mean) ** 2 + (b - mean) ** 2 + (c - mean) ** 2 + 2 * (d * d + e * e + f * f)
    p = math.sqrt(spread / 6.0)
    if p < 1e-12:
        return mean, mean, mean
    a, b, c, d, e, f = (a - mean) / p, (b - mean) / p, (c - mean) / p, d / p, e / p, f / p
    half_det = (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)) / 2.0
    angle = math.acos(min(1.0, max(-1.0, half_det))) / 3.0
    first = mean + 2 * p * math.cos(angle)
    last = mean + 2 * p * math.cos(angle + 2.0943951023931953)
    return first, 3 * mean - first - last, last


@kernel
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
    nz, ny, nx = hu.shape
    radius = taps.shape[1] // 2
    for z in range(part, nz, parts):
        if not _has_any(inside[z]):
            continue
        along_z = np.zeros((3, ny, nx), np.float32)
        for t in range(taps.shape[1]):
            source = hu[min(max(z + t - radius, 0), nz - 1)]
            for k in range(3):
                tap = taps[k, t]
                for y in range(ny):
                    for x in range(nx):
                        along_z[k, y, x] += tap * source[y, x]
        planes = np.empty((6, ny, nx), np.float32)
        z0y0, z0y1, z0y2, z1y0, z1y1, z2y0 = (
            planes[0],
            planes[1],
            planes[2],
            planes[3],
            planes[4],
            planes[5],
        )
        _correlate_rows(along_z[0], taps[0], z0y0)
        _correlate_rows(along_z[0], taps[1], z0y1)
        _correlate_rows(along_z[0], taps[2], z0y2)
        _correlate_rows(along_z[1], taps[0], z1y0)
        _correlate_rows(along_z[1], taps[1], z1y1)
        _correlate_rows(along_z[2], taps[0], z2y0)
        for y in range(ny):
            for x in range(nx):
                if not inside[z, y, x]:
                    continue
                smooth[z, y, x] = _tap_x(z0y0, taps[0], y, x)
                zz = np.float64(_tap_x(z2y0, taps[0], y, x))
                yy = np.float64(_tap_x(z0y2, taps[0], y, x))
                xx = np.float64(_tap_x(z0y0, taps[2], y, x))
                zy = np.float64(_tap_x(z1y1, taps[0], y, x))
                zx = np.float64(_tap_x(z1y0, taps[1], y, x))
                yx = np.float64(_tap_x(z0y1, taps[1], y, x))
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
    number: npt.NDArray[np.int32],
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
        Their (z, y, x).
    normals : (N, 3) float32
        Unit normals; their sign does not matter.
    number : (Z, Y, X) int32
        Index of the crest at each voxel, -1 where there is none.
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
    limits = (float(least_cosine), float(most_offset))
    in_parts(_count_coplanar, np.ascontiguousarray(crests), normals, number, reach, limits, count)
    return count


@kernel(
    "(int32[:, ::1], float32[:, ::1], int32[:, :, ::1], int64, UniTuple(float64, 2), "
    "int32[::1], int64, int64)"
)
def _count_coplanar(
    crests: npt.NDArray[np.int32],
    normals: npt.NDArray[np.float32],
    number: npt.NDArray[np.int32],
    reach: int,
    limits: tuple[float, float],
    count: npt.NDArray[np.int32],
    part: int,
    parts: int,
) -> None:
    """Fill ``count[part::parts]`` of `count_coplanar`; `limits` are its least cosine and most offset."""
    least_cosine, most_offset = limits
    nz, ny, nx = number.shape
    for a in range(part, crests.shape[0], parts):
        z, y, x = crests[a, 0], crests[a, 1], crests[a, 2]
        for dz in range(max(-reach, -z), min(reach, nz - 1 - z) + 1):
            for dy in range(max(-reach, -y), min(reach, ny - 1 - y) + 1):
                left = reach * reach - dz * dz - dy * dy
                if left < 0:
                    continue
                half = int(math.sqrt(left))
                offset = normals[a, 0] * dz + normals[a, 1] * dy
                if abs(offset) > most_offset + abs(normals[a, 2]) * half:
                    continue  # the whole row is off the plane
                for dx in range(max(-half, -x), min(half, nx - 1 - x) + 1):
                    b = number[z + dz, y + dy, x + dx]
                    if b < 0 or abs(offset + normals[a, 2] * dx) > most_offset:
                        continue
                    cosine = (
                        normals[a, 0] * normals[b, 0]
                        + normals[a, 1] * normals[b, 1]
                        + normals[a, 2] * normals[b, 2]
                    )
                    if abs(cosine) >= least_cosine:
                        count[a] += 1
