"""The block grid that shapes are found on, the body in it, and the HU that parts air from tissue."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qct.boxes import Box
from qct.kernels.blocks import average_blocks
from qct.kernels.histogram import count_hu
from qct.segment.morphology import (
    Mask,
    Spacing,
    box_around,
    erode,
    filled_slices,
    opened,
    repeated,
)
from qct.segment.parts import Parts, largest
from qct.volume import PADDING_HU, Volume

BLOCK_MM = 1.4
"""Edge of a block, about: thin enough for the wall between two lungs, and averaging calms sharp kernels."""

OUTSIDE_HU = -1000
"""What stands for voxels that the scanner did not measure: air."""

TISSUE_ABOVE_HU = -400
"""Halfway between inflated lung (about -850) and soft tissue (about 40); only outlines the body."""

THRESHOLD_LIMITS_HU = (-500, -300)
"""Where the threshold of air may lie; a histogram that asks for more has no two peaks."""

BODY_MM = 3.0
"""Grid step at which the body is outlined."""

SHEET_MM = 3.0
"""Half the thickness of blankets and table tops, which are no body; a chest wall is thicker."""

SKIN_MM = 5.0
"""Skin and the partial volume around it; no lung lies shallower."""

LUNG_AT_EDGE_ML = 200.0
"""Air at the edge of the field of view that is large and not pure gas is lung: the field cuts it."""

LUNG_MEDIAN_HU = (-930, -500)
"""Median HU of air spaces that can only be lung: gas lies below, tissue mixed with gas above."""


@dataclass(frozen=True)
class Blocks:
    """A scan averaged over blocks of voxels, cut to the body.

    Attributes
    ----------
    hu : (K, J, I) int16
        Mean HU of each block.
    spacing_mm : (float, float, float)
        Size of a block along (z, y, x).
    factors : (int, int, int)
        Voxels per block along (z, y, x).
    """

    hu: npt.NDArray[np.int16]
    spacing_mm: Spacing
    factors: tuple[int, int, int]

    @property
    def block_ml(self) -> float:
        """Volume of one block."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    def cut(self, box: Box) -> "Blocks":
        """Keep only a box."""
        return Blocks(np.ascontiguousarray(self.hu[box]), self.spacing_mm, self.factors)


def average(volume: Volume) -> Blocks:
    """Average a volume over blocks of about `BLOCK_MM`; voxels that are larger stay what they are."""
    spacing = volume.spacing_mm
    fz, fy, fx = (max(1, round(BLOCK_MM / step_mm)) for step_mm in spacing)
    hu = average_blocks(volume.hu, (fz, fy, fx), PADDING_HU, OUTSIDE_HU)
    return Blocks(hu, (spacing[0] * fz, spacing[1] * fy, spacing[2] * fx), (fz, fy, fx))


def find_body(blocks: Blocks) -> Mask:
    """Find the body below the skin, without table and clothes, its air spaces filled slice by slice.

    Returns
    -------
    body : (K, J, I) bool
        All False where nothing is as thick as a body.
    """
    steps = tuple(max(1, int(BODY_MM / step_mm)) for step_mm in blocks.spacing_mm)
    rough = np.ascontiguousarray(blocks.hu[:: steps[0], :: steps[1], :: steps[2]])
    spacing = blocks.spacing_mm
    rough_mm = (spacing[0] * steps[0], spacing[1] * steps[1], spacing[2] * steps[2])
    tissue = rough > TISSUE_ABOVE_HU
    core = largest(opened(tissue, SHEET_MM, rough_mm))
    body = filled_slices(core | _lung_at_edge(rough, core, float(np.prod(rough_mm)) / 1000.0))
    # The skin is half air in a coarse view, and is no air space.
    return repeated(erode(body, SKIN_MM, rough_mm), steps, blocks.hu.shape)


def _lung_at_edge(hu: npt.NDArray[np.int16], core: Mask, voxel_ml: float) -> Mask:
    """Find lung that the field of view cuts, so that no chest wall closes it off."""
    lung = np.zeros_like(core)
    if not core.any():
        return lung
    parts = Parts.of(hu <= TISSUE_ABOVE_HU)
    across = parts.spans[:, 1:]
    at_edge = ((across[..., 0] == 0) | (across[..., 1] == hu.shape[1:])).any(axis=1)
    box = box_around(core, 0.0, (1.0, 1.0, 1.0))
    for number in np.flatnonzero(at_edge & (parts.sizes * voxel_ml >= LUNG_AT_EDGE_ML)):
        here = parts.mask(np.arange(parts.sizes.size) == number)
        amid = np.count_nonzero(here[box]) > 0.9 * parts.sizes[number]
        if amid and LUNG_MEDIAN_HU[0] < median_hu(hu, here) < LUNG_MEDIAN_HU[1]:
            lung |= here
    return lung


def count_each_hu(
    hu: npt.NDArray[np.int16], mask: Mask, limits_hu: tuple[int, int]
) -> npt.NDArray[np.int64]:
    """Count the voxels of a mask that have each HU between two limits; what lies beyond counts as they."""
    lowest_hu, highest_hu = limits_hu
    labels = mask.view(np.uint8).reshape(len(hu), -1)
    bins = lowest_hu, highest_hu - lowest_hu + 1, PADDING_HU
    slab_of = np.zeros((2, len(hu)), np.uint8)
    return np.asarray(count_hu(hu.reshape(len(hu), -1), labels, slab_of, 1, bins)[1, 0])


def median_hu(hu: npt.NDArray[np.int16], mask: Mask) -> float:
    """Median of the HU in a mask that is not empty; of an even number, halfway between the middle two."""
    lowest_hu = PADDING_HU + 1
    up_to = np.cumsum(count_each_hu(hu, mask, (lowest_hu, -lowest_hu)))
    middle = np.searchsorted(up_to, [(up_to[-1] - 1) // 2, up_to[-1] // 2], "right")
    return float(middle.mean()) + lowest_hu


def air_threshold_hu(hu: npt.NDArray[np.int16], body: Mask) -> int:
    """HU halfway between the mean of air spaces and the mean of tissue, each split by that very HU.

    Parameters
    ----------
    hu : (K, J, I) int16
    body : (K, J, I) bool

    Notes
    -----
    Iterative selection (Ridler TW, Calvard S. IEEE Trans Syst Man Cybern 1978;8:630-632), as used for
    lungs by Hu S, Hoffman EA, Reinhardt JM. IEEE Trans Med Imaging 2001;20:490-498. Bone and contrast
    count as 100 HU, so that they do not pull.
    """
    bottom, top = -1024, 100
    counts = count_each_hu(hu, body, (bottom, top))
    values = np.arange(bottom, top + 1)
    threshold = TISSUE_ABOVE_HU
    for _ in range(100):
        air = values < threshold
        if not counts[air].any() or not counts[~air].any():
            break
        means = [np.average(values[part], weights=counts[part]) for part in (air, ~air)]
        moved = round(sum(means) / 2)
        if moved == threshold:
            break
        threshold = moved
    return int(np.clip(threshold, *THRESHOLD_LIMITS_HU))
