"""The shape of a chest: outline, rib cage, mediastinum, diaphragm, lungs, fissures; all by formula.

Proportions are those of a supine adult in full inspiration, drawn by hand; nothing is taken from anybody's
scan. Lengths are reference mm (see `qct.phantom.space`).
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label as label_pieces

from qct.phantom.space import (
    Field,
    Grid,
    Point,
    Stream,
    capsule,
    ellipsoid,
    soft_max,
    soft_min,
    stream,
)
from qct.phantom.spec import ChestSpec
from qct.regions import Label, Side

_HEIGHTS = (-240, -180, -140, -100, -60, -20, 20, 45, 65, 82, 95, 125)
_HALF_WIDTH = (134, 135, 134, 132, 129, 124, 114, 102, 89, 74, 60, 50)
_FRONT = (-96, -94, -92, -90, -88, -83, -72, -60, -48, -36, -26, -20)
_BACK = (70, 80, 86, 90, 91, 89, 83, 76, 67, 57, 46, 40)
"""Inner side of the rib cage: half width, front and back at some heights."""

_SKIN_HEIGHTS = (-240, -150, -60, 0, 40, 70, 100, 130)
_SKIN_HALF_WIDTH = (160, 162, 163, 166, 172, 178, 172, 158)
_SKIN_FRONT = (-118, -118, -114, -106, -94, -80, -68, -60)
_SKIN_BACK = (108, 118, 122, 121, 117, 110, 100, 92)
"""The outline of the body, arms raised."""

CAGE_POWER = 2.3
"""Exponent of the superellipse of the rib cage; 2 would be an ellipse."""

SKIN_POWER = 2.7
"""The same of the outline."""

DOME_DROP = 62.0
"""From the top of the diaphragm to its rim."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What differs from person to person."""

    depth: float
    """Depth of the rib cage over the average."""
    heart: float
    """Size of the heart over the average."""
    dome_right: float
    dome_left: float
    """Height of the tops of the diaphragm."""
    apex_right: float
    apex_left: float
    """Height of the tops of the lungs."""
    fat: float
    """Thickness of the fat under the skin."""
    fissures: npt.NDArray[np.float64]
    """(3, 8) standard normal coefficients of the shapes of left oblique, right oblique, minor."""

    @classmethod
    def draw(cls, seed: int) -> "Shape":
        """Draw a person."""
        rng = stream(seed, Stream.SHAPE)
        return cls(
            depth=1 + 0.04 * float(rng.uniform(-1, 1)),
            heart=1 + 0.07 * float(rng.uniform(-1, 1)),
            dome_right=-98 + 6 * float(rng.uniform(-1, 1)),
            dome_left=-110 + 6 * float(rng.uniform(-1, 1)),
            apex_right=94 + 3 * float(rng.uniform(-1, 1)),
            apex_left=92 + 3 * float(rng.uniform(-1, 1)),
            fat=float(rng.uniform(7, 15)),
            fissures=np.clip(rng.standard_normal((3, 8)), -1.8, 1.8),
        )


def person(spec: ChestSpec) -> Shape:
    """Return the person of a spec."""
    shape = Shape.draw(spec.seed)
    return replace(shape, fat=shape.fat + spec.fat_mm)


def cage_at(z: Field | float, shape: Shape) -> tuple[Field, Field, Field]:
    """Return half width, half depth and the y of the middle of the rib cage at some heights."""
    half_width = np.asarray(np.interp(z, _HEIGHTS, _HALF_WIDTH))
    front = np.interp(z, _HEIGHTS, _FRONT) * shape.depth
    back = np.interp(z, _HEIGHTS, _BACK) * shape.depth
    return half_width, np.asarray(back - front) / 2, np.asarray(back + front) / 2


def spine_y(z: Field | float) -> Field:
    """Return the y of the middle of the vertebral bodies (thoracic kyphosis)."""
    return np.asarray(
        np.interp(z, (-240, -150, -60, 0, 60, 125), (38, 50, 55, 53, 43, 22)), np.float32
    )


def superellipse(grid: Grid, half_width: Field, half_depth: Field, y: Field, power: float) -> Field:
    """Distance, along the ray from the middle, from a tube of superelliptic section."""
    _, yy, xx = grid.open()
    a, b, mid = (np.asarray(v, np.float32)[:, None, None] for v in (half_width, half_depth, y))
    p = np.float32(power)
    unit = (np.abs(xx / a) ** p + np.abs((yy - mid) / b) ** p) ** (1 / p)
    radius = np.sqrt(xx * xx + (yy - mid) ** 2)
    return np.asarray(radius - radius / np.maximum(unit, 1e-3), np.float32)


