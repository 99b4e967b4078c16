"""Lungs that a person has corrected: lobes keep their identity, what was added belongs to the nearest lobe."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation
from scipy.spatial import KDTree

from qct.findings import Scan, Segmentation
from qct.flags import Flag
from qct.regions import DENSE, Label
from qct.segment.coverage import coverage
from qct.segment.imported import read_mask
from qct.volume import Volume

Labels = npt.NDArray[np.uint8]

AERATED_BELOW_HU = -400
"""What was added and is denser is airless lung."""


def with_lungs(segmentation: Segmentation, file: Path, scan: Scan) -> Segmentation:
    """Put the corrected lungs of a file under the regions of a segmentation.

    Raises
    ------
    ReadError, GeometryError
        If the file is no mask on the voxels of the scan.
    """
    labels = edited(segmentation.labels, read_mask(file, scan), scan.volume)
    figures, doubts = coverage(scan.volume, labels)
    named = segmentation.region_flags
    return replace(
        segmentation,
        labels=labels,
        method={**segmentation.method, "lungs_edited": file.name, **figures},
        region_flags={
            key: named.get(key, frozenset()) | doubts.get(key, frozenset())
            for key in (*named, *(one for one in doubts if one not in named))
        },
        flags=segmentation.flags | {Flag.LUNGS_EDITED},
    )


def edited(labels: Labels, mask: npt.NDArray[np.bool_], volume: Volume) -> Labels:
    """Fit regions into corrected lungs.

    Parameters
    ----------
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers, `DENSE` twins among them.
    mask : (Z, Y, X) bool
        The corrected lungs.
    volume : Volume

    Returns
    -------
    labels : (Z, Y, X) uint8
        What lies outside the mask is no lung; what was added has the number of the nearest lobe (in mm),
        airless where it is as dense as tissue. The airway stays.
    """
    is_airway = labels == Label.AIRWAY
    known = mask & (labels > 0) & ~is_airway
    result = np.where(known | is_airway, labels, 0).astype(np.uint8)
    added = np.argwhere(mask & ~known & ~is_airway)
    if not len(added) or not known.any():
        return result
    rim = np.argwhere(known & binary_dilation(~known))
    steps = np.asarray(volume.spacing_mm)
    _, nearest = KDTree(rim * steps).query(added * steps)
    numbers = result[tuple(rim[nearest].T)] & np.uint8(DENSE - 1)
    is_dense = volume.hu[tuple(added.T)] >= AERATED_BELOW_HU
    result[tuple(added.T)] = numbers + DENSE * is_dense.astype(np.uint8)
    return result
