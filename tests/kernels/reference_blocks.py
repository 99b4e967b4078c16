"""What the kernels of `qct.kernels.blocks` mean. Slow, short, obviously right."""

import numpy as np


def average_blocks(hu, factors, padding_hu, instead_hu):
    filled = np.where(hu == padding_hu, instead_hu, hu).astype(int)
    shape = [-(-side // factor) for side, factor in zip(hu.shape, factors, strict=True)]
    mean = np.zeros(shape, np.int16)
    for block in np.ndindex(*shape):
        part = filled[tuple(slice(b * f, (b + 1) * f) for b, f in zip(block, factors, strict=True))]
        mean[block] = np.floor(part.mean() + 0.5)
    return mean


def decide_voxels(hu, below, above, factors, threshold_hu, padding_hu):
    def spread(blocks):
        for axis, factor in enumerate(factors):
            blocks = np.repeat(blocks, factor, axis)
        return blocks[tuple(slice(side) for side in hu.shape)]

    labels = np.where(hu < threshold_hu, spread(below), spread(above))
    return np.where(hu == padding_hu, 0, labels).astype(np.uint8)
