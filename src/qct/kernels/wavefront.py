"""A front of voxels that walks down a branching tube, layer by layer, and tells where the tube divides."""

from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, inner, kernel, read_only
from qct.kernels.queues import doubled, put_last, take_first

FREE, TAKEN, AHEAD, REFUSED, SEEN = 0, 1, 2, 3, 4
"""States of a voxel: may be entered; belongs to a branch; stands in the newest layer; lacks walls.

From `SEEN` on: waits to be entered, at the path length that leaves this remainder by the number of rings.
"""

ENDED, SPLIT, LEAKED = 0, 1, 2
"""How a walk ended: nothing more to enter; the front fell apart; it grew faster than a tube can."""

SCATTER = 40503
"""Spreads the indices of voxels that lie side by side over a table (Knuth's multiplicative hashing)."""

TENTHS = 10.0
"""Path lengths are summed in whole tenths of a millimetre, so that no order of adding changes them."""


def smooth_slices(hu: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Smooth every slice by (1, 2, 1)/4 along y and x, continuing the edge; rounded down.

    Parameters
    ----------
    hu : (Z, Y, X) int16

    Returns
    -------
    smooth : (Z, Y, X) int16
    """
    smooth = np.empty(hu.shape, np.int16)
    in_parts(_smooth_slices, read_only(hu), smooth)
    return smooth


@kernel('(Array(int16, 3, "C", True), int16[:, :, ::1], int64, int64)')
def _smooth_slices(
    hu: npt.NDArray[np.int16], smooth: npt.NDArray[np.int16], part: int, parts: int
) -> None:
    """Smooth the slices ``part::parts``."""
    nz, ny, nx = hu.shape
    sums = np.zeros(nx + 2, np.int32)
    for z in range(part, nz, parts):
        for y in range(ny):
            above, here, below = hu[z, max(y - 1, 0)], hu[z, y], hu[z, min(y + 1, ny - 1)]
            for x in range(nx):
                sums[x + 1] = np.int32(above[x]) + 2 * np.int32(here[x]) + np.int32(below[x])
            sums[0], sums[nx + 1] = sums[1], sums[nx]
            for x in range(nx):
                smooth[z, y, x] = (sums[x] + 2 * sums[x + 1] + sums[x + 2]) >> 4


@inner
def is_walled(
    hu: npt.NDArray[np.int16],
    at: tuple[int, int, int],
    ends: npt.NDArray[np.int64],
    steps: npt.NDArray[np.int64],
    depth_hu: float,
    least: float,
) -> bool:
    """Tell whether enough rays from a voxel meet something brighter than it by some depth.

    Letters: Z, Y, X grid; D directions; S steps.

    Parameters
    ----------
    hu : (Z, Y, X) int16
    at : (int, int, int)
    ends : (D, 3) int64
        Voxel offset of the last step of each ray.
    steps : (D, S) int64
        Offsets of the steps in the flat grid, in any order.
    depth_hu : float
    least : float
        So many rays are enough.

    Returns
    -------
    walled : bool
        A ray that leaves the grid counts as one that meets a wall: a tube may begin at the edge.
    """
    nz, ny, nx = hu.shape
    flat_hu = hu.reshape(-1)
    flat = (at[0] * ny + at[1]) * nx + at[2]
    wall_hu = flat_hu[flat] + depth_hu
    d, n_met = 0, 0
    while d < ends.shape[0] and n_met < least and d - n_met <= ends.shape[0] - least:
        z, y, x = at[0] + ends[d, 0], at[1] + ends[d, 1], at[2] + ends[d, 2]
        met = z < 0 or y < 0 or x < 0 or z >= nz or y >= ny or x >= nx
        step = 0
        while not met and step < steps.shape[1]:
            met = flat_hu[flat + steps[d, step]] >= wall_hu
            step += 1
        n_met += met
        d += 1
    return n_met >= least


@inner
def part_front(
    front: npt.NDArray[np.int64],
    state: npt.NDArray[np.uint8],
) -> npt.NDArray[Any]:
    """Tell apart the parts of a front that do not touch (26 neighbours); from 1, by their first voxel.

    Letters: N voxels; Z, Y, X grid.

    Parameters
    ----------
    front : (N,) int64
        Flat indices.
    state : (Z, Y, X) uint8
        `AHEAD` at the front; `TAKEN` there afterwards.

    Returns
    -------
    part : (N,) int64
    """
    nz, ny, nx = state.shape
    part_of = np.zeros(front.size, np.int64)
    # where each voxel stands in the front, by its index: an open table, at most half full
    n_places = 2
    while n_places < 2 * front.size:
        n_places *= 2
    place = np.zeros(n_places, np.int64)
    for n in range(front.size):
        at = (front[n] * SCATTER >> 7) % n_places
        while place[at]:
            at = (at + 1) % n_places
        place[at] = n + 1
    stack = np.zeros(front.size, np.int64)
    n_parts = 0
    for first in range(front.size):
        if part_of[first]:
            continue
        n_parts += 1
        part_of[first] = n_parts
        stack[0] = first
        n_stack = 1
        while n_stack:
            n_stack -= 1
            flat = front[stack[n_stack]]
            z, y, x = flat // (ny * nx), (flat // nx) % ny, flat % nx
            state[z, y, x] = TAKEN
            for z2 in range(max(z - 1, 0), min(z + 2, nz)):
                for y2 in range(max(y - 1, 0), min(y + 2, ny)):
                    for x2 in range(max(x - 1, 0), min(x + 2, nx)):
                        if state[z2, y2, x2] != AHEAD:
                            continue
                        flat2 = (z2 * ny + y2) * nx + x2
                        at = (flat2 * SCATTER >> 7) % n_places
                        while front[place[at] - 1] != flat2:
                            at = (at + 1) % n_places
                        beside = place[at] - 1
                        if part_of[beside] == 0:
                            part_of[beside] = n_parts
                            stack[n_stack] = beside
                            n_stack += 1
    return part_of


@inner
def without_spurs(part: npt.NDArray[np.int64]) -> int:
    """Leave out (0) parts of one voxel or under a fifth of the largest, and number the others anew.

    Parameters
    ----------
    part : (N,) int64
        Numbers from 1; changed in place.

    Returns
    -------
    n_parts : int
    """
    n_numbers = 1
    for n in range(part.size):
        n_numbers = max(n_numbers, part[n] + 1)
    sizes = np.zeros(n_numbers, np.int64)
    largest = 0
    for n in range(part.size):
        sizes[part[n]] += 1
        largest = max(largest, sizes[part[n]])
    number = np.zeros(sizes.size, np.int64)
    n_parts = 0
    for k in range(1, sizes.size):
        if sizes[k] > 1 and 5 * sizes[k] >= largest:
            n_parts += 1
            number[k] = n_parts
    for n in range(part.size):
        part[n] = number[part[n]]
    return n_parts


def walk_branch(
    hu: npt.NDArray[np.int16],
    state: npt.NDArray[np.uint8],
    seeds: npt.NDArray[np.int64],
    spacing_mm: npt.NDArray[np.float64],
    rays: npt.NDArray[np.int64],
    rules: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], int]:
    """Let a front walk from its seeds until it ends, falls apart, or grows too large for its tube.

    A free voxel is entered if it is dark enough and enough rays from it meet a wall, either anywhere along the
    rays, as in a lumen as wide as they are long, or close by, as in a narrow one. A layer is what is
    entered within one step of path length, a tenth of a millimetre more than the diagonal of a voxel.

    Letters: Z, Y, X grid; M seeds; D, S as in `is_walled`; N entered voxels.

    Parameters
    ----------
    hu : (Z, Y, X) int16
    state : (Z, Y, X) uint8
        `FREE` or `TAKEN`; entered voxels become `TAKEN`.
    seeds : (M,) int64
        Flat indices of the front to begin with.
    spacing_mm : (3,) float64
    rays : (D, S, 3) int64
        Voxel offsets along each straight ray, from near to far.
    rules : (8,) float64
        Highest HU of lumen; by how much a wall is brighter than the lumen before it; least number of rays
        that meet a wall; largest number of voxels of a layer; of parts of the front; of layers; by how
        much a wall close by is brighter; how many steps of a ray are close by.

    Returns
    -------
    voxels : (N,) int64
        Flat indices in the order of path length.
    layer : (N,) int64
        Number of the layer, from 0.
    part : (N,) int64
        In the last layer of a front that fell apart, the number of the part, from 1; else 0.
    outcome : int
        `ENDED`, `SPLIT` or `LEAKED`.

    Notes
    -----
    Voxels with less than -1200 HU hold no measurement and are never entered. A layer of 251 tenths of a
    millimetre or more would have no state for its voxels: no voxel of a CT is so large.
    """
    _, ny, nx = hu.shape
    steps_to = np.indices((3, 3, 3)).reshape(3, -1) - 1
    squared = ((steps_to * spacing_mm[:, None]) ** 2).sum(axis=0)
    lengths = np.rint(TENTHS * np.sqrt(squared)).astype(np.int64).reshape(3, 3, 3)
    n_near = min(int(rules[7]), rays.shape[1])
    # the wall of a wide lumen is met first from the far end
    steps = np.ascontiguousarray((rays @ np.array([ny * nx, nx, 1], np.int64))[:, ::-1])
    near = (
        np.ascontiguousarray(rays[:, n_near - 1]),
        np.ascontiguousarray(steps[:, rays.shape[1] - n_near :]),
    )
    far = np.ascontiguousarray(rays[:, -1]), steps
    voxels, layer, parts, outcome = _walk(hu, state, seeds, lengths, *near, *far, rules)
    part = np.zeros(voxels.size, np.int64)
    if outcome == SPLIT:
        part[-parts.size :] = parts
    return voxels.copy(), layer.copy(), part, outcome


@kernel(
    "(int16[:, :, ::1], uint8[:, :, ::1], int64[::1], int64[:, :, ::1], int64[:, ::1], int64[:, ::1], "
    "int64[:, ::1], int64[:, ::1], float64[::1])"
)
def _walk(
    hu: npt.NDArray[np.int16],
    state: npt.NDArray[np.uint8],
    seeds: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    ends_near: npt.NDArray[np.int64],
    steps_near: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    steps: npt.NDArray[np.int64],
    rules: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], int]:
    """Do what `walk_branch` says; `lengths` are those of the ways to the 27 neighbours, in tenths of a mm.

    The parts returned are those of the last layer alone.
    """
    nz, ny, nx = hu.shape
    step = lengths[0, 0, 0] + 1  # longer than any way to a neighbour, so that no layer stays empty
    n_rings = step
    heads, tails = np.empty(n_rings, np.int64), np.empty(n_rings, np.int64)
    for ring in range(n_rings):
        heads[ring], tails[ring] = -1, -1
    room = 64
    place = np.zeros(room, np.int64)
    behind = np.zeros(room, np.int64)
    n_queued = 0
    voxels = np.zeros(room, np.int64)
    layer_of = np.zeros(room, np.int64)
    n_in, n_before = 0, 0
    n_seeds = seeds.size
    distance, waiting = 0, n_seeds
    outcome = ENDED
    parts = np.zeros(0, np.int64)
    layer = 0
    while True:
        # enter everything whose path length lies within this layer
        while distance < (layer + 1) * step and waiting > 0:
            if distance == 0 and n_seeds > 0:
                n_seeds -= 1
                flat = seeds[seeds.size - 1 - n_seeds]
                waiting -= 1
            else:
                entry = take_first(behind, heads, tails, distance % n_rings)
                if entry < 0:
                    distance += 1
                    continue
                waiting -= 1
                flat = place[entry]
                z, y, x = flat // (ny * nx), (flat // nx) % ny, flat % nx
                if state[z, y, x] < SEEN:
                    continue
                at = (z, y, x)
                near = is_walled(hu, at, ends_near, steps_near, rules[6], rules[2])
                if not near and not is_walled(hu, at, ends, steps, rules[1], rules[2]):
                    state[z, y, x] = REFUSED
                    continue
                state[z, y, x] = AHEAD
                if n_in == voxels.size:
                    voxels = doubled(voxels)
                    layer_of = doubled(layer_of)
                voxels[n_in] = flat
                layer_of[n_in] = layer
                n_in += 1
            z, y, x = flat // (ny * nx), (flat // nx) % ny, flat % nx
            for z2 in range(max(z - 1, 0), min(z + 2, nz)):
                for y2 in range(max(y - 1, 0), min(y + 2, ny)):
                    for x2 in range(max(x - 1, 0), min(x + 2, nx)):
                        now, value = int(state[z2, y2, x2]), hu[z2, y2, x2]
                        way = lengths[z2 - z + 1, y2 - y + 1, x2 - x + 1]
                        if now == FREE:
                            if value > rules[0] or value < -1200:
                                continue
                        elif now < SEEN or way >= (now - SEEN - distance) % n_rings:
                            continue
                        if n_queued == room:
                            place = doubled(place)
                            behind = doubled(behind)
                            room *= 2
                        ring = (distance + way) % n_rings
                        state[z2, y2, x2] = SEEN + ring
                        place[n_queued] = (z2 * ny + y2) * nx + x2
                        put_last(behind, heads, tails, ring, n_queued)
                        n_queued += 1
                        waiting += 1
        if n_in == n_before:
            break
        parts = part_front(voxels[n_before:n_in], state)
        n_parts = without_spurs(parts)
        if n_in - n_before > rules[3] or n_parts > rules[4]:
            outcome = LEAKED
            break
        if n_parts > 1:
            outcome = SPLIT
            break
        n_before = n_in
        layer += 1
        if waiting == 0 or layer >= rules[5]:
            break
    for n in range(n_queued):
        z, y, x = place[n] // (ny * nx), (place[n] // nx) % ny, place[n] % nx
        if state[z, y, x] >= REFUSED:
            state[z, y, x] = FREE
    return voxels[:n_in], layer_of[:n_in], parts, outcome
