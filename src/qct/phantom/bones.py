"""Ribs, sternum, clavicles, scapulae and the spine's arches, as chains of capsules."""

import numpy as np
import numpy.typing as npt

from qct.phantom.thorax import CAGE_POWER, Shape, cage_at, spine_y

Array = npt.NDArray[np.float64]

N_RIBS = 11
RIB_STEP_MM = 23.0
"""From one rib to the next, at the back."""

ARM_MM = 44.0
"""Radius of an arm."""

CORTEX_HU = 620.0
MARROW_HU = 180.0
CARTILAGE_HU = 95.0


def _chain(points: Array, radius: float) -> Array:
    rows = np.column_stack([points[:-1], points[1:]])
    return np.column_stack([rows, np.full((len(rows), 2), radius)])


def _rib_line(index: int, sign: int, shape: Shape, to: float) -> Array:
    """Return points (z, y, x) along a rib, from the spine to the angle `to` (pi is the midline in front)."""
    turn = np.linspace(0.16, to, 40)
    start = 86.0 - RIB_STEP_MM * index
    fall = 48 + 8.0 * min(index, 7)
    z = start - fall * (1 - np.cos(turn)) / 2
    a, b, mid = cage_at(z, shape)
    p = 2 / CAGE_POWER
    x = sign * (a + 6.5) * np.abs(np.sin(turn)) ** p
    y = mid + (b + 6.5) * np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** p
    x[0], y[0] = sign * 16.0, float(spine_y(z[0])) + 6
    return np.column_stack([z, y, x])


def ribs(shape: Shape) -> tuple[Array, Array, Array]:
    """Return cortex, marrow and cartilage of all ribs; a rib is twice as high as thick."""
    cortex, marrow, cartilage = [], [], []
    for index in range(N_RIBS):
        bony, last = (
            (0.78 * np.pi, 0.93 * np.pi)
            if index < 8
            else ((0.70 - 0.06 * (index - 8)) * np.pi, 0.0)
        )
        for sign in (-1, 1):
            line = _rib_line(index, sign, shape, bony)
            for shift in (-2.6, 0.0, 2.6):
                moved = line + np.array([shift, 0, 0])
                cortex.append(_chain(moved, 3.6))
                marrow.append(_chain(moved[1:], 2.3))
            if last:
                joint = _rib_line(index, sign, shape, last)
                front = joint[joint[:, 0] <= line[-1, 0] + 40][-9:]
                cartilage.append(_chain(np.vstack([line[-1:], front]), 4.2))
    return np.vstack(cortex), np.vstack(marrow), np.vstack(cartilage)


def sternum(shape: Shape) -> tuple[Array, Array]:
    """Return cortex and marrow of the sternum."""
    z = np.linspace(52, -98, 14)
    _, b, mid = cage_at(z, shape)
    lines = [np.column_stack([z, mid - b - 8, np.full_like(z, x)]) for x in np.arange(-12, 13, 3.0)]
    return (
        np.vstack([_chain(line, 5.6) for line in lines]),
        np.vstack([_chain(line, 4.0) for line in lines]),
    )


def clavicles(shape: Shape) -> tuple[Array, Array]:
    """Return cortex and marrow of the clavicles."""
    right = np.array([(62, -50, -18), (74, -50, -60), (96, -24, -105), (112, -6, -138)], np.float64)
    lines = [right, right * [1, 1, -1]]
    return (
        np.vstack([_chain(line, 6.0) for line in lines]),
        np.vstack([_chain(line, 4.2) for line in lines]),
    )


def scapulae(shape: Shape) -> Array:
    """Return the blades: fans of thin rods behind and beside the rib cage."""
    rods = []
    for sign in (-1, 1):
        foot = np.array([-52.0, 92.0, 112.0 * sign])
        for share in np.linspace(0, 1, 30):
            top = np.array([92.0 - 8 * share, 84 - 62 * share, (72 + 76 * share) * sign])
            rods.append(np.concatenate([foot, top, [1.7, 1.7]]))
        rods.append(np.concatenate([[60, 106, 78 * sign], [98, 40, 150 * sign], [3.5, 5.0]]))
        rods.append(np.concatenate([foot, [84, 22, 148 * sign], [3.4, 5.0]]))
    return np.array(rods)


def arms(beside: float) -> Array:
    """Return the axes of the arms beside a body of some half width; the radius is left 0."""
    rows = []
    for sign in (-1, 1):
        x = sign * (beside + ARM_MM + 2)
        points = [(96, 10, sign * (beside - 14)), (70, 14, x), (-60, 24, x), (-260, 22, x)]
        rows.append(_chain(np.array(points, np.float64), 0.0))
    return np.vstack(rows)


def arches() -> tuple[Array, Array, Array]:
    """Return the vertebrae's laminae and processes, the canals' content, and the discs."""
    bone, canal, disc = [], [], []
    for z in np.arange(-232.0, 126.0, RIB_STEP_MM):
        y = float(spine_y(z))
        around = np.linspace(0.15 * np.pi, 1.85 * np.pi, 16)
        ring = np.column_stack(
            [np.full(16, z), y + 24 - 11.5 * np.cos(around), 12 * np.sin(around)]
        )
        bone.append(_chain(ring, 3.6))
        spine = np.array([(z, y + 36, 0), (z - 16, y + 55, 0)], np.float64)
        bone.append(_chain(spine, 3.4))
        for sign in (-1, 1):
            side = np.array([(z, y + 22, 12 * sign), (z + 3, y + 33, 31 * sign)], np.float64)
            bone.append(_chain(side, 4.2))
        middle = z - RIB_STEP_MM / 2
        front = float(spine_y(middle)) - 11
        disc += [
            [middle, front, x, middle, front + 22, x, 2.6, 2.6] for x in np.arange(-11, 12, 3.0)
        ]
    line = np.arange(-240.0, 130.0, 8.0)
    canal.append(_chain(np.column_stack([line, spine_y(line) + 24, np.zeros_like(line)]), 8.0))
    return np.vstack(bone), np.vstack(canal), np.array(disc, np.float64)
