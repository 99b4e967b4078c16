"""What the kernels of `qct.kernels.histogram` mean. Slow, short, obviously right."""

import numpy as np


def count_labels(labels):
    return np.array([[np.count_nonzero(row == r) for row in labels] for r in range(256)]).reshape(
        256, labels.shape[0]
    )


def count_hu(hu, labels, slab_of, n_slabs, bins):
    n_labels, nz = slab_of.shape
    lowest_hu, n_bins, padding_hu = bins
    counts = np.zeros((n_labels, n_slabs, n_bins), np.int64)
    for label in range(1, n_labels):
        for z in range(nz):
            values = hu[z][(labels[z] == label) & (hu[z] != padding_hu)].astype(int)
            filled = np.clip(values - lowest_hu, 0, n_bins - 1)
            counts[label, slab_of[label, z]] += np.bincount(filled, minlength=n_bins)
    return counts
