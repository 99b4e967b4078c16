"""What the kernels of `qct.kernels.runs` mean. Slow, short, obviously right."""

import numpy as np
from scipy import ndimage


def find_runs(values):
    first, end = [], []
    for flat in np.flatnonzero(values):
        in_row = flat % values.shape[2] > 0
        if in_row and values.flat[flat - 1] == values.flat[flat]:
            end[-1] = flat + 1
        else:
            first.append(flat)
            end.append(flat + 1)
    return np.array(first, int), np.array(end, int)


def numbered(values):
    """Number the parts in the order of their first voxels."""
    numbers = np.zeros(values.shape, np.int64)
    for value in set(values[values > 0].tolist()):
        parts, _ = ndimage.label(values == value)
        numbers[parts > 0] = parts[parts > 0] + numbers.max()
    old, first = np.unique(numbers, return_index=True)
    in_order = old[np.argsort(first)]
    new = {number: k for k, number in enumerate(in_order[in_order > 0], 1)}
    return np.array([new.get(number, 0) for number in numbers.ravel()], int).reshape(values.shape)


def paint_runs(ends, value, painted):
    painted = painted.copy()
    for first, end, value_of in zip(*ends, value, strict=True):
        painted[first:end] = value_of
    return painted
