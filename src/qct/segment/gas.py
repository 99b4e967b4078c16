"""Gas that is not lung: stomach and bowel under the diaphragm."""

import numpy as np

from qct.segment.body import Blocks
from qct.segment.morphology import Mask, dilate, erode, widened, within
from qct.segment.parts import Parts

GAS_BELOW_HU = -930
"""Gas, with the noise of one block; most lung is brighter."""

GAS_MEDIAN_HU = -960
"""The core of a gas pocket reads as air; the core of an emphysematous lung holds vessels and walls."""

CORE_MM = 3.5
"""What lies deeper in the pocket than this holds no partial volume of its wall."""

NECK_MM = 1.5
"""Half the width at which one part of a pocket leads on to the next."""

MOST_GROWTH = 4.0
"""A pocket is at most so many times its core; what grows more has run out into emphysema."""

SMALLEST_POCKET_ML = 2.0
"""Smaller pockets cannot shift a lung's numbers."""

SHELL_MM = (2.5, 6.0)
"""Distances from a pocket between which its wall is looked at: beyond the partial volume of its rim."""

WALLED_SHARE = 0.6
"""So much of a stomach's or bowel's shell is tissue. The shell of a bulla is lung."""

LOW_SHARE = 0.5
"""Stomach and bowel lie in the lower part of the lungs' height."""


def gas_pockets(blocks: Blocks, air: Mask, threshold_hu: int) -> Mask:
    """Find the gas pockets that tissue walls in, below the middle of the lungs.

    Parameters
    ----------
    blocks : Blocks
    air : (K, J, I) bool
        Air spaces of the lungs, and what is joined to them.
    threshold_hu : int
        Parts air from tissue.

    Returns
    -------
    cores : (K, J, I) bool
        Each pocket without the rim of partial volume.
    """
    rows = np.flatnonzero(air.any(axis=(1, 2)))
    middle = int(rows[0] + LOW_SHARE * (rows[-1] - rows[0]))
    low = slice(0, middle + 1 + int(2 * CORE_MM / blocks.spacing_mm[0]) + 1)
    gas = np.zeros_like(air)
    gas[low] = _pockets(blocks.cut((low, slice(None), slice(None))), air[low], middle, threshold_hu)
    return gas


def _pockets(blocks: Blocks, air: Mask, middle: int, threshold_hu: int) -> Mask:
    """Find the pockets whose centre lies below slice `middle`."""
    dark = air & (blocks.hu < GAS_BELOW_HU)
    parts = Parts.of(erode(dark, CORE_MM, blocks.spacing_mm))
    large = parts.sizes * blocks.block_ml >= SMALLEST_POCKET_ML / 4
    keep = np.zeros(parts.sizes.size, bool)
    for number in np.flatnonzero(large & (parts.centres[:, 0] <= middle)).tolist():
        box = parts.box(number)
        here = parts.cut(number)
        if np.median(blocks.hu[box][here]) >= GAS_MEDIAN_HU:
            continue
        around = widened(box, 3 * CORE_MM + SHELL_MM[1], blocks.spacing_mm)
        core = np.zeros(air[around].shape, bool)
        core[within(box, around)] = here
        keep[number] = _is_walled(blocks.cut(around), core, threshold_hu)
    return _reached(parts.mask(keep), erode(dark, NECK_MM, blocks.spacing_mm))


def _reached(cores: Mask, shallow: Mask) -> Mask:
    """Extend cores into the shallow ends of their pockets, unless that leads out into lung."""
    if not cores.any():
        return cores
    parts = Parts.of(shallow)
    inner = np.bincount(parts.numbers(cores), minlength=parts.sizes.size)
    return parts.mask((inner > 0) & (parts.sizes <= MOST_GROWTH * inner)) | cores


def _is_walled(blocks: Blocks, core: Mask, threshold_hu: int) -> bool:
    """Tell whether the shell of a pocket is mostly tissue."""
    hu = blocks.hu
    pocket = dilate(core, 3 * CORE_MM, blocks.spacing_mm) & (hu < GAS_BELOW_HU)
    near, wide = (dilate(pocket, reach_mm, blocks.spacing_mm) for reach_mm in SHELL_MM)
    shell = wide & ~near & (hu >= GAS_BELOW_HU)
    return bool((hu[shell] >= threshold_hu).mean() > WALLED_SHARE) if shell.any() else False
