"""What the kernels of `qct.kernels.flood` mean. Slow, short, obviously right."""

import numpy as np
from scipy import ndimage


def levels_in_order(hu, seed, lowest_hu, highest_hu):
    """Lowest threshold at which each voxel hangs together with the seed; one above the highest if never."""
    levels = np.full(hu.shape, highest_hu + 1, int)
    for threshold in range(highest_hu, lowest_hu - 1, -1):
        parts, _ = ndimage.label(hu.astype(int) <= threshold)
        start = max(min(int(hu[seed]), highest_hu), lowest_hu)
        if start > threshold:
            break
        if parts[seed] == 0:  # a seed above the range counts as its highest value
            lowered = hu.copy()
            lowered[seed] = threshold
            parts, _ = ndimage.label(lowered.astype(int) <= threshold)
        levels[parts == parts[seed]] = threshold
    return levels


def lowest_pass(hu, markers, number, lowest_hu, highest_hu):
    """Lowest threshold at which each voxel hangs together with a marker."""
    levels = np.full(hu.shape, highest_hu + 1, int)
    for threshold in range(highest_hu, lowest_hu - 1, -1):
        wet = (np.maximum(hu.astype(int), lowest_hu) <= threshold) | (markers == number)
        parts, _ = ndimage.label(wet)
        touched = np.unique(parts[markers == number])
        levels[np.isin(parts, touched[touched > 0]) & wet] = threshold
    return levels
