"""The outline of a lung: closed over vessels and nodules, and over airless lung inside its space."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from qct.boxes import Box
from qct.kernels.blocks import average_blocks
from qct.kernels.compiled import side_by_side
from qct.segment.body import Blocks
from qct.segment.chest_wall import LONGEST_MM, STEP_MM, ChestWall, find_chest_wall
from qct.segment.morphology import Mask, box_around, closed, dilate, filled, opened, repeated
from qct.segment.parts import Parts
from qct.segment.sides import LEFT, RIGHT

CLOSE_MM = 7.0
"""Vessels at the hilum and nodules at the pleura up to twice this width belong to the lung."""

COARSE_MM = 2.8
"""Edge of the blocks on which airless lung is looked for, about."""

DENSE_HU = (-50, 150)
"""Consolidation, tumour and collapse, enhanced or not; fat lies below, bone above."""

AT_WALL_CORE_MM = 4.0
"""Airless lung between aerated lung and ribs is thicker than twice this; muscle and fat are thinner."""

INNER_CORE_MM = 10.0
"""Airless lung that lies towards the mediastinum is thicker than twice this; hilar vessels are thinner."""

SMALLEST_DENSE_ML = 3.0
"""A smaller airless spot is a nodule: plain lung."""

SMALLEST_INNER_ML = 15.0
"""The same towards the mediastinum, where a smaller one may be a hilar vessel."""

REACH_SHARE = 0.12
"""Radius of the ball that must not roll into airless lung from the mediastinum, per width of the chest."""

FLUID_BELOW_HU = 12
"""Mean HU of pleural fluid lies below, that of airless lung above (*to be confirmed*: seen on few scans)."""

WIDEST_GAP_MM = 80.0
"""On a ray no more airless lung than this lies between aerated lung and ribs; liver and heart are wider."""

DENTED_SHARE = 0.25
"""So much of airless lung at the ribs lies where the aerated lung's outer face is dented; muscle never does."""

FRONT_DEG = 25.0
"""So far to either side of the sternum the chest wall is cartilage, which rays do not see."""

BACK_DEG = 168.0
"""Beyond lies the spine."""


@dataclass(frozen=True)
class Airless:
    """Airless lung of both sides on the block grid.

    Attributes
    ----------
    dense : (K, J, I) bool
        Parts of the lungs.
    fluid_ml : mapping
        `RIGHT` and `LEFT` to what was found and left out, being as dark as fluid.
    left_base_mm : float
        How much higher the base of the left lung lies than that of the right; None without both.
    """

    dense: dict[int, Mask]
    fluid_ml: dict[int, float] = field(default_factory=lambda: {RIGHT: 0.0, LEFT: 0.0})
    left_base_mm: float | None = None


def close_lung(aerated: Mask, blocks: Blocks) -> Mask:
    """Close one lung over vessels, nodules and holes."""
    box = room_to_close(aerated, blocks)
    outline = np.zeros_like(aerated)
    outline[box] = filled(closed(aerated[box], CLOSE_MM, blocks.spacing_mm))
    return outline


def room_to_close(aerated: Mask, blocks: Blocks) -> Box:
    """Return a box that closing and one block more do not reach beyond."""
    return box_around(aerated, CLOSE_MM + 2 * max(blocks.spacing_mm), blocks.spacing_mm)


def find_airless(blocks: Blocks, sides: npt.NDArray[np.uint8], middle: float) -> Airless:
    """Find airless lung: soft tissue in the space of a lung that muscle, vessels or heart do not explain.

    Parameters
    ----------
    blocks : Blocks
    sides : (K, J, I) uint8
        Aerated lungs, `RIGHT` and `LEFT`.
    middle : float
        Index along x that the lungs lie to either side of.

    Notes
    -----
    Two kinds are found. Along the chest wall: tissue that has aerated lung on its inner and ribs on its
    outer side, thicker than the wall's own tissue. Towards the mediastinum: thick tissue inside the lung's
    border as interpolated over narrow dents, with lung above and below, that a ball cannot enter from the
    mediastinum. The dome of the diaphragm has no lung below it, the heart is larger than the ball, aorta and
    arch are long dents: they stay outside. So does a lung or lobe without any air that ends on the diaphragm.
    """
    factors = tuple(max(1, round(COARSE_MM / step)) for step in blocks.spacing_mm)
    fz, fy, fx = factors
    spacing = blocks.spacing_mm
    coarse = Blocks(
        average_blocks(blocks.hu, (fz, fy, fx), -32768, -1000),
        (spacing[0] * fz, spacing[1] * fy, spacing[2] * fx),
        (fz, fy, fx),
    )
    rough = np.ascontiguousarray(sides[::fz, ::fy, ::fx])
    wall = find_chest_wall(coarse, rough, middle / fx)
    cage = _beyond_pleura(wall, rough.shape)
    both = side_by_side(
        *(partial(_spots, coarse, rough == side, wall, cage, side) for side in (RIGHT, LEFT))
    )
    dense, fluid_ml = {}, {}
    for side, (spots, side_ml) in zip((RIGHT, LEFT), both, strict=True):
        fluid_ml[side] = side_ml
        dense[side] = repeated(spots, factors, sides.shape) & (sides != RIGHT + LEFT - side)
    left, right = wall.base(LEFT), wall.base(RIGHT)
    if left is None or right is None:
        return Airless(dense, fluid_ml)
    return Airless(dense, fluid_ml, (left - right) * coarse.spacing_mm[0])