def rib_cage(grid: Grid, shape: Shape) -> Field:
    """Distance from the inner side of the rib cage."""
    a, b, y = cage_at(grid.axis(0), shape)
    return superellipse(grid, a, b, y, CAGE_POWER)


def skin(grid: Grid, shape: Shape) -> Field:
    """Distance from the outline of the body."""
    z = grid.axis(0)
    extra = shape.fat - 10
    a = np.interp(z, _SKIN_HEIGHTS, _SKIN_HALF_WIDTH) + extra
    front = np.interp(z, _SKIN_HEIGHTS, _SKIN_FRONT) * shape.depth - extra
    back = np.interp(z, _SKIN_HEIGHTS, _SKIN_BACK) * shape.depth + extra
    return superellipse(grid, a, (back - front) / 2, (back + front) / 2, SKIN_POWER)


def diaphragm(grid: Grid, shape: Shape, side: Side) -> Field:
    """Distance from what lies under one dome: negative below it."""
    z, y, x = grid.open()
    sign, top = (-1, shape.dome_right) if side is Side.RIGHT else (1, shape.dome_left)
    rho2 = ((x - np.float32(sign * 64)) / 74) ** 2 + ((y + np.float32(6)) / 84) ** 2
    height = top - np.float32(DOME_DROP) * rho2 ** np.float32(1.1) - np.float32(0.16) * y
    slope = np.sqrt(1 + (2.2 * np.float32(DOME_DROP) / 80) ** 2 * np.minimum(rho2, 1.4))
    return np.asarray((z - height) / slope, np.float32)


def apex(grid: Grid, shape: Shape, side: Side) -> Field:
    """Distance from the dome over the top of one lung."""
    z, y, x = grid.open()
    sign, top = (-1, shape.apex_right) if side is Side.RIGHT else (1, shape.apex_left)
    rho2 = ((x - np.float32(sign * 52)) / 50) ** 2 + ((y - np.float32(12)) / 51) ** 2
    slope = np.sqrt(1 + 4 * np.minimum(rho2, 2.0) ** np.float32(1.6))
    return np.asarray((z - (top - 40 * rho2 ** np.float32(1.3))) / slope, np.float32)


# --- mediastinum -----------------------------------------------------------------------------------

Tube = tuple[Point, Point, float]
"""Start, end, radius."""

AORTA: tuple[Tube, ...] = (
    ((-55, -38, -4), (-15, -44, -16), 16),
    ((-15, -44, -16), (14, -38, -14), 15.5),
    ((14, -38, -14), (27, -22, -4), 14.5),
    ((27, -22, -4), (29, -2, 8), 13.5),
    ((29, -2, 8), (22, 18, 19), 13),
    ((22, 18, 19), (5, 28, 25), 12.5),
    ((5, 28, 25), (-60, 33, 26), 12),
    ((-60, 33, 26), (-130, 30, 16), 11.5),
    ((-130, 30, 16), (-240, 16, 8), 11),
)
PULMONARY_TRUNK: tuple[Tube, ...] = (
    ((-48, -52, 16), (-22, -42, 20), 14),
    ((-22, -42, 20), (-8, -22, 20), 13),
)
PULMONARY_ARTERIES: tuple[Tube, ...] = (
    ((-14, -22, 14), (-20, -14, -16), 10.5),
    ((-20, -14, -16), (-22, -6, -36), 9.5),
    ((-8, -22, 20), (-4, -4, 36), 10.5),
)
GREAT_VEINS: tuple[Tube, ...] = (
    ((-45, -26, -30), (50, -30, -24), 9),
    ((50, -30, -24), (80, -32, -30), 7),
    ((50, -32, -22), (72, -40, 30), 6),
    ((-110, 6, -22), (-82, -10, -26), 12.5),
    ((-240, 10, -22), (-110, 6, -22), 11.5),
    ((16, 22, -8), (20, -22, -26), 4.5),
    ((-240, 34, -8), (16, 24, -8), 3.5),
)
ARCH_BRANCHES: tuple[Tube, ...] = (
    ((30, -26, -8), (130, -26, -26), 6),
    ((30, -18, -2), (130, -18, 14), 4.5),
    ((30, -4, 9), (80, 0, 28), 5),
    ((80, 0, 28), (100, -2, 60), 4.5),
)
OESOPHAGUS: tuple[Tube, ...] = (
    ((130, -2, 2), (30, 16, 6), 6.5),
    ((30, 16, 6), (-60, 20, 4), 7),
    ((-60, 20, 4), (-110, 10, 18), 7.5),
    ((-110, 10, 18), (-128, -4, 38), 7.5),
)
HILA: tuple[Tube, ...] = (
    ((-18, 4, -20), (-34, 2, -37), 11),
    ((-34, 2, -37), (-52, 6, -44), 10),
    ((-20, 6, 26), (-34, 8, 40), 11),
    ((-34, 8, 40), (-50, 10, 45), 10),
)
"""Soft tissue around the bronchi and vessels where they enter the lungs."""

