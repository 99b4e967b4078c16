"""Where in a label map there is something: most of a scan is background, and is not looked at."""

from typing import Any

import numpy as np
import numpy.typing as npt

Box = tuple[slice, slice, slice]


def box_of(marked: npt.NDArray[Any]) -> Box | None:
    """Return the smallest box with all that is not 0 in a (Z, Y, X) array of bool or unsigned numbers.

    None where there is nothing.

    >>> box_of(np.pad(np.ones((1, 2, 3), bool), 1))
    (slice(1, 2, None), slice(1, 3, None), slice(1, 4, None))
    """
    if not marked.size:
        return None
    along_z = marked.max(axis=0)
    ends = [np.flatnonzero(seen) for seen in (along_z.max(axis=1), along_z.max(axis=0))]
    heights = np.flatnonzero(marked.max(axis=(1, 2)))
    if heights.size == 0:
        return None
    z, y, x = (slice(int(at[0]), int(at[-1]) + 1) for at in (heights, *ends))
    return z, y, x


def box_in(marks: npt.NDArray[np.bool_], labels: npt.NDArray[np.uint8]) -> Box | None:
    """Return the smallest box with all (Z, Y, X) labels that are marked in the table `marks`.

    Label 0 must not be among them. None where there is none of them.
    """
    named = box_of(labels)
    if named is None:
        return None
    seen = np.zeros(labels[0][named[1:]].shape, bool)
    heights = np.zeros(named[0].stop - named[0].start, bool)
    for k, plane in enumerate(labels[named]):  # at once, `take` would want 8 bytes for every voxel
        mask = marks.take(plane)
        heights[k] = mask.any()
        seen |= mask
    if not seen.any():
        return None
    ends = (np.flatnonzero(one) for one in (heights, seen.any(axis=1), seen.any(axis=0)))
    z, y, x = (
        slice(whole.start + int(at[0]), whole.start + int(at[-1]) + 1)
        for whole, at in zip(named, ends, strict=True)
    )
    return z, y, x
