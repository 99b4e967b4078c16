"""Faint plates in an unrolled slab: averaged along themselves, then followed from column to column.

An unrolled slab has columns on a grid (U, V) and heights H along each column; a plate crosses every column
once, at a height that changes little from one column to the next.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, inner, kernel
from qct.kernels.sorting import sort_first

_NO_CONTRAST = 1e9
"""More HU than a mean has: stands where there is none, since infinities would make NaN among themselves."""


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
            sort_first(chosen, n_chosen)
            middle = chosen[n_chosen // 2]
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
        Radius of the disc, in columns; at most 8.
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
    n_u, n_v, n_h = hu.shape
    disc = np.argwhere(np.ones((2 * reach + 1,) * 2)) - reach
    disc = disc[(disc**2).sum(axis=1) <= reach**2 + 1]
    rises = np.floor(tilts[:, :1] * disc[:, 0] + tilts[:, 1:] * disc[:, 1] + 0.5).astype(np.int64)
    # Whole slices of columns are added up, each height a row; zeros around them, so that no shift leaves them.
    room = int(np.abs(rises).max()) + 1
    told = np.zeros((n_u + 2 * reach, n_h + 2 * room, n_v + 2 * reach), np.float32)
    counts = np.zeros(told.shape, np.uint8)
    inner = slice(reach, reach + n_u), slice(room, -room), slice(reach, reach + n_v)
    told[inner] = np.where(usable, hu, np.float32(0)).swapaxes(1, 2)
    counts[inner] = usable.swapaxes(1, 2)
    firsts = ((disc[:, 0] + reach) * told.shape[1] + room + rises) * told.shape[2] + disc[:, 1]
    best = np.full((n_u, n_h, told.shape[2]), -_NO_CONTRAST, np.float32)
    fewest = max(least_share * len(disc), 1.0)
    in_parts(_plate_contrast, told, counts, firsts, gap, fewest, best)
    contrast = np.ascontiguousarray(best[:, :, reach : reach + n_v].swapaxes(1, 2))
    contrast[contrast == np.float32(-_NO_CONTRAST)] = np.nan
    return contrast


@inner
def _add(values: npt.NDArray[Any], firsts: npt.NDArray[np.int64], total: npt.NDArray[Any]) -> None:
    """Add what begins at some places; four at once, without a branch, so that it runs in vector lanes."""
    n, rest = total.size, firsts.size % 4
    for k in range(rest):
        a = values[firsts[k] : firsts[k] + n]
        for i in range(n):
            total[i] += a[i]
    for k in range(rest, firsts.size, 4):
        a, b = values[firsts[k] : firsts[k] + n], values[firsts[k + 1] : firsts[k + 1] + n]
        c, d = values[firsts[k + 2] : firsts[k + 2] + n], values[firsts[k + 3] : firsts[k + 3] + n]
        for i in range(n):
            total[i] = total[i] + a[i] + b[i] + c[i] + d[i]


@kernel(
    "(float32[:, :, ::1], uint8[:, :, ::1], int64[:, ::1], int64, float64, "
    "float32[:, :, ::1], int64, int64)"
)
def _plate_contrast(
    told: npt.NDArray[np.float32],
    counts: npt.NDArray[np.uint8],
    firsts: npt.NDArray[np.int64],
    gap: int,
    fewest: float,
    best: npt.NDArray[np.float32],
    part: int,
    parts: int,
) -> None:
    """Find the largest contrast of all tilts, for the slices of columns ``part::parts``.

    Letters: U, V columns, V with room on both sides; H heights; R more of both in `told`; N columns of a disc.

    Parameters
    ----------
    told : (U + R, H + R, V) float32
        0 where nothing is usable.
    counts : (U + R, H + R, V) uint8
        1 where something is.
    firsts : (T, N) int64
        How far from the first element of slice u of `told` the N slices begin that are added for the u-th of
        `best`: those of the columns of a disc, shifted as it rises there.
    fewest : float
        Usable voxels that each of the three means needs.
    best : (U, H, V) float32
        Raised where a contrast exceeds it.
    """
    nu, nh, nv = best.shape
    total = np.empty(nh * nv)
    count = np.empty(nh * nv, np.uint8)
    for u in range(part, nu, parts):
        found = best[u].reshape(-1)
        for t in range(firsts.shape[0]):
            total[:] = 0
            count[:] = 0
            _add(told[u:].reshape(-1), firsts[t], total)
            _add(counts[u:].reshape(-1), firsts[t], count)
            for i in range(total.size):
                total[i] = total[i] / count[i] if count[i] >= fewest else 2 * _NO_CONTRAST
            for i in range(gap * nv, total.size - gap * nv):
                over, under = total[i] - total[i - gap * nv], total[i] - total[i + gap * nv]
                smaller = np.float32(over if over < under else under)
                found[i] = smaller if (smaller > found[i]) & (total[i] < _NO_CONTRAST) else found[i]


@inner
def _step_path(
    before: npt.NDArray[np.float32],
    cost: npt.NDArray[np.float32],
    step_cost: npt.NDArray[np.float32],
    out: npt.NDArray[np.float32],
) -> None:
    """Cheapest path to every height of a column, from the column before it; less its own minimum."""
    nh = cost.size
    for h in range(nh):
        out[h] = before[h] + step_cost[0]
    for step in range(1, min(step_cost.size, nh)):
        paid = step_cost[step]
        for h in range(nh - step):
            way = before[h + step] + paid
            out[h] = way if way < out[h] else out[h]
        for h in range(step, nh):
            way = before[h - step] + paid
            out[h] = way if way < out[h] else out[h]
    lowest = np.float32(np.inf)
    for h in range(nh):
        out[h] += cost[h]
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
