"""Which air space is the right lung, which the left, and where to part them if they touch."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qct.kernels.flood import flood_markers
from qct.segment.body import Blocks
from qct.segment.morphology import Mask, box_around, dilate, erode
from qct.segment.parts import Parts

RIGHT, LEFT, OTHER = 1, 2, 3
"""Numbers of the sides, and of what is neither, on the block grid."""

ACROSS_SHARE = 0.12
"""An air space with more of itself than this on either side of the middle is two lungs, or one that crosses."""

SEED_MM = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0)
"""Shrinking steps at which two joined lungs may come apart."""

ISLAND_ML = 2.0
"""A smaller separate air space is not lung of its own; closing takes it in if it lies within a lung."""

MAIN_SHARE = 0.1
"""A smaller share of the largest air space is an island; below the middle of the lungs it is bowel."""

OESOPHAGUS_ML = 20.0
"""An air space of the oesophagus or of a tracheal pouch is smaller."""

MIDDLE_MM = 30.0
"""Separate air this close to the middle is trachea, oesophagus or bowel."""


@dataclass(frozen=True)
class Sides:
    """The air spaces of the two lungs.

    Attributes
    ----------
    numbers : (K, J, I) uint8
        `RIGHT`, `LEFT`, 0 elsewhere.
    joined : bool
        Whether one air space had to be parted.
    """

    numbers: npt.NDArray[np.uint8]
    joined: bool


def part_sides(blocks: Blocks, air: Mask, gas: Mask, middle: float, threshold_hu: int) -> Sides:
    """Sort air spaces to the sides; part those that hold both lungs, or a lung and gas.

    Parameters
    ----------
    blocks : Blocks
    air : (K, J, I) bool
        Air spaces of the lungs without the airways.
    gas : (K, J, I) bool
        Cores of gas pockets, which may be joined to the air spaces.
    middle : float
        Index along x that the lungs lie to either side of.
    threshold_hu : int
        Parts air from tissue.
    """
    markers = np.zeros(air.shape, np.uint8)
    parts = Parts.of(air)
    sizes_ml = parts.sizes * blocks.block_ml
    joined = False
    if len(sizes_ml) < 2:
        return Sides(markers, joined)
    mains = [n for n in range(1, len(sizes_ml)) if sizes_ml[n] >= MAIN_SHARE * sizes_ml[1:].max()]
    spans = [parts.box(n)[0] for n in mains]
    height = slice(min(one.start for one in spans), max(one.stop for one in spans))
    for number in range(1, len(sizes_ml)):
        if sizes_ml[number] < ISLAND_ML:
            continue
        box, here = parts.box(number), parts.cut(number)
        split = _seeds_of_two(blocks.cut(box), here, middle - box[2].start)
        if split is not None:
            markers[box][split > 0] = split[split > 0]
            joined = True
        else:
            z, _, x = parts.centres[number]
            side = RIGHT if x < middle else LEFT
            if sizes_ml[number] < MAIN_SHARE * sizes_ml[1:].max():
                off_mm = abs(x - middle) * blocks.spacing_mm[2]
                if not _is_lung_island(z, off_mm, height, float(sizes_ml[number])):
                    side = OTHER
            markers[box][here] = side
    if not joined and not gas.any():
        return Sides(np.where(markers == OTHER, 0, markers).astype(np.uint8), joined)
    basins = _part_from_gas(blocks, air, gas, markers, threshold_hu)
    basins[(basins == OTHER) | ~air] = 0
    return Sides(basins, joined)


def _is_lung_island(z: float, off_mm: float, height: slice, ml: float) -> bool:
    """Tell whether a small separate air space may be lung: apart from the middle, in the upper half."""
    apart = off_mm > (MIDDLE_MM if ml < OESOPHAGUS_ML else MIDDLE_MM / 2)
    return apart and (height.start + height.stop) / 2 < z < height.stop


def _seeds_of_two(blocks: Blocks, here: Mask, middle: float) -> npt.NDArray[np.uint8] | None:
    """Return seeds of both lungs in one air space; None if it is one lung, or never comes apart."""
    on_right = np.arange(here.shape[2]) < middle
    share = float(here[:, :, on_right].sum()) / float(here.sum())
    if min(share, 1 - share) < ACROSS_SHARE:
        return None
    for shrink_mm in SEED_MM:
        parts = Parts.of(erode(here, shrink_mm, blocks.spacing_mm))
        sizes = parts.sizes
        if len(sizes) < 3:
            continue
        on_side = np.where(parts.centres[:, 2] < middle, RIGHT, LEFT)
        first, second = np.argsort(-sizes, kind="stable")[:2]
        if sizes[second] > ACROSS_SHARE * sizes[first] and on_side[first] != on_side[second]:
            seeds = np.where(sizes >= 0.01 * sizes[first], on_side, 0)
            return parts.painted(seeds.astype(np.uint8))
    return None


def _part_from_gas(
    blocks: Blocks, air: Mask, gas: Mask, markers: npt.NDArray[np.uint8], threshold_hu: int
) -> npt.NDArray[np.uint8]:
    """Let gas and lungs flood until they meet on the wall between them."""
    if gas.any():
        # The lung's own marker keeps its distance, so that the brightest sheet between may decide.
        spacing = blocks.spacing_mm
        box = box_around(gas, 25.0, spacing)
        near = dilate(gas[box], 12.0, spacing)
        lung_core = erode(air[box] & ~near, 3.0, spacing)
        inner = markers[box]
        inner[near | (dilate(gas[box], 24.0, spacing) & ~lung_core)] = 0
        markers[gas] = OTHER
    box = box_around(air, 0.0, blocks.spacing_mm)
    dry = np.where(air[box], blocks.hu[box], np.int16(3000))
    basins = np.zeros_like(markers)
    basins[box] = flood_markers(dry, markers[box], -1024, threshold_hu)
    return basins
