"""Floods that rise in order of HU: from one seed (airways), and from several markers at once (watershed)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import inner, kernel
from qct.kernels.queues import doubled, put_last, take_first


def flood_in_order(
    hu: npt.NDArray[np.int16],
    seed: tuple[int, int, int],
    lowest_hu: int,
    highest_hu: int,
    most_voxels: int,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Flood from a seed, always wetting the darkest voxel at the shore first.

    One flood answers for every threshold: with threshold t, the region grown from the seed is the
    voxels whose level is at most t.

    Parameters
    ----------
    hu : (Z, Y, X) int16
    seed : (int, int, int)
        Voxel inside the grid.
    lowest_hu, highest_hu : int
        Values below the first count as it; voxels above the second stay dry.
    most_voxels : int
        Stop when so many voxels are wet.

    Returns
    -------
    voxels : (N,) int64
        Flat indices of the wet voxels in the order they got wet.
    levels : (N,) int32
        Lowest threshold (HU) at which the voxel joins; never falls along `voxels`.
    parents : (N,) int64
        Position in `voxels` of the neighbour it was wetted from; -1 for the seed.

    Notes
    -----
    Neighbours are the six that share a face. Voxels of one level are taken first in, first out.
    """
    seen = np.zeros(hu.shape, np.uint8)
    lists = np.full((2, highest_hu - lowest_hu + 1), -1, np.int64)
    wet = np.empty((2, most_voxels), np.int64)
    levels = np.empty(most_voxels, np.int32)
    n_wet = _flood_in_order(hu, seed, lowest_hu, lists, seen, wet, levels)
    return wet[0, :n_wet], levels[:n_wet], wet[1, :n_wet]


