"""Count voxels: per label and slice, and per label, slab and Hounsfield unit.

Most of a scan is background, and most of a lung is one label for a long run of voxels. Both kernels
therefore look at `RUN` labels at a time and take the whole run at once where it is uniform.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, kernel, n_threads, read_only

RUN = 32
"""Labels compared at once (voxels)."""

BLOCK = 32 * RUN
"""Labels looked at together to see whether they are all background (voxels)."""


@kernel
def _is_blank(labels: npt.NDArray[np.uint8]) -> bool:
    """Tell whether all labels are 0."""
    seen = np.uint8(0)
    for i in range(labels.size):
        seen |= labels[i]
    return bool(seen == 0)


@kernel
def _is_uniform(labels: npt.NDArray[np.uint8]) -> bool:
    """Tell whether `RUN` labels are all the same."""
    first = labels[0]
    differs = np.uint8(0)
    for i in range(
        RUN
    ):  # a fixed length and no early end: the compiler makes it a few vector steps
        differs |= labels[i] ^ first
    return bool(differs == 0)


def count_labels(labels: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """Count the voxels of every number in every slice.

    Letters: Z slices, N voxels of a slice.

    Parameters
    ----------
    labels : (Z, N) uint8
        Region number per voxel.

    Returns
    -------
    counts : (256, Z) int64
        ``counts[r, z]`` voxels of slice z have the number r, 0 included.
    """
    counts = np.zeros((len(labels), 256), np.int64)
    in_parts(_count_labels, labels, counts)
    return counts.T.copy()


@kernel("(uint8[:, ::1], int64[:, ::1], int64, int64)")
def _count_labels(
    labels: npt.NDArray[np.uint8], counts: npt.NDArray[np.int64], part: int, parts: int
) -> None:
    """Count the slices ``part::parts`` into `counts` (Z, 256)."""
    nz, n = labels.shape
    for z in range(part, nz, parts):
        for begin in range(0, n, BLOCK):
            block = labels[z, begin : begin + BLOCK]
            if block[0] == 0 and _is_blank(block):
                counts[z, 0] += block.size
            else:
                _count_label_block(block, counts[z])


@kernel
def _count_label_block(labels: npt.NDArray[np.uint8], counts: npt.NDArray[np.int64]) -> None:
    """Add at most `BLOCK` labels to their counts (256,)."""
    for begin in range(0, labels.size, RUN):
        run = labels[begin : begin + RUN]
        if run.size == RUN and _is_uniform(run):
            counts[run[0]] += RUN
        else:
            for i in range(run.size):
                counts[run[i]] += 1


def count_hu(
    hu: npt.NDArray[np.int16],
    labels: npt.NDArray[np.uint8],
    slab_of: npt.NDArray[np.uint8],
    n_slabs: int,
    bins: tuple[int, int, int],
) -> npt.NDArray[Any]:
    """Count the voxels of every label and slab in every 1-HU bin.

    Letters: Z slices, N voxels of a slice; L labels; S slabs; B `n_bins`.

    Parameters
    ----------
    hu : (Z, N) int16
        Hounsfield units.
    labels : (Z, N) uint8
        Region number per voxel; 0 is background and is not counted.
    slab_of : (L, Z) uint8
        Slab of each label at each slice.
    n_slabs : int
        S.
    bins : tuple of int
        HU of bin 0; B; and the value that stands for nothing measured. Such a voxel is not counted; any
        other value outside the bins falls into the first or last.

    Returns
    -------
    counts : (L, S, B) int64
        ``counts[r, s, b]`` voxels of label r in slab s have ``bins[0] + b`` HU.

    Notes
    -----
    Every label must be below L, every slab below S. Each thread fills counts of its own; they are whole
    numbers, so their sum does not depend on how many threads there were.
    """
    counts = np.zeros((n_threads(), len(slab_of), n_slabs, bins[1]), np.int64)
    in_parts(_count_hu, read_only(hu), labels, slab_of, counts, bins)
    total: npt.NDArray[Any] = counts.sum(axis=0)
    return total


@kernel(
    '(Array(int16, 2, "C", True), uint8[:, ::1], uint8[:, ::1], int64[:, :, :, ::1], '
    "UniTuple(int64, 3), int64, int64)"
)
def _count_hu(
    hu: npt.NDArray[np.int16],
    labels: npt.NDArray[np.uint8],
    slab_of: npt.NDArray[np.uint8],
    counts: npt.NDArray[np.int64],
    bins: tuple[int, int, int],
    part: int,
    parts: int,
) -> None:
    """Count the slices ``part::parts`` into ``counts[part]``; the rest as for `count_hu`."""
    for z in range(part, labels.shape[0], parts):
        _count_slice(hu[z], labels[z], slab_of[:, z], counts[part], bins)


@kernel
def _count_slice(
    hu: npt.NDArray[np.int16],
    labels: npt.NDArray[np.uint8],
    slab_of: npt.NDArray[np.uint8],
    counts: npt.NDArray[np.int64],
    bins: tuple[int, int, int],
) -> None:
    """Add one slice (N voxels) to `counts` (L, S, B); `bins` is lowest HU, B, padding HU."""
    for begin in range(0, labels.size, BLOCK):
        block = labels[begin : begin + BLOCK]
        if block[0] != 0 or not _is_blank(block):
            _count_block(hu[begin : begin + BLOCK], block, slab_of, counts, bins)


@kernel
def _count_block(
    hu: npt.NDArray[np.int16],
    labels: npt.NDArray[np.uint8],
    slab_of: npt.NDArray[np.uint8],
    counts: npt.NDArray[np.int64],
    bins: tuple[int, int, int],
) -> None:
    """Add at most `BLOCK` voxels; parameters as for `_count_slice`."""
    for begin in range(0, labels.size, RUN):
        run = labels[begin : begin + RUN]
        run_hu = hu[begin : begin + RUN]
        if run.size == RUN and _is_uniform(run):
            if run[0] != 0:
                _count_run(run_hu, counts[run[0], slab_of[run[0]]], bins)
        else:
            for i in range(run.size):
                if run[i] != 0:
                    _count_run(run_hu[i : i + 1], counts[run[i], slab_of[run[i]]], bins)


@kernel
def _count_run(
    hu: npt.NDArray[np.int16], counts: npt.NDArray[np.int64], bins: tuple[int, int, int]
) -> None:
    """Add a run of voxels of one label to its counts (B,); `bins` is lowest HU, B, padding HU."""
    lowest_hu, n_bins, padding_hu = bins
    for i in range(hu.size):
        if hu[i] != padding_hu:
            bin_ = int(hu[i]) - lowest_hu  # int(): int16 would overflow
            counts[np.uint64(min(max(bin_, 0), n_bins - 1))] += 1
