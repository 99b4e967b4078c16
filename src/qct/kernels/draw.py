"""Draw capsules and rough balls into a voxel grid, with partial volume."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import inner, kernel


@inner
def box_of(
    segment: npt.NDArray[np.float64], reach: float, spacing: npt.NDArray[np.float64], shape: Any
) -> tuple[int, int, int, int, int, int]:
    """Find the voxels that a capsule can touch.

    Parameters
    ----------
    segment : (>= 6,) float64
        Two end points, (z, y, x) each, from the centre of voxel (0, 0, 0); in the unit of `spacing`.
    reach : float
        How far from the axis the capsule acts.
    spacing : (3,) float64
    shape : tuple of int
        (Z, Y, X).

    Returns
    -------
    z0, z1, y0, y1, x0, x1 : int
        Half-open ranges inside the grid.
    """
    bounds = np.zeros(6, np.int64)
    for axis in range(3):
        low = min(segment[axis], segment[axis + 3]) - reach
        high = max(segment[axis], segment[axis + 3]) + reach
        bounds[2 * axis] = min(max(math.ceil(low / spacing[axis]), 0), shape[axis])
        bounds[2 * axis + 1] = min(max(math.floor(high / spacing[axis]) + 1, 0), shape[axis])
    return bounds[0], bounds[1], bounds[2], bounds[3], bounds[4], bounds[5]


@inner
def depth_in_capsule(
    segment: npt.NDArray[np.float64], z: float, y: float, x: float
) -> tuple[float, float]:
    """Return how deep a point lies in a tapered capsule, and the capsule's radius there.

    Parameters
    ----------
    segment : (8,) float64
        Two end points, (z, y, x) each, then the radius at either.
    z, y, x : float
        The point.

    Returns
    -------
    depth, radius : float
        Depth is negative outside.
    """
    along_z = segment[3] - segment[0]
    along_y = segment[4] - segment[1]
    along_x = segment[5] - segment[2]
    length2 = along_z * along_z + along_y * along_y + along_x * along_x
    dz, dy, dx = z - segment[0], y - segment[1], x - segment[2]
    share = 0.0
    if length2 > 0:
        share = min(1.0, max(0.0, (dz * along_z + dy * along_y + dx * along_x) / length2))
    dz, dy, dx = dz - share * along_z, dy - share * along_y, dx - share * along_x
    radius = segment[6] + share * (segment[7] - segment[6])
    return radius - math.sqrt(dz * dz + dy * dy + dx * dx), radius


@inner
def thin_share(radius: float, soft: float) -> float:
    """Return the share of a capsule's middle: one that is thinner than the edge is drawn weaker, not narrower.

    The profile ``clip((radius - r) / soft + 1/2, 0, 1)`` has the area ``pi (radius + soft / 2)^3 / (3 soft)``
    up to ``radius = soft / 2``, where the capsule's is ``pi radius^2``. From there the share goes to 1.
    """
    if radius >= soft:
        return 1.0
    if radius >= soft / 2:
        return 0.75 + 0.5 * (radius / soft - 0.5)
    return 3.0 * soft * radius * radius / (radius + soft / 2) ** 3


@inner
def drawn_radius(radius: float, soft: float) -> float:
    """Return the radius of the profile whose area, times `thin_share`, is that of a disc.

    From ``radius = soft / 2`` on the profile's own area is ``pi (radius^2 + soft^2 / 12)``.
    """
    if radius <= soft / 2:
        return radius
    return math.sqrt(radius * radius / thin_share(radius, soft) - soft * soft / 12.0)


@kernel
def draw_capsules(
    hu: npt.NDArray[np.float32],
    segments: npt.NDArray[np.float64],
    value: float,
    spacing: npt.NDArray[np.float64],
    soft: float,
) -> None:
    """Blend the union of tapered capsules of one density into an image, in place.

    A voxel is covered as far as the capsule that covers it most: where segments of one tree meet, nothing is
    drawn twice, and neither their order nor where a tube is cut in two matters.

    Letters: Z, Y, X grid; K capsules.

    Parameters
    ----------
    hu : (Z, Y, X) float32
        Changed.
    segments : (K, 8) float64
        Two end points, (z, y, x) each, from the centre of voxel (0, 0, 0), then the radius at either; mm.
    value : float
        HU of the capsules.
    spacing : (3,) float64
        (z, y, x), mm.
    soft : float
        Width of the edge across which the share goes from 0 to 1, mm; about a voxel. The area of a
        cross-section does not depend on it, see `thin_share` and `drawn_radius`.
    """
    nz, ny, nx = hu.shape
    boxes = np.empty((segments.shape[0], 6), np.int64)
    for k in range(segments.shape[0]):
        reach = drawn_radius(max(segments[k, 6], segments[k, 7]), soft) + soft / 2
        boxes[k] = box_of(segments[k], reach, spacing, hu.shape)
    shares = np.zeros((ny, nx))
    for z in range(nz):
        low, high, left, right = ny, 0, nx, 0
        for k in range(segments.shape[0]):
            z0, z1, y0, y1, x0, x1 = boxes[k]
            if z < z0 or z >= z1:
                continue
            low, high, left, right = min(low, y0), max(high, y1), min(left, x0), max(right, x1)
            for y in range(y0, y1):
                for x in range(x0, x1):
                    depth, radius = depth_in_capsule(
                        segments[k], z * spacing[0], y * spacing[1], x * spacing[2]
                    )
                    share = (depth - radius + drawn_radius(radius, soft)) / soft + 0.5
                    share = min(1.0, share) * thin_share(radius, soft)
                    shares[y, x] = max(shares[y, x], share)
        for y in range(low, high):
            for x in range(left, right):
                hu[z, y, x] += np.float32((value - hu[z, y, x]) * shares[y, x])
                shares[y, x] = 0.0


@kernel("(uint8[:, :, ::1], float64[:, ::1], uint8[::1], float64[::1])")
def mark_capsules(
    marks: npt.NDArray[np.uint8],
    segments: npt.NDArray[np.float64],
    numbers: npt.NDArray[np.uint8],
    spacing: npt.NDArray[np.float64],
) -> None:
    """Write a capsule's number into every voxel whose centre it holds, in place; the last one stays.

    Letters: Z, Y, X grid; K capsules.

    Parameters
    ----------
    marks : (Z, Y, X) uint8
        Changed.
    segments : (K, 8) float64
        As in `draw_capsules`.
    numbers : (K,) uint8
    spacing : (3,) float64
        (z, y, x), mm.
    """
    for k in range(segments.shape[0]):
        segment = segments[k]
        reach = max(segment[6], segment[7])
        z0, z1, y0, y1, x0, x1 = box_of(segment, reach, spacing, marks.shape)
        for z in range(z0, z1):
            for y in range(y0, y1):
                for x in range(x0, x1):
                    depth, _ = depth_in_capsule(
                        segment, z * spacing[0], y * spacing[1], x * spacing[2]
                    )
                    if depth >= 0:
                        marks[z, y, x] = numbers[k]


@inner
def radius_scale(
    rough: npt.NDArray[np.float32], z: float, y: float, x: float, radius: float
) -> float:
    """Return how far a rough ball reaches at a point, as a share of its radius.

    `rough` (N, N, N) is read periodically, an eighth of the radius per step, and cut to the range -1 to 1.
    """
    n = rough.shape[0]
    step = radius / 8.0
    value = float(rough[int(z / step) % n, int(y / step) % n, int(x / step) % n])
    return 1.0 + 0.5 * min(1.0, max(-1.0, value))


@inner
def touches(
    state: npt.NDArray[np.uint8],
    ball: npt.NDArray[np.float64],
    spacing: npt.NDArray[np.float64],
    gap: float,
) -> bool:
    """Tell whether a voxel of state 2 lies within 1.5 radii and `gap` of the centre of a ball.

    Parameters
    ----------
    state : (Z, Y, X) uint8
    ball : (4,) float64
        Centre (z, y, x) from the centre of voxel (0, 0, 0), then radius; mm.
    spacing : (3,) float64
    gap : float
        mm.
    """
    reach = 1.5 * ball[3] + gap
    segment = np.array([ball[i % 3] for i in range(6)])
    z0, z1, y0, y1, x0, x1 = box_of(segment, reach, spacing, state.shape)
    for z in range(z0, z1):
        for y in range(y0, y1):
            for x in range(x0, x1):
                if state[z, y, x] != 2:
                    continue
                dz = z * spacing[0] - ball[0]
                dy = y * spacing[1] - ball[1]
                dx = x * spacing[2] - ball[2]
                if dz * dz + dy * dy + dx * dx <= reach * reach:
                    return True
    return False


@kernel
def fill_blobs(
    state: npt.NDArray[np.uint8],
    balls: npt.NDArray[np.float64],
    rough: npt.NDArray[np.float32],
    spacing: npt.NDArray[np.float64],
    limits: tuple[int, float],
) -> tuple[int, int]:
    """Turn 1 into 2 inside rough balls, one after the other, until enough voxels are turned; in place.

    Letters: Z, Y, X grid; K balls; N texture.

    Parameters
    ----------
    state : (Z, Y, X) uint8
        1 where a voxel may be turned. Changed.
    balls : (K, 4) float64
        Centre (z, y, x) from the centre of voxel (0, 0, 0), then radius; mm.
    rough : (N, N, N) float32
        Texture of the surfaces: a ball reaches 0.5 to 1.5 radii, see `radius_scale`.
    spacing : (3,) float64
        (z, y, x), mm.
    limits : (int, float)
        How many voxels to turn, and how far a ball stays off what is turned already (mm); a ball that
        comes nearer is left out. A negative distance leaves none out.

    Returns
    -------
    n_turned, n_left_out : int
        Voxels turned, at most as many as wanted; and balls left out.
    """
    wanted, gap = limits
    n_turned, n_left_out = 0, 0
    for k in range(balls.shape[0]):
        ball = balls[k]
        if gap >= 0 and touches(state, ball, spacing, gap):
            n_left_out += 1
            continue
        segment = np.array([ball[i % 3] for i in range(6)])
        z0, z1, y0, y1, x0, x1 = box_of(segment, 1.5 * ball[3], spacing, state.shape)
        for z in range(z0, z1):
            for y in range(y0, y1):
                for x in range(x0, x1):
                    if state[z, y, x] != 1:
                        continue
                    at_z, at_y, at_x = z * spacing[0], y * spacing[1], x * spacing[2]
                    dz, dy, dx = at_z - ball[0], at_y - ball[1], at_x - ball[2]
                    reach = ball[3] * radius_scale(rough, at_z, at_y, at_x, ball[3])
                    if dz * dz + dy * dy + dx * dx > reach * reach:
                        continue
                    if n_turned == wanted:
                        return n_turned, n_left_out
                    state[z, y, x] = 2
                    n_turned += 1
    return n_turned, n_left_out


@kernel
def expand_slice(
    field: npt.NDArray[np.float32],
    rows: npt.NDArray[np.int64],
    row_share: npt.NDArray[np.float32],
    columns: npt.NDArray[np.int64],
    column_share: npt.NDArray[np.float32],
) -> npt.NDArray[Any]:
    """Read a slice of a coarse field at the pixels of a fine one, linearly.

    Letters: B, C coarse; Y, X fine.

    Parameters
    ----------
    field : (B, C) float32
    rows : (Y,) int64
        Coarse row below each fine one, at most B - 2.
    row_share : (Y,) float32
        Share of the next row, 0 to 1.
    columns, column_share : (X,) int64, float32
        The same along x.

    Returns
    -------
    fine : (Y, X) float32
    """
    n_columns = field.shape[1]
    fine = np.empty((rows.size, columns.size), np.float32)
    mixed = np.empty(n_columns, np.float32)
    for y in range(rows.size):
        low, share = rows[y], row_share[y]
        for c in range(n_columns):
            mixed[c] = field[low, c] + share * (field[low + 1, c] - field[low, c])
        for x in range(columns.size):
            c = columns[x]
            fine[y, x] = mixed[c] + column_share[x] * (mixed[c + 1] - mixed[c])
    return fine
