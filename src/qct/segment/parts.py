"""The parts of a mask, or of labels: voxels of one value that hang together by their faces."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.boxes import Box
from qct.kernels.runs import find_runs, join_runs, paint_runs
from qct.segment.morphology import Mask

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """Parts, numbered from 1 in the order of their first voxels; 0 is background.

    Attributes
    ----------
    shape : (int, int, int)
        Of the grid, Z, Y, X.
    runs : (2, R) int64
        Flat index of the first voxel of each run along x, and of the one after its last.
    value : (R,) uint8
        What the voxels of each run hold.
    part : (R,) int32
        The part it belongs to.
    """

    shape: tuple[int, ...]
    runs: tuple[Numbers, Numbers]
    value: npt.NDArray[np.uint8]
    part: npt.NDArray[np.int32]

    @classmethod
    def of(cls, values: npt.NDArray[np.bool_] | npt.NDArray[np.uint8], bits: int = 255) -> "Parts":
        """Find the parts of a (Z, Y, X) mask, or of each value that some bits of an array of uint8 hold."""
        runs, value = find_runs(values.view(np.uint8), bits)
        return cls(values.shape, runs, value, join_runs(runs, value, values.shape[1:]))

    @cached_property
    def sizes(self) -> Numbers:
        """(P + 1,) voxels of each part; the background has 0."""
        return self._sums(self._length)

    @cached_property
    def values(self) -> npt.NDArray[np.uint8]:
        """(P + 1,) value of each part; 1 for those of a mask."""
        values = np.zeros(self.sizes.size, np.uint8)
        values[self.part] = self.value
        return values

    @cached_property
    def centres(self) -> npt.NDArray[np.float64]:
        """(P + 1, 3) middle of each part (z, y, x); 0 for the background."""
        z, y, x = self._place
        length = self._length
        sums = [self._sums(z * length), self._sums(y * length)]
        sums.append(self._sums((2 * x + length - 1) * length) // 2)
        return np.column_stack(sums) / np.maximum(self.sizes, 1)[:, None]

    @cached_property
    def spans(self) -> npt.NDArray[np.int64]:
        """(P + 1, 3, 2) lowest z, y, x of each part, and those after the highest; empty for the background."""
        z, y, x = self._place
        spans = np.zeros((self.sizes.size, 3, 2), np.int64)
        spans[1:, :, 0] = max(self.shape)
        for axis, (low, high) in enumerate(((z, z + 1), (y, y + 1), (x, x + self._length))):
            np.minimum.at(spans[:, axis, 0], self.part, low)
            np.maximum.at(spans[:, axis, 1], self.part, high)
        return spans

    def box(self, number: int) -> Box:
        """Smallest box around a part."""
        z, y, x = (slice(*span) for span in self.spans[number].tolist())
        return z, y, x

    def cut(self, number: int) -> Mask:
        """One part, in its box."""
        box = self.box(number)
        shape = [span.stop - span.start for span in box]
        own = self.part == number
        corner = [of_axis[own] - span.start for of_axis, span in zip(self._place, box, strict=True)]
        first = np.ravel_multi_index(corner, shape)
        return _painted(shape, (first, first + self._length[own]), self.value[own]) > 0

    def painted(self, value_of: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Give every part a value, (P + 1,), and the background 0."""
        return _painted(self.shape, self.runs, value_of[self.part])

    def mask(self, chosen: npt.NDArray[np.bool_]) -> Mask:
        """Return the voxels of some parts, (P + 1,)."""
        return self.painted(chosen.view(np.uint8)).view(np.bool_)

    def voxels(self, chosen: npt.NDArray[np.bool_]) -> tuple[Numbers, ...]:
        """Return the place of every voxel of some parts, (P + 1,), along z, y and x."""
        own = chosen[self.part]
        first, length = self.runs[0][own], self._length[own]
        step = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        return np.unravel_index(np.repeat(first, length) + step, self.shape)

    def numbers(self, mask: Mask) -> npt.NDArray[np.int32]:
        """Numbers of the voxels of a mask on the same grid, all of which belong to parts."""
        return self.at(np.flatnonzero(mask))

    def at(self, flat: Numbers) -> npt.NDArray[np.int32]:
        """Return the part of each voxel, given by its flat index, all of which belong to parts."""
        return np.asarray(self.part[np.searchsorted(self.runs[0], flat, "right") - 1])

    @cached_property
    def _length(self) -> Numbers:
        return self.runs[1] - self.runs[0]

    @cached_property
    def _place(self) -> tuple[Any, ...]:
        """First z, y and x of each run."""
        return np.unravel_index(self.runs[0], self.shape)

    def _sums(self, of_run: Numbers) -> Numbers:
        """Add up over the runs of each part: whole numbers, exact in float64 up to 2 ** 53."""
        n_parts = int(self.part.max(initial=0))
        return np.bincount(self.part, weights=of_run, minlength=n_parts + 1).astype(np.int64)


def _painted(
    shape: tuple[int, ...] | list[int], runs: tuple[Numbers, Numbers], value: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    grid = np.zeros(shape, np.uint8)
    paint_runs(runs, value, grid.reshape(-1))
    return grid


def largest(mask: Mask) -> Mask:
    """Keep the largest part."""
    parts = Parts.of(mask)
    chosen = np.zeros(parts.sizes.size, bool)
    chosen[np.argmax(parts.sizes)] = parts.sizes.size > 1
    return parts.mask(chosen)