def _spots(
    coarse: Blocks, lung: Mask, wall: ChestWall, cage: Mask, side: int
) -> tuple[Mask, float]:
    """Return airless lung of one side, and the volume of what is as dark as fluid."""
    if not lung.any():
        return np.zeros_like(lung), 0.0
    spacing = coarse.spacing_mm
    tissue = (coarse.hu > DENSE_HU[0]) & (coarse.hu < DENSE_HU[1]) & ~lung
    tissue &= _out_of_reach(cage, lung, spacing)
    every = np.ones_like(wall.dented)
    at_wall = opened(tissue & _at_wall(wall, side, every, lung.shape), AT_WALL_CORE_MM, spacing)
    dented = at_wall & _at_wall(wall, side, wall.dented, lung.shape)
    thick = at_wall | (tissue & _inside(wall, lung, side))
    core = opened(thick, INNER_CORE_MM, spacing)
    grown = dilate(core, INNER_CORE_MM, spacing) & thick & ~at_wall
    both = at_wall | grown
    parts = Parts.of(both)
    count = parts.sizes
    outer, dents, inwards = (
        np.bincount(parts.numbers(one), minlength=len(count)) for one in (at_wall, dented, grown)
    )
    total = np.bincount(parts.numbers(both), weights=coarse.hu[both], minlength=len(count))
    reaching = outer * coarse.block_ml >= SMALLEST_DENSE_ML
    inner = inwards * coarse.block_ml >= SMALLEST_INNER_ML
    large = (reaching & (dents >= DENTED_SHARE * outer)) | inner
    fluid = (reaching | large) & (total < FLUID_BELOW_HU * count)
    return parts.mask(large & ~fluid), float(count[fluid].sum()) * coarse.block_ml


def _beyond_pleura(wall: ChestWall, shape: tuple[int, ...]) -> Mask:
    """Blocks of the chest wall, and outside."""
    beyond = np.where(wall.pleura >= 0, np.int16(LONGEST_MM / STEP_MM), np.int16(0))
    return wall.between(np.maximum(wall.pleura, 0), beyond, shape)


def _out_of_reach(cage: Mask, lung: Mask, spacing: tuple[float, float, float]) -> Mask:
    """Blocks that a ball, rolled over lung and chest wall from the mediastinum, does not get to."""
    solid = lung | cage
    width_mm = np.flatnonzero(lung.any(axis=(0, 1))).size * spacing[2] * 2
    radius_mm = REACH_SHARE * width_mm
    room = [(int(radius_mm / step_mm) + 2,) * 2 for step_mm in spacing]
    inner = tuple(slice(before, -after) for before, after in room)
    return closed(np.pad(solid, room), radius_mm, spacing)[inner]


def _at_wall(wall: ChestWall, side: int, rays: Mask, shape: tuple[int, ...]) -> Mask:
    """Blocks between the outermost aerated lung of some rays and the ribs."""
    turn = wall.from_front_deg
    seen = rays & (wall.own == side) & (turn > FRONT_DEG) & (turn < BACK_DEG)
    seen &= (wall.last >= 0) & ((wall.pleura - wall.last) * STEP_MM < WIDEST_GAP_MM)
    outer = np.where(seen, wall.pleura, 0).astype(np.int16)
    return wall.between(wall.last + np.int16(1), outer, shape)


def _inside(wall: ChestWall, lung: Mask, side: int) -> Mask:
    """Blocks of a lung's space that have lung above and below."""
    seen = (wall.own == side) & (wall.from_front_deg > FRONT_DEG)
    outer = np.where(seen, np.maximum(wall.pleura, wall.last + 1), 0).astype(np.int16)
    beneath = np.logical_or.accumulate(lung, axis=0)
    above = np.logical_or.accumulate(lung[::-1], axis=0)[::-1]
    return wall.between(wall.mediastinum, outer, lung.shape) & beneath & above