@kernel(
    "(int16[:, :, ::1], UniTuple(int64, 3), int64, int64[:, ::1], uint8[:, :, ::1], int64[:, ::1], int32[::1])"
)
def _flood_in_order(
    hu: npt.NDArray[np.int16],
    seed: tuple[int, int, int],
    lowest_hu: int,
    lists: npt.NDArray[np.int64],
    seen: npt.NDArray[np.uint8],
    wet: npt.NDArray[np.int64],
    levels: npt.NDArray[np.int32],
) -> int:
    """Do what `flood_in_order` says; return how many voxels are wet.

    Letters: L levels; M most voxels.

    Parameters
    ----------
    lists : (2, L) int64
        -1; first and last entry of the list of every level.
    seen : (Z, Y, X) uint8
        0.
    wet : (2, M) int64
        Room for voxels and parents.
    levels : (M,) int32
        Room for their levels.
    """
    nz, ny, nx = hu.shape
    heads, tails = lists[0], lists[1]
    voxels, parents = wet[0], wet[1]
    n_levels, most_voxels = heads.size, levels.size
    room = 1024
    place = np.zeros(room, np.int64)
    behind = np.zeros(room, np.int64)
    came_from = np.zeros(room, np.int64)
    came_from[0] = -1
    n_wet = 0

    level = min(max(int(hu[seed[0], seed[1], seed[2]]) - lowest_hu, 0), n_levels - 1)
    place[0] = (seed[0] * ny + seed[1]) * nx + seed[2]
    put_last(behind, heads, tails, level, 0)
    seen[seed[0], seed[1], seed[2]] = 1
    n_queued = 1
    while level < n_levels and n_wet < most_voxels:
        entry = take_first(behind, heads, tails, level)
        if entry < 0:
            level += 1
            continue
        flat = place[entry]
        voxels[n_wet] = flat
        levels[n_wet] = level + lowest_hu
        parents[n_wet] = came_from[entry]
        n_wet += 1
        z = flat // (ny * nx)
        y = (flat // nx) % ny
        x = flat % nx
        for side in range(6):
            step = 1 if side % 2 else -1
            z2 = z + (step if side < 2 else 0)
            y2 = y + (step if 2 <= side < 4 else 0)
            x2 = x + (step if side >= 4 else 0)
            if z2 < 0 or y2 < 0 or x2 < 0 or z2 >= nz or y2 >= ny or x2 >= nx:
                continue
            if seen[z2, y2, x2]:
                continue
            joins = max(int(hu[z2, y2, x2]) - lowest_hu, level)
            if joins >= n_levels:
                continue
            seen[z2, y2, x2] = 1
            if n_queued == room:
                place = doubled(place)
                behind = doubled(behind)
                came_from = doubled(came_from)
                room *= 2
            place[n_queued] = (z2 * ny + y2) * nx + x2
            came_from[n_queued] = n_wet - 1
            put_last(behind, heads, tails, joins, n_queued)
            n_queued += 1
    return n_wet


def flood_markers(
    hu: npt.NDArray[np.int16],
    markers: npt.NDArray[np.uint8],
    lowest_hu: int,
    highest_hu: int,
) -> npt.NDArray[np.uint8]:
    """Flood from every marker at once in order of HU: floods meet on the brightest sheet between them.

    Parameters
    ----------
    hu : (Z, Y, X) int16
    markers : (Z, Y, X) uint8
        Where each flood starts; 0 elsewhere.
    lowest_hu, highest_hu : int
        Values below the first count as it; voxels above the second, which is less than 32767, stay dry.

    Returns
    -------
    basins : (Z, Y, X) uint8
        Number of the marker whose flood came first; 0 where none came. Markers keep their voxels.

    Notes
    -----
    A watershed by flooding (Meyer F. Topographic distance and watershed lines. Signal Process
    1994;38:113-125) with one queue per HU, first in, first out. Neighbours share a face.
    """
    within = (slice(1, -1),) * 3
    walled = np.full([n + 2 for n in hu.shape], np.iinfo(np.int16).max, np.int16)
    basins = np.zeros(walled.shape, np.uint8)
    walled[within], basins[within] = hu, markers
    _, ny, nx = walled.shape
    flat = walled.reshape(-1), basins.reshape(-1)
    lists = np.full((2, highest_hu - lowest_hu + 1), -1, np.int64)
    _flood_markers(*flat, (ny * nx, nx), lowest_hu, lists, np.empty(walled.size, np.int32))
    return basins[within]


@inner
def _is_amid(basins: npt.NDArray[np.uint8], flat: int, slice_: int, row: int) -> bool:
    """Tell whether all six neighbours of a voxel are wet, so that nothing can be wetted from it."""
    along_z = basins[flat - slice_] and basins[flat + slice_]
    along_y = basins[flat - row] and basins[flat + row]
    return bool(along_z and along_y and basins[flat - 1] and basins[flat + 1])


@kernel("(int16[::1], uint8[::1], UniTuple(int64, 2), int64, int64[:, ::1], int32[::1])")
def _flood_markers(
    hu: npt.NDArray[np.int16],
    basins: npt.NDArray[np.uint8],
    sizes: tuple[int, int],
    lowest_hu: int,
    lists: npt.NDArray[np.int64],
    behind: npt.NDArray[np.int32],
) -> None:
    """Flood a grid whose outermost voxels are dry and no markers; `sizes` are voxels of a slice and a row.

    `basins` holds the markers before; `lists` is as in `_flood_in_order`; `behind` is room for every voxel.
    """
    slice_, row = sizes
    heads, tails = lists[0], lists[1]
    n_levels = heads.size
    for flat in range(hu.size):
        if basins[flat] == 0 or _is_amid(basins, flat, slice_, row):
            continue
        level = min(max(int(hu[flat]) - lowest_hu, 0), n_levels - 1)
        put_last(behind, heads, tails, level, flat)
    level = 0
    while level < n_levels:
        flat = take_first(behind, heads, tails, level)
        if flat < 0:
            level += 1
            continue
        for step in (-slice_, slice_, -row, row, -1, 1):
            beside = flat + step
            joins = max(int(hu[beside]) - lowest_hu, level)
            if basins[beside] == 0 and joins < n_levels:
                basins[beside] = basins[flat]
                put_last(behind, heads, tails, joins, beside)
