"""What the kernels of `qct.kernels.sight` mean. Slow, short, obviously right."""

import numpy as np


def look_through(hu, labels, side_of, low_hu):
    sides = side_of[labels]
    front = _along(hu, labels, sides > 0, low_hu, axis=1)
    right = _along(hu, labels, sides == 1, low_hu, axis=2)
    left = _along(hu[..., ::-1], labels[..., ::-1], (sides == 2)[..., ::-1], low_hu, axis=2)
    return front, np.stack([right, left])


def _along(hu, labels, seen, low_hu, axis):
    lines = zip(*(_lines(one, axis) for one in (hu, labels, seen)), strict=True)
    found = [
        [np.count_nonzero(h[s] < low_hu), np.count_nonzero(s), next(iter(k[s].tolist()), 0)]
        for h, k, s in lines
    ]
    shape = tuple(n for at, n in enumerate(hu.shape) if at != axis)
    return np.array(found, int).reshape(*shape, 3).transpose(2, 0, 1)


def _lines(array, axis):
    moved = np.moveaxis(array, axis, -1)
    return moved.reshape(moved.shape[0] * moved.shape[1], moved.shape[2])
