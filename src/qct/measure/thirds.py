"""Cut each lung into an upper, a middle and a lower third, of equal volume and of equal height."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qct.regions import DENSE, LEFT_LUNG, RIGHT_LUNG, Region, Slab

LAYERS = 2 * len(Slab) - 1
"""Both ways of cutting a lung together part it into at most so many layers."""


def third_of(per_slice: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Return the `Slab` of every slice: thirds of equal volume, cut between slices.

    Parameters
    ----------
    per_slice : (Z,) int64
        Voxels of one lung in each slice, the lowest slice first.

    Returns
    -------
    slabs : (Z,) uint8

    Notes
    -----
    The Chest Imaging Platform's convention: equal volume, not equal height. A slice belongs to the third
    in which its middle voxel lies, so each cut is where it comes nearest to an exact third.
    """
    middle_twice = 2 * np.cumsum(per_slice) - per_slice
    total = max(int(per_slice.sum()), 1)
    slabs = np.clip(3 * middle_twice // (2 * total), int(Slab.LOWER), int(Slab.UPPER))
    return np.asarray(slabs, np.uint8)


def third_by_height(per_slice: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Return the `Slab` of every slice: thirds of equal height, from the lowest to the highest slice of a lung.

    Parameters and result as for `third_of`. A slice belongs to the third in which its middle lies.
    """
    slices = np.flatnonzero(per_slice)
    if slices.size == 0:
        return np.zeros(per_slice.shape, np.uint8)
    lowest, n = int(slices[0]), int(slices[-1]) - int(slices[0]) + 1
    middle_twice = 2 * (np.arange(per_slice.size) - lowest) + 1
    slabs = np.clip(3 * middle_twice // (2 * n), int(Slab.LOWER), int(Slab.UPPER))
    return np.asarray(slabs, np.uint8)


@dataclass(frozen=True)
class Layers:
    """Both lungs in layers, of which every third of either kind is made.

    Attributes
    ----------
    layer_of : (L, Z) uint8
        Layer of every label at every slice; 0 for labels outside the lungs.
    slabs : (2, L, LAYERS) int64
        For every label and layer: its `Slab` by volume, and by height; -1 where there is no such layer.
    """

    layer_of: npt.NDArray[np.uint8]
    slabs: npt.NDArray[np.int64]

    def of(self, region: Region, label: int) -> npt.NDArray[np.bool_]:
        """Tell which layers of a label belong to a region."""
        if region.slab is None:
            return np.ones(LAYERS, np.bool_)
        chosen: npt.NDArray[np.bool_] = self.slabs[int(region.by_height), label] == region.slab
        return chosen


def layers(per_slice: npt.NDArray[np.int64]) -> Layers:
    """Cut both lungs.

    Parameters
    ----------
    per_slice : (L, Z) int64
        Voxels of every label in each slice.

    Notes
    -----
    Going up, neither kind of third ever goes down, so the sum of the two tells which of each a slice is in.
    """
    layer_of = np.zeros(per_slice.shape, np.uint8)
    slabs = np.full((2, len(per_slice), LAYERS), -1, np.int64)
    for lung in (RIGHT_LUNG, LEFT_LUNG):
        numbers = [int(label) + dense for label in lung.labels for dense in (0, DENSE)]
        voxels = per_slice[numbers].sum(axis=0)
        both = np.stack([third_of(voxels), third_by_height(voxels)])
        layer = both.sum(axis=0)
        layer_of[numbers] = layer
        for number in numbers:
            slabs[:, number, layer] = both
    return Layers(layer_of, slabs)
