"""Faint plates in an unrolled slab: averaged along themselves, then followed from column to column.

An unrolled slab has columns on a grid (U, V) and heights H along each column; a plate crosses every column
once, at a height that changes little from one column to the next.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, kernel


def unroll_columns(
    hu: npt.NDArray[np.float32],
    usable: npt.NDArray[np.bool_],
    feet: npt.NDArray[np.float64],
    up: npt.NDArray[np.float64],
    heights: npt.NDArray[np.float64],
    most_hu: float,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Read a volume along parallel columns, each relative to its own median.

    Letters: Z, Y, X grid; U, V columns; H heights.

    Parameters
    ----------
    hu : (Z, Y, X) float32
    usable : (Z, Y, X) bool
        What counts for the median, by the nearest voxel.
    feet : (U, V, 3) float64
        Where height 0 of each column lies, in voxels.
    up : (3,) float64
        Direction of all columns, in voxels per unit of height.
    heights : (H,) float64
    most_hu : float
        Larger differences from the median are cut, so that a vessel weighs no more than a fissure.

    Returns
    -------
    relative : (U, V, H) float32
        Linear between voxels; 0 in a column without anything usable.
    used : (U, V, H) bool
        `usable` at the nearest voxel; false outside the grid.
    """
    relative = np.zeros((*feet.shape[:2], heights.size), np.float32)
    used = np.zeros(relative.shape, np.bool_)
    in_parts(_unroll_columns, hu, usable, feet, up, heights, most_hu, relative, used)
    return relative, used


