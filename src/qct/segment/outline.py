"""The outline of a lung: closed over vessels and nodules, and over airless lung that lung surrounds."""

import cc3d
import numpy as np
from scipy import ndimage

from qct.segment.body import Blocks
from qct.segment.morphology import Mask, box_around, closed, filled, opened
from qct.segment.sides import RIGHT

CLOSE_MM = 7.0
"""Vessels at the hilum and nodules at the pleura up to twice this width belong to the lung."""

DENSE_REACH_MM = 35.0
"""Airless lung is looked for in dents of the aerated lung up to twice this width."""

DENSE_HU = (-50, 150)
"""Consolidation, tumour and collapse, enhanced or not; fat lies below, bone above."""

DENSE_CORE_MM = 4.0
"""Vessels and airway walls are thinner than twice this."""

SMALLEST_DENSE_ML = 3.0
"""A smaller airless spot is a nodule: plain lung."""


def close_lung(aerated: Mask, blocks: Blocks) -> Mask:
    """Close one lung over vessels, nodules and holes."""
    spacing = blocks.spacing_mm
    box = box_around(aerated, CLOSE_MM + 2 * max(spacing), spacing)
    outline = np.zeros_like(aerated)
    outline[box] = filled(closed(aerated[box], CLOSE_MM, spacing))
    return outline


def dense_lung(aerated: Mask, outline: Mask, blocks: Blocks, side: int) -> Mask:
    """Find airless lung: large, of soft-tissue density, with aerated lung of its side around it.

    Parameters
    ----------
    aerated, outline : (K, J, I) bool
        One lung before and after `close_lung`.
    blocks : Blocks
    side : int
        `RIGHT` or `LEFT`.

    Returns
    -------
    dense : (K, J, I) bool
        Reaches beyond `outline` where a lesion dents it.

    Notes
    -----
    Lung must lie above and below, towards the middle, and in front or behind. So the dome of the
    diaphragm (nothing below), heart and great vessels (nothing towards the middle) and the chest wall
    never count, at the price of disease that lies on the diaphragm or on the mediastinum.
    """
    spacing = blocks.spacing_mm
    box = box_around(aerated, DENSE_REACH_MM + 2 * max(spacing), spacing)
    lung, hu = aerated[box], blocks.hu[box]
    calm = ndimage.uniform_filter(hu, size=[max(1, 2 * round(2.5 / s / 2) + 1) for s in spacing])
    tissue = (calm > DENSE_HU[0]) & (calm < DENSE_HU[1]) & ~lung
    reach = closed(lung, DENSE_REACH_MM, spacing) & _surrounded(lung, side)
    spots = opened(tissue & reach, DENSE_CORE_MM, spacing)
    spots = cc3d.dust(
        spots,
        threshold=int(SMALLEST_DENSE_ML / blocks.block_ml) + 1,
        connectivity=6,
        in_place=False,
    ).astype(bool)
    dense = np.zeros_like(aerated)
    dense[box] = spots
    return dense


def _surrounded(lung: Mask, side: int) -> Mask:
    """Voxels that see lung above and below, towards the middle, and in front or behind."""
    below = np.logical_or.accumulate(lung, axis=0)
    above = np.logical_or.accumulate(lung[::-1], axis=0)[::-1]
    front = np.logical_or.accumulate(lung, axis=1)
    behind = np.logical_or.accumulate(lung[:, ::-1], axis=1)[:, ::-1]
    if side == RIGHT:  # x grows to the left, so the middle lies at larger x
        medial = np.logical_or.accumulate(lung[:, :, ::-1], axis=2)[:, :, ::-1]
    else:
        medial = np.logical_or.accumulate(lung, axis=2)
    return np.asarray(below & above & medial & (front | behind))
