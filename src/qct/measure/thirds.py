"""Cut each lung into an upper, a middle and a lower third."""

import numpy as np
import numpy.typing as npt

from qct.regions import DENSE, LEFT_LUNG, RIGHT_LUNG, Slab


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


def thirds(per_slice: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Return the `Slab` of every label at every slice.

    Parameters
    ----------
    per_slice : (L, Z) int64
        Voxels of every label in each slice.

    Returns
    -------
    slab_of : (L, Z) uint8
        The same for all labels of one lung; 0 for labels outside the lungs.
    """
    slab_of = np.zeros(per_slice.shape, np.uint8)
    for lung in (RIGHT_LUNG, LEFT_LUNG):
        numbers = [int(label) + dense for label in lung.labels for dense in (0, DENSE)]
        slab_of[numbers] = third_of(per_slice[numbers].sum(axis=0))
    return slab_of