@kernel
def _middle_of(values: npt.NDArray[np.float64], n: int) -> Any:
    """Return the element of the first n that has n // 2 smaller or equal ones; they end up sorted.

    By insertion: columns are short, and numpy's sort takes a second to compile.
    """
    for i in range(1, n):
        value = values[i]
        k = i
        while k > 0 and values[k - 1] > value:
            values[k] = values[k - 1]
            k -= 1
        values[k] = value
    return values[n // 2]


@kernel(
    "(float32[:, :, ::1], boolean[:, :, ::1], float64[:, :, ::1], float64[::1], "
    "float64[::1], float64, float32[:, :, ::1], boolean[:, :, ::1], int64, int64)"
)
def _unroll_columns(
    hu: npt.NDArray[np.float32],
    usable: npt.NDArray[np.bool_],
    feet: npt.NDArray[np.float64],
    up: npt.NDArray[np.float64],
    heights: npt.NDArray[np.float64],
    most_hu: float,
    relative: npt.NDArray[np.float32],
    used: npt.NDArray[np.bool_],
    part: int,
    parts: int,
) -> None:
    """Do what `unroll_columns` says, for a part of the columns."""
    nz, ny, nx = hu.shape
    nu, nv, _ = feet.shape
    nh = heights.size
    for u in range(part, nu, parts):
        values = np.empty(nh)
        chosen = np.empty(nh)
        for v in range(nv):
            n_chosen = 0
            for h in range(nh):
                z = feet[u, v, 0] + up[0] * heights[h]
                y = feet[u, v, 1] + up[1] * heights[h]
                x = feet[u, v, 2] + up[2] * heights[h]
                if not (0 <= z <= nz - 1 and 0 <= y <= ny - 1 and 0 <= x <= nx - 1):
                    continue
                if not usable[int(z + 0.5), int(y + 0.5), int(x + 0.5)]:
                    continue
                iz, iy, ix = min(int(z), nz - 2), min(int(y), ny - 2), min(int(x), nx - 2)
                fz, fy, fx = z - iz, y - iy, x - ix
                total = 0.0
                for dz in range(2):
                    for dy in range(2):
                        for dx in range(2):
                            share = (
                                (fz if dz else 1 - fz)
                                * (fy if dy else 1 - fy)
                                * (fx if dx else 1 - fx)
                            )
                            total += share * hu[iz + dz, iy + dy, ix + dx]
                values[h] = total
                used[u, v, h] = True
                chosen[n_chosen] = total
                n_chosen += 1
            if n_chosen == 0:
                continue
            middle = _middle_of(chosen, n_chosen)
            for h in range(nh):
                if used[u, v, h]:
                    relative[u, v, h] = min(max(values[h] - middle, -most_hu), most_hu)


def plate_contrast(
    hu: npt.NDArray[np.float32],
    usable: npt.NDArray[np.bool_],
    reach: int,
    tilts: npt.NDArray[np.float64],
    gap: int,
    least_share: float,
) -> npt.NDArray[Any]:
    """Measure how much brighter a small plate is than the slabs on both sides of it.

    The mean over a disc of columns, at heights that rise by a tilt from column to column, is compared with the
    same mean `gap` heights below and above; the smaller difference counts, for the tilt with the largest.

    Letters: U, V columns; H heights; T tilts.

    Parameters
    ----------
    hu : (U, V, H) float32
    usable : (U, V, H) bool
        What counts in a mean.
    reach : int
        Radius of the disc, in columns.
    tilts : (T, 2) float64
        Heights per column along u and v.
    gap : int
        Heights between a plate and its sides.
    least_share : float
        Share of the disc that must be usable in all three means.

    Returns
    -------
    contrast : (U, V, H) float32
        NaN where too little is usable.
    """
    contrast = np.full(hu.shape, np.nan, np.float32)
    told = np.where(usable, hu, np.float32(0))
    in_parts(_plate_contrast, told, usable.view(np.uint8), reach, tilts, gap, least_share, contrast)
    return contrast


@kernel
def _add_shifted(
    told: npt.NDArray[np.float32],
    usable: npt.NDArray[np.uint8],
    rise: int,
    total: npt.NDArray[np.float64],
    count: npt.NDArray[np.int32],
) -> None:
    """Add a column that is shifted by `rise` heights; without a branch, so that it runs in vector lanes."""
    first, last = max(0, -rise), min(total.size, total.size - rise)
    totals, counts = total[first:last], count[first:last]
    values, uses = told[first + rise : last + rise], usable[first + rise : last + rise]
    for h in range(totals.size):
        totals[h] += values[h]
    for h in range(counts.size):
        counts[h] += uses[h]


@kernel(
    "(float32[:, :, ::1], uint8[:, :, ::1], int64, float64[:, ::1], int64, float64, "
    "float32[:, :, ::1], int64, int64)"
)
def _plate_contrast(
    told: npt.NDArray[np.float32],
    usable: npt.NDArray[np.uint8],
    reach: int,
    tilts: npt.NDArray[np.float64],
    gap: int,
    least_share: float,
    contrast: npt.NDArray[np.float32],
    part: int,
    parts: int,
) -> None:
    """Do what `plate_contrast` says, for a part of the columns; `told` is 0 where nothing is usable."""
    nu, nv, nh = told.shape
    width = 2 * reach + 1
    n_disc = 0
    for du in range(-reach, reach + 1):
        for dv in range(-reach, reach + 1):
            if du * du + dv * dv <= reach * reach + 1:
                n_disc += 1
    for u in range(part, nu, parts):
        total = np.empty(nh)
        count = np.empty(nh, np.int32)
        for v in range(nv):
            for t in range(tilts.shape[0]):
                for h in range(nh):
                    total[h] = 0.0
                    count[h] = 0
                for k in range(width * width):
                    du, dv = k // width - reach, k % width - reach
                    if du * du + dv * dv > reach * reach + 1:
                        continue
                    if not (0 <= u + du < nu and 0 <= v + dv < nv):
                        continue
                    rise = math.floor(tilts[t, 0] * du + tilts[t, 1] * dv + 0.5)
                    if abs(rise) < nh:
                        _add_shifted(
                            told[u + du, v + dv], usable[u + du, v + dv], rise, total, count
                        )
                for h in range(gap, nh - gap):
                    fewest = min(count[h], count[h - gap], count[h + gap])
                    if fewest < least_share * n_disc or fewest == 0:
                        continue
                    beside = max(total[h - gap] / count[h - gap], total[h + gap] / count[h + gap])
                    difference = np.float32(total[h] / count[h] - beside)
                    if not difference <= contrast[u, v, h]:
                        contrast[u, v, h] = difference


@kernel
def _step_path(
    before: npt.NDArray[np.float32],
    cost: npt.NDArray[np.float32],
    step_cost: npt.NDArray[np.float32],
    out: npt.NDArray[np.float32],
) -> None:
    """Cheapest path to every height of a column, from the column before it; less its own minimum."""
    nh = cost.size
    reach = step_cost.size - 1
    lowest = np.float32(np.inf)
    for h in range(nh):
        best = np.float32(np.inf)
        for step in range(-reach, reach + 1):
            if 0 <= h + step < nh:
                best = min(best, before[h + step] + step_cost[abs(step)])
        out[h] = cost[h] + best
        lowest = min(lowest, out[h])
    for h in range(nh):
        out[h] -= lowest


@kernel("(float32[:, :, ::1], float32[::1])")
def follow_plates(
    cost: npt.NDArray[np.float32], step_cost: npt.NDArray[np.float32]
) -> npt.NDArray[Any]:
    """Sum, for every height of every column, the cheapest paths that end there, from eight directions.

    A path visits neighbouring columns in a straight line and pays for the heights it visits and for each change
    of height (Hirschmüller, Stereo processing by semiglobal matching and mutual information, IEEE Trans Pattern
    Anal Mach Intell 2008;30(2):328-341).

    Letters: U, V columns; H heights; R + 1 steps.

    Parameters
    ----------
    cost : (U, V, H) float32
    step_cost : (R + 1,) float32
        Cost of a change of height by 0, 1, ... R; larger changes are not made.

    Returns
    -------
    total : (U, V, H) float32
        Its minimum along H is where a plate most likely crosses the column.
    """
    nu, nv, nh = cost.shape
    total = np.zeros((nu, nv, nh), np.float32)
    path = np.zeros((nu, nv, nh), np.float32)
    for direction in range(8):
        du = (1, -1, 0, 0, 1, 1, -1, -1)[direction]
        dv = (0, 0, 1, -1, 1, -1, 1, -1)[direction]
        for i in range(nu):
            u = i if du >= 0 else nu - 1 - i
            for j in range(nv):
                v = j if dv >= 0 else nv - 1 - j
                if 0 <= u - du < nu and 0 <= v - dv < nv:
                    _step_path(path[u - du, v - dv], cost[u, v], step_cost, path[u, v])
                else:
                    for h in range(nh):
                        path[u, v, h] = cost[u, v, h]
                for h in range(nh):
                    total[u, v, h] += path[u, v, h]
    return total