CENTRAL_TENDON: tuple[Tube, ...] = (
    ((-88, -34, 14), (-160, -30, 14), 36),
    ((-90, 18, 2), (-220, 16, 2), 24),
    ((-142, -68, -20), (-150, -76, 26), 19),
    ((-150, -76, 26), (-185, -80, 16), 19),
)
"""Where heart, gullet and fat pads lie on the diaphragm, and no lung comes between."""

TRACHEA: Tube = ((135, -18, 0), (0, 2, 0), 8.6)
MAIN_BRONCHI: tuple[Tube, ...] = (((0, 2, 0), (-19, 5, -19), 6.8), ((0, 2, 0), (-32, 8, 37), 6.2))


def heart(grid: Grid, shape: Shape) -> Field:
    """Distance from the heart: both ventricles, right and left atrium."""
    h = shape.heart
    long = np.array([-0.42, -0.52, 0.74])
    long /= np.linalg.norm(long)
    side = np.cross(long, [1.0, 0, 0])
    side /= np.linalg.norm(side)
    turn = np.array([long, side, np.cross(long, side)], np.float32)
    body = ellipsoid(grid, (-80, -40, 20), (60 * h, 45 * h, 41 * h), turn)
    right = ellipsoid(grid, (-72, -30, -24), (38 * h, 30 * h, 27 * h))
    left = ellipsoid(grid, (-50, -4, 4), (24, 20 * h, 34))
    return soft_min(soft_min(body, right, 14), left, 12)


def tubes(grid: Grid, parts: tuple[Tube, ...], extra: float = 0.0) -> Field:
    """Distance from a chain of tubes."""
    first, *rest = (capsule(grid, start, end, radius + extra) for start, end, radius in parts)
    for one in rest:
        first = np.minimum(first, one)
    return first


def vertebral_bodies(grid: Grid) -> Field:
    """Distance from the column of the vertebral bodies."""
    _, y, x = grid.open()
    mid = spine_y(grid.axis(0))[:, None, None]
    unit = np.sqrt((x / 17) ** 2 + ((y - mid) / 15) ** 2)
    return np.asarray((unit - 1) * 15, np.float32)


def mediastinum(grid: Grid, shape: Shape, heart_field: Field) -> Field:
    """Distance from everything between the lungs, fat included."""
    z, y, x = grid.open()
    whole = soft_min(heart_field - 4, vertebral_bodies(grid) - 5, 10)
    for parts, extra in (
        (AORTA, 2.5),
        (PULMONARY_TRUNK + PULMONARY_ARTERIES, 2.5),
        (GREAT_VEINS, 2.5),
        (OESOPHAGUS, 3.0),
        ((TRACHEA, *MAIN_BRONCHI), 3.5),
        (HILA, 0.0),
        (ARCH_BRANCHES, 3.0),
        (CENTRAL_TENDON, 0.0),
    ):
        whole = soft_min(whole, tubes(grid, parts, extra), 9)
    # Fat plane between the lungs: thin behind the sternum, wide among the vessels above the arch.
    width = 3.0 + 22 / (1 + np.exp(-(z - 38) / 9)) + 5 / (1 + np.exp((z + 70) / 12))
    behind = np.abs(x - 2) - 9 / (1 + np.exp(-(y - 60) / 4)) * 3 - 4
    front = soft_max(np.abs(x) - width, y - 25, 6)
    slab = soft_max(behind, 40 - y, 6) + 0 * z
    return soft_min(whole, soft_min(front, slab, 6), 10)


# --- lungs and lobes --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fields:
    """Every distance that the model is painted from, on one coarse grid."""

    grid: Grid
    skin: Field
    cage: Field
    heart: Field
    under: Field
    """From what lies under the diaphragm, both sides together."""
    right: Field
    left: Field
    """From the lungs."""
    left_oblique: Field
    right_oblique: Field
    """Positive above: the upper (and middle) lobe."""
    minor: Field
    """Positive above: the upper lobe."""


