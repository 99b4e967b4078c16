"""Stand the slices of a tilted gantry upright, so that lungs have their shape.

With a tilted gantry every slice is shifted against the one below. A lung cut so is sheared, and no model of
lungs knows such a shape. Each slice is moved back by whole pixels; nothing is interpolated.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qct.segment.morphology import bounding_box
from qct.volume import PADDING_HU, Volume

MARGIN_PIXELS = 8
"""Room kept around the lungs."""

LEAST_SHIFT_PIXELS = 1.0
"""A smaller shift from the lowest to the highest slice is left alone."""


@dataclass(frozen=True)
class Upright:
    """A scan whose slices were moved, cut to the lungs.

    Attributes
    ----------
    volume : Volume
    labels : (Z, Y, X) uint8
    box : three slices
        The part of the scan that was taken.
    shift : (Z, 2) int64
        Pixels along y and x by which each slice was moved.
    """

    volume: Volume
    labels: npt.NDArray[np.uint8]
    box: tuple[slice, ...]
    shift: npt.NDArray[np.int64]

    def back(
        self, moved: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.uint8]:
        """Return `labels` of the scan with those on the moved slices put in their place."""
        whole = labels.copy()
        part = whole[self.box]
        for z, (y, x) in enumerate(self.shift):
            part[z] = moved[z, y : y + part.shape[1], x : x + part.shape[2]]
        return whole


def stand_upright(volume: Volume, labels: npt.NDArray[np.uint8]) -> Upright | None:
    """Move the slices of a scan above each other; None if they are, or nothing is labelled."""
    step_z, step_y, step_x = volume.axes_mm
    per_slice = np.array([step_z @ step_y / (step_y @ step_y), step_z @ step_x / (step_x @ step_x)])
    if np.abs(per_slice * volume.shape[0]).max() < LEAST_SHIFT_PIXELS or not labels.any():
        return None
    box = tuple(
        slice(max(span.start - MARGIN_PIXELS, 0), span.stop + MARGIN_PIXELS)
        for span in bounding_box(labels)
    )
    part, hu = labels[box], volume.hu[box]
    z = np.arange(volume.shape[0])[box[0]]
    shift = np.rint(z[:, None] * per_slice).astype(np.int64)
    shift -= shift.min(axis=0)
    high, wide = (np.array(part.shape[1:]) + shift.max(axis=0)).tolist()
    moved = np.zeros((len(part), high, wide), np.uint8)
    moved_hu = np.full(moved.shape, PADDING_HU, np.int16)
    for k, (y, x) in enumerate(shift):
        place = k, slice(y, y + part.shape[1]), slice(x, x + part.shape[2])
        moved[place], moved_hu[place] = part[k], hu[k]
    return Upright(Volume.from_spacing(moved_hu, volume.spacing_mm), moved, box, shift)
