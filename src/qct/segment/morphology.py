"""Growing and shrinking masks by millimetres, whatever the shape of the voxels.

Beyond the edge of an array lies neither mask nor background: a mask that touches the edge is not shrunk
from there. Crop with a margin where the edge is not the edge of the scan (`box_around`).
"""

import fill_voids
import numpy as np
import numpy.typing as npt

from qct.boxes import Box, box_of
from qct.kernels.balls import reach, touch

Mask = npt.NDArray[np.bool_]
Spacing = tuple[float, float, float]


def dilate(mask: Mask, radius_mm: float, spacing_mm: Spacing) -> Mask:
    """Voxels within `radius_mm` of the mask."""
    return reach(np.ascontiguousarray(mask), radius_mm, spacing_mm)


def erode(mask: Mask, radius_mm: float, spacing_mm: Spacing) -> Mask:
    """Voxels of the mask further than `radius_mm` from its background."""
    return ~reach(np.ascontiguousarray(~mask), radius_mm, spacing_mm)


def opened(mask: Mask, radius_mm: float, spacing_mm: Spacing) -> Mask:
    """Remove what a ball of `radius_mm` does not fit into."""
    return dilate(erode(mask, radius_mm, spacing_mm), radius_mm, spacing_mm) & mask


def closed(mask: Mask, radius_mm: float, spacing_mm: Spacing) -> Mask:
    """Add what a ball of `radius_mm` outside the mask cannot reach."""
    return erode(dilate(mask, radius_mm, spacing_mm), radius_mm, spacing_mm) | mask


def dilate_once(mask: Mask) -> Mask:
    """Voxels that share a face, an edge or a corner with the mask, and the mask."""
    return touch(mask)


def filled(mask: Mask) -> Mask:
    """Fill holes that do not reach the edge of the array."""
    return np.asarray(fill_voids.fill(np.ascontiguousarray(mask)), bool)


def filled_slices(mask: Mask) -> Mask:
    """Fill holes slice by slice along the first axis."""
    return np.stack([filled(one) for one in mask])


def bounding_box(marked: Mask | npt.NDArray[np.uint8]) -> Box:
    """Smallest box around a mask, or around labels; an empty one where there are none."""
    return box_of(marked) or (slice(0, 0),) * 3


def box_around(marked: Mask | npt.NDArray[np.uint8], margin_mm: float, spacing_mm: Spacing) -> Box:
    """Smallest box around a mask or labels plus a margin, cut at the array's edge; an empty box for none."""
    box = bounding_box(marked)
    return widened(box, margin_mm, spacing_mm) if box[0].stop else box


def widened(box: Box, margin_mm: float, spacing_mm: Spacing) -> Box:
    """Add a margin to a box, cut at the first slice, row and column of the array."""
    z, y, x = (
        slice(max(span.start - margin, 0), span.stop + margin)
        for span, step_mm in zip(box, spacing_mm, strict=True)
        for margin in [int(np.ceil(margin_mm / step_mm))]
    )
    return z, y, x


def placed(box: Box, around: Box) -> Box:
    """Return the place in the array of a box in a larger one; the opposite of `within`."""
    z, y, x = (
        slice(span.start + outer.start, span.stop + outer.start)
        for span, outer in zip(box, around, strict=True)
    )
    return z, y, x


def within(box: Box, around: Box) -> Box:
    """Return the place of a box in a larger one."""
    z, y, x = (
        slice(span.start - outer.start, span.stop - outer.start)
        for span, outer in zip(box, around, strict=True)
    )
    return z, y, x


def repeated(mask: Mask, factors: tuple[int, ...], shape: tuple[int, ...]) -> Mask:
    """Repeat every voxel along each axis, cut to a shape."""
    for axis in (2, 1, 0):  # the other way round, whole rows and slices could not be copied
        mask = np.repeat(mask, factors[axis], axis)
        mask = mask[tuple([slice(None)] * axis + [slice(shape[axis])])]
    return mask
