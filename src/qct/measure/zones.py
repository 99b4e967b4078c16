"""Count what lies near the surface of the lungs: the peel. The core is the rest."""

import edt
import numpy as np
import numpy.typing as npt

from qct.boxes import box_in
from qct.measure.density import N_BINS, count_regions
from qct.regions import DENSE, WHOLE_LUNG, Label
from qct.volume import Volume

COARSE_MM = 2.0
"""Depth is measured on a grid about as coarse as this: the border of the peel is a step of this size."""

CHUNK = 64
"""Slices that are counted at once."""


def count_peel(
    volume: Volume, labels: npt.NDArray[np.uint8], depth_mm: float
) -> npt.NDArray[np.int64]:
    """Count the HU of lung that lies less than `depth_mm` under the surface of the lungs.

    Parameters
    ----------
    volume : Volume
        The scan.
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers.
    depth_mm : float
        Thickness of the peel.

    Returns
    -------
    counts : (2, B) int64
        HU bins, as `qct.measure.density.count_regions` has them, of aerated and of airless peel.

    Notes
    -----
    The surface is the outline of both lungs towards chest wall, diaphragm and mediastinum. Fissures and
    airways within the lungs are no surface, nor is the edge of the scan.
    """
    zone_of = np.zeros(256, np.uint8)
    zone_of[list(WHOLE_LUNG.labels)] = 1
    zone_of[[label + DENSE for label in WHOLE_LUNG.labels]] = 2
    total = np.zeros((2, N_BINS), np.int64)
    box = box_in(zone_of > 0, labels)
    if box is None:
        return total
    steps = tuple(max(1, round(COARSE_MM / mm)) for mm in volume.spacing_mm)
    inside = zone_of.astype(bool)
    inside[Label.AIRWAY] = True
    peel = _coarse_peel(inside[_sampled(labels[box], steps)], volume.spacing_mm, steps, depth_mm)
    rows, columns, widths = (
        np.minimum(np.arange(part.stop - part.start) // step, n - 1)
        for part, step, n in zip(box, steps, peel.shape, strict=True)
    )
    wide = peel.take(widths, axis=2)  # along x first: then whole rows are copied
    one_layer = np.zeros((3, CHUNK), np.uint8)
    for begin in range(0, rows.size, CHUNK):
        some = rows[begin : begin + CHUNK]
        z = slice(box[0].start + begin, box[0].start + begin + some.size)
        zones = zone_of.take(labels[z, box[1], box[2]])
        zones *= wide[some[:, None], columns]
        hu = np.ascontiguousarray(volume.hu[z, box[1], box[2]]).reshape(some.size, -1)
        found = count_regions(hu, zones.reshape(hu.shape), one_layer[:, : some.size], 1)
        total += found[1:, 0]
    return total


def _sampled(labels: npt.NDArray[np.uint8], steps: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Take the middle voxel of every block of `steps`."""
    middle = (min(step // 2, n - 1) for step, n in zip(steps, labels.shape, strict=True))
    return labels[tuple(slice(m, None, step) for m, step in zip(middle, steps, strict=True))]


def _coarse_peel(
    inside: npt.NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
    steps: tuple[int, ...],
    depth_mm: float,
) -> npt.NDArray[np.uint8]:
    """Mark with 1 where a coarse mask is less deep than `depth_mm` under its surface."""
    coarse_mm = tuple(mm * step for mm, step in zip(spacing_mm, steps, strict=True))
    # beside the box there is no lung, but above and below it the scan may end within the lung
    padded = np.pad(inside, ((0, 0), (1, 1), (1, 1)))
    to_outside_mm = edt.edt(padded, anisotropy=coarse_mm, black_border=False)[:, 1:-1, 1:-1]
    # The distance is between centres of voxels; the surface lies half a voxel before the outer one where it
    # is flat, and next to its centre where it is oblique.
    return np.asarray(to_outside_mm < depth_mm + min(coarse_mm) / 4, np.uint8)
