"""Trachea and bronchi: where the trachea is, and how far air can be followed from it without a leak."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qct.kernels.flood import flood_in_order
from qct.segment.body import Blocks
from qct.segment.morphology import Mask
from qct.segment.parts import Parts

TRACHEA_AREA_MM2 = (40.0, 900.0)
"""Lumen area on an axial slice, children to tracheomegaly (adult mean about 250 mm2)."""

TRACHEA_ELONGATION = 2.5
"""Longest over shortest side of the lumen's box; a sabre-sheath trachea stays below."""

TRACHEA_OFF_CENTRE_MM = 50.0
"""How far the trachea may lie from the middle of the chest."""

LUMEN_BELOW_HU = -700
"""Tracheal air with the partial volume of thick slices."""

APEX_SHARE = 0.08
"""A slice through the apices shows more of the largest slice's lung area than this."""

NECK_MM = 40.0
"""The airway is followed so far above the lungs: to the larynx, not into the throat."""

SAME_TUBE_MM = 12.0
"""Hits on neighbouring slices that lie closer than this are one tube."""

FLOOD_LIMIT_HU = -600
"""Air brighter than this is never lumen."""

LARGEST_TREE_ML = 130.0
"""An airway tree is not larger (trachea and bronchi of adults: 30 to 110 mL); more is a leak."""

LEAK_ML = 12.0
"""A step of one HU that adds more than this broke through a wall."""


@dataclass(frozen=True)
class CentralAirway:
    """Trachea and central bronchi on the block grid.

    Attributes
    ----------
    lumen : (K, J, I) bool
    seed : (int, int, int)
        Block in the trachea the flood began at.
    threshold_hu : int
        Highest HU of the flood before it leaked.
    leaked : bool
        Whether a leak had to be cut.
    """

    lumen: Mask
    seed: tuple[int, int, int]
    threshold_hu: int
    leaked: bool


def find_central_airway(blocks: Blocks, inside: Mask, lungs: Mask) -> CentralAirway | None:
    """Find the trachea above and between the lungs, and flood the bronchi from it.

    Parameters
    ----------
    blocks : Blocks
    inside : (K, J, I) bool
        The body.
    lungs : (K, J, I) bool
        Air spaces that hold the lungs, with or without the airways.

    Returns
    -------
    airway : CentralAirway or None
        None where no slice shows a trachea.
    """
    top = _top_of_lungs(lungs)
    seed = _trachea_seed(blocks, inside, lungs, top)
    if seed is None:
        return None
    most = int(LARGEST_TREE_ML / blocks.block_ml) + 1
    closed_in = np.where(inside, blocks.hu, np.int16(3000))
    closed_in[top + int(NECK_MM / blocks.spacing_mm[0]) :] = 3000
    voxels, levels, _ = flood_in_order(closed_in, seed, -1024, FLOOD_LIMIT_HU, most)
    lumen_hu = _lumen_hu(closed_in, seed)
    threshold_hu, leaked = _before_leak(levels, blocks.block_ml, len(voxels) == most, lumen_hu)
    lumen = np.zeros(blocks.hu.size, bool)
    lumen[voxels[levels <= threshold_hu]] = True
    return CentralAirway(lumen.reshape(blocks.hu.shape), seed, threshold_hu, leaked)


def _top_of_lungs(lungs: Mask) -> int:
    """Index of the highest slice on which the lungs are more than the trachea would be."""
    areas = lungs.sum(axis=(1, 2))
    return int(np.flatnonzero(areas > APEX_SHARE * areas.max())[-1])


def _lumen_hu(hu: npt.NDArray[np.int16], seed: tuple[int, int, int]) -> float:
    """Median of the air around the seed."""
    z, y, x = seed
    around = hu[z, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
    return float(np.median(around))


def _before_leak(
    levels: npt.NDArray[np.int32], block_ml: float, ran_full: bool, lumen_hu: float
) -> tuple[int, bool]:
    """Return the highest level before a leak, and whether there was one.

    With noise the flood begins in a dark block and comes to the trachea as a whole in one step: up to the
    median of its lumen (`lumen_hu`) a step is no leak.
    """
    counts = np.bincount(levels.astype(np.int64) + 1024) * block_ml
    volume = np.cumsum(counts)
    jumps = np.flatnonzero((counts > LEAK_ML) & (volume > 2 * LEAK_ML))
    jumps = jumps[jumps - 1024 > lumen_hu]
    if jumps.size:
        return int(jumps[0]) - 1025, True
    last = len(counts) - 1
    return (last - 1025, True) if ran_full else (last - 1024, False)


def _trachea_seed(
    blocks: Blocks, inside: Mask, lungs: Mask, top: int
) -> tuple[int, int, int] | None:
    """Return a block in the trachea, the lowest in the longest chain of round air spots; None without one."""
    hits = _round_spots(blocks, inside, lungs, top)
    if not len(hits):
        return None
    _, sy, sx = blocks.spacing_mm
    gaps = np.hypot((hits[:, None, 1] - hits[:, 1]) * sy, (hits[:, None, 2] - hits[:, 2]) * sx)
    near = gaps < SAME_TUBE_MM
    chain = hits[near[int(np.argmax(near.sum(axis=1)))]]
    z, y, x = (round(float(value)) for value in chain[-1])
    window = blocks.hu[z, max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
    j, i = np.unravel_index(int(np.argmin(window)), window.shape)
    return z, max(y - 2, 0) + int(j), max(x - 2, 0) + int(i)


def _round_spots(blocks: Blocks, inside: Mask, lungs: Mask, apex: int) -> npt.NDArray[np.float64]:
    """List (z, y, x) of round air spots near the middle of the chest, in its upper half, from the top."""
    _, sy, sx = blocks.spacing_mm
    rows = np.flatnonzero(lungs.any(axis=(1, 2)))
    columns = np.flatnonzero(lungs.any(axis=(0, 1)))
    middle = (columns[0] + columns[-1]) / 2
    top = min(int(apex + 20 / blocks.spacing_mm[0]), blocks.hu.shape[0] - 1)
    bottom = int((rows[0] + apex) / 2)
    seen = slice(bottom + 1, max(top, bottom) + 1)
    spots = ((blocks.hu[seen] < LUMEN_BELOW_HU) & inside[seen]).astype(np.uint8)
    spots[1::2] *= 2  # so that no spot hangs together with those of the next slice
    parts = Parts.of(spots)
    area_mm2 = parts.sizes * sy * sx
    _, height, width = np.diff(parts.spans)[..., 0].T
    height_mm, width_mm = height * sy, width * sx
    longest_mm, shortest_mm = np.maximum(height_mm, width_mm), np.minimum(height_mm, width_mm)
    is_round = (
        (TRACHEA_AREA_MM2[0] <= area_mm2)
        & (area_mm2 <= TRACHEA_AREA_MM2[1])
        & (longest_mm <= TRACHEA_ELONGATION * shortest_mm)
        & (area_mm2 > 0.5 * height_mm * width_mm)
        & (np.abs(parts.centres[:, 2] - middle) * sx < TRACHEA_OFF_CENTRE_MM)
    )
    hits = parts.centres[is_round] + np.array([bottom + 1, 0, 0])
    return np.asarray(hits[np.argsort(-hits[:, 0], kind="stable")])
