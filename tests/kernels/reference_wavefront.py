"""What the kernels of the wavefront mean: slow, short, obviously right."""

import heapq
from itertools import product

import numpy as np
from scipy import ndimage


def smooth_slices(hu):
    taps = np.array([1, 2, 1])
    total = ndimage.correlate1d(hu.astype(np.int64), taps, 1, mode="nearest")
    return (ndimage.correlate1d(total, taps, 2, mode="nearest") // 16).astype(np.int16)


def is_walled(hu, at, rays, n_steps, depth_hu, least):
    met = 0
    for ray in rays:
        for offset in ray[:n_steps]:
            place = np.add(at, offset)
            outside = (place < 0).any() or (place >= hu.shape).any()
            if outside or hu[tuple(place)] >= hu[tuple(at)] + depth_hu:
                met += 1
                break
    return met >= least


def part_front(front, shape):
    mask = np.zeros(shape, bool)
    mask.reshape(-1)[front] = True
    parts, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    numbers = parts.reshape(-1)[front]
    order = list(dict.fromkeys(numbers.tolist()))
    return np.array([1 + order.index(number) for number in numbers], np.int64)


def path_lengths(dark, seeds, spacing_mm):
    """Tenths of a millimetre from the seeds to every dark voxel, by Dijkstra."""
    length = np.full(dark.shape, np.iinfo(np.int64).max)
    heap = [(0, tuple(int(i) for i in np.unravel_index(seed, dark.shape))) for seed in seeds]
    for _, at in heap:
        length[at] = 0
    while heap:
        here, at = heapq.heappop(heap)
        if here > length[at]:
            continue
        for step in product((-1, 0, 1), repeat=3):
            to = tuple(a + b for a, b in zip(at, step, strict=True))
            if any(i < 0 or i >= n for i, n in zip(to, dark.shape, strict=True)) or not dark[to]:
                continue
            there = here + round(10 * np.sqrt(((np.array(step) * spacing_mm) ** 2).sum()))
            if there < length[to]:
                length[to] = there
                heapq.heappush(heap, (there, to))
    return length