def make_fields(grid: Grid, shape: Shape) -> Fields:
    """Evaluate the anatomy on a grid."""
    cage, beating = rib_cage(grid, shape), heart(grid, shape)
    middle = mediastinum(grid, shape, beating)
    domes = {side: diaphragm(grid, shape, side) for side in Side}
    x = grid.open()[2]
    lungs = {}
    for side, sign in ((Side.RIGHT, -1), (Side.LEFT, 1)):
        lung = soft_max(cage, apex(grid, shape, side), 12)
        lung = soft_max(lung, -middle, 6)
        lung = soft_max(lung, -domes[side], 3)
        lungs[side] = _in_one_piece(np.maximum(lung, np.float32(2) - np.float32(sign) * x), grid)
    blend = 1 / (1 + np.exp(-x / 12))
    under = domes[Side.RIGHT] * (1 - blend) + domes[Side.LEFT] * blend
    return Fields(
        grid=grid,
        skin=skin(grid, shape),
        cage=cage,
        heart=beating,
        under=np.asarray(under, np.float32),
        right=lungs[Side.RIGHT],
        left=lungs[Side.LEFT],
        left_oblique=_fissure(grid, shape.fissures[0], 14.0, 1.42, 70),
        right_oblique=_fissure(grid, shape.fissures[1], 13.0, 1.36, -70),
        minor=_fissure(grid, shape.fissures[2], -22.0, 0.12, -75, bow=-9.0),
    )


def _in_one_piece(lung: Field, grid: Grid) -> Field:
    """Close the pockets that the organs cut off from a lung."""
    pieces, n_pieces = label_pieces(lung < grid.step / 2)
    if n_pieces < 2:
        return lung
    largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    pocket = (pieces > 0) & (pieces != largest)
    return np.where(pocket, np.float32(grid.step), lung)


def _fissure(
    grid: Grid,
    modes: npt.NDArray[np.float64],
    at_back: float,
    slope: float,
    x_middle: float,
    bow: float = 6.0,
) -> Field:
    """Signed distance from a fissure, a height over (y, x); positive above it.

    `at_back` is the height 60 mm behind the carina, `slope` the rise towards the back. The modes shift,
    tilt and twist the surface, bow it, and add two waves.
    """
    z, y, x = grid.open()
    v, u = (y - 60) / np.float32(70), (x - np.float32(x_middle)) / np.float32(50)
    m = [np.float32(one) for one in modes]
    slope = slope * (1 + 0.07 * float(modes[1]))
    phase = 2 * np.pi * (0.9 * v + 0.5 * u)
    height = (
        at_back
        + 6 * m[0]
        + slope * (y - 60)
        + 4 * m[2] * u
        + (bow + 3 * m[3]) * u * u
        + 4 * m[4] * u * v
        + 4 * m[5] * (v + 1) ** 2
        + 2.2 * m[6] * np.sin(phase)
        + 1.6 * m[7] * np.sin(1.7 * phase + 1)
    )
    return np.asarray((z - height) / np.float32(np.hypot(1, slope)), np.float32)


def accessory_fissures(grid: Grid) -> tuple[tuple[Field, Field], tuple[Field, Field]]:
    """Return the left minor and the right inferior accessory fissure, and where each may be seen (positive)."""
    z, y, x = grid.open()
    minor = _fissure(grid, np.zeros(8), -20.0, 0.15, 75, bow=-7.0)
    curved = x + 58 + np.float32(0.3) * (y - 20) + np.float32(0.004) * (y - 20) ** 2
    inferior = np.asarray(curved / np.float32(np.hypot(1, 0.3)) + 0 * z, np.float32)
    everywhere = np.full_like(minor, 9.0)
    base = np.asarray(np.broadcast_to((-60 - z) / 10, inferior.shape), np.float32)
    return (minor, everywhere), (inferior, base)


def lobes_of(
    right: Field, left: Field, left_oblique: Field, right_oblique: Field, minor: Field
) -> npt.NDArray[np.uint8]:
    """Return the lobes' numbers (`qct.regions.Label`) from the distances; 0 outside the lungs."""
    labels = np.zeros(np.broadcast_shapes(right.shape, left.shape), np.uint8)
    on_left, on_right = left < 0, right < 0
    labels[on_left & (left_oblique >= 0)] = Label.LEFT_UPPER_LOBE
    labels[on_left & (left_oblique < 0)] = Label.LEFT_LOWER_LOBE
    labels[on_right & (right_oblique < 0)] = Label.RIGHT_LOWER_LOBE
    labels[on_right & (right_oblique >= 0) & (minor < 0)] = Label.RIGHT_MIDDLE_LOBE
    labels[on_right & (right_oblique >= 0) & (minor >= 0)] = Label.RIGHT_UPPER_LOBE
    return labels
