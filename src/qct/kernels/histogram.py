"""Count voxels: per label and slice, and per label, slab and Hounsfield unit.

Most of a scan is background, and most of a lung is one label for a long run of voxels. Both kernels therefore
look at the labels of `RUN` voxels at once, as one word, and at `BLOCK` words together where all is background.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, inner, kernel, n_threads, read_only

RUN = 8
"""Labels in a word."""

BLOCK = 32
"""Words looked at together to see whether they are all background."""

EVERY = 0x0101010101010101
"""A label times this is the word of `RUN` such labels."""


def _as_words(
    labels: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64]]:
    """Return (Z, N) labels, N a multiple of `RUN` by added background, and (Z, N / `RUN`) words of them."""
    missing = -labels.shape[1] % RUN
    if missing:
        labels = np.pad(labels, ((0, 0), (0, missing)))
    labels = np.ascontiguousarray(labels)
    return labels, labels.view(np.uint64)


@inner
def _is_blank(words: npt.NDArray[np.uint64], begin: int, end: int) -> bool:
    """Tell whether the words hold background only."""
    seen = np.uint64(0)
    for w in range(begin, end):
        seen |= words[w]
    return bool(seen == 0)


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
    padded, words = _as_words(labels)
    in_parts(_count_labels, padded, words, counts)
    counts[:, 0] -= padded.shape[1] - labels.shape[1]
    return counts.T.copy()


@kernel("(uint8[:, ::1], uint64[:, ::1], int64[:, ::1], int64, int64)")
def _count_labels(
    labels: npt.NDArray[np.uint8],
    words: npt.NDArray[np.uint64],
    counts: npt.NDArray[np.int64],
    part: int,
    parts: int,
) -> None:
    """Count the slices ``part::parts`` into `counts` (Z, 256)."""
    nz, n_words = words.shape
    for z in range(part, nz, parts):
        for begin in range(0, n_words, BLOCK):
            end = min(begin + BLOCK, n_words)
            if _is_blank(words[z], begin, end):
                counts[z, 0] += RUN * (end - begin)
                continue
            for w in range(begin, end):
                first = words[z, w] & np.uint64(
                    0xFF
                )  # unsigned: no check for an index from the end
                if words[z, w] == first * np.uint64(EVERY):
                    counts[z, first] += RUN
                else:
                    for i in range(RUN * w, RUN * w + RUN):
                        counts[z, labels[z, i]] += 1


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
    padded, words = _as_words(labels)
    in_parts(_count_hu, read_only(hu), padded, words, slab_of, counts, bins)
    total: npt.NDArray[Any] = counts.sum(axis=0)
    return total


@kernel(
    '(Array(int16, 2, "C", True), uint8[:, ::1], uint64[:, ::1], uint8[:, ::1], int64[:, :, :, ::1], '
    "UniTuple(int64, 3), int64, int64)"
)
def _count_hu(
    hu: npt.NDArray[np.int16],
    labels: npt.NDArray[np.uint8],
    words: npt.NDArray[np.uint64],
    slab_of: npt.NDArray[np.uint8],
    counts: npt.NDArray[np.int64],
    bins: tuple[int, int, int],
    part: int,
    parts: int,
) -> None:
    """Count the slices ``part::parts`` into ``counts[part]``; the rest as for `count_hu`.

    Background lies beyond the end of a slice of `hu` where labels were added, and is never read. int() widens
    int16, which would overflow.
    """
    lowest_hu, n_bins, padding_hu = bins
    nz, n_words = words.shape
    for z in range(part, nz, parts):
        for begin in range(0, n_words, BLOCK):
            end = min(begin + BLOCK, n_words)
            seen = np.uint64(0)
            for w in range(begin, end):
                seen |= words[z, w]
            if seen == 0:
                continue
            for w in range(begin, end):
                word = words[z, w]
                if word == 0:
                    continue
                first = word & np.uint64(255)
                if word != first * np.uint64(EVERY):
                    for i in range(RUN * w, RUN * w + RUN):
                        label = labels[z, i]
                        if label != 0 and hu[z, i] != padding_hu:
                            bin_ = min(max(int(hu[z, i]) - lowest_hu, 0), n_bins - 1)
                            counts[part, label, slab_of[label, z], np.uint64(bin_)] += 1
                else:
                    row = counts[part, first, slab_of[first, z]]
                    for i in range(RUN):  # a fixed length: unrolled
                        value = int(hu[z, RUN * w + i])
                        if value != padding_hu:
                            row[np.uint64(min(max(value - lowest_hu, 0), n_bins - 1))] += 1
