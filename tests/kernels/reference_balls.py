"""What the kernels of `qct.kernels.balls` mean. Slow, short, obviously right."""

import numpy as np


def reach(mask, radius_mm, spacing_mm):
    inside = np.argwhere(mask) * spacing_mm
    reached = np.zeros(mask.shape, bool)
    for voxel in np.ndindex(*mask.shape):
        away2 = ((inside - np.array(voxel) * spacing_mm) ** 2).sum(axis=1)
        reached[voxel] = (away2 <= radius_mm**2 + 1e-3).any()
    return reached


def touch(mask):
    touched = np.zeros(mask.shape, bool)
    for voxel in np.argwhere(mask):
        touched[tuple(slice(max(at - 1, 0), at + 2) for at in voxel)] = True
    return touched
