"""What the kernels of `qct.kernels.background` mean: slow, short, with whole arrays."""

import numpy as np
from scipy.ndimage import map_coordinates

NOT_LUNG = -32768
LOWEST_HU, N_BINS, STEPS_TO_MODE = -1100, 1200, 8


def block_background(hu, inside, edge, least):
    shape = [-(-n // edge) for n in hu.shape]
    background = np.full((*shape, 2), np.nan, np.float32)
    for block in np.ndindex(*shape):
        box = tuple(slice(k * edge, (k + 1) * edge) for k in block)
        values = np.clip(np.floor(hu[box][inside[box]]) - LOWEST_HU, 0, N_BINS - 1)
        if len(values) < max(least, 1):
            continue
        level = np.sort(values)[(len(values) - 1) // 2]
        for _ in range(STEPS_TO_MODE):
            below = values[values <= np.floor(level)] - level
            spread = max(np.sqrt(np.mean(below**2)), 1.0)
            near = values[np.abs(values - level) <= spread]
            if not near.size:
                break
            level = near.mean()
        background[block] = level + LOWEST_HU + 0.5, spread
    return background


def contrast_to(hu, inside, background, edge):
    at = [
        np.clip((np.arange(n) + 0.5) / edge - 0.5, 0, m - 1)
        for n, m in zip(hu.shape, background.shape, strict=True)
    ]
    level = map_coordinates(
        background.astype(float), np.meshgrid(*at, indexing="ij"), order=1, mode="nearest"
    )
    return np.where(inside, np.floor(hu - level + 0.5), NOT_LUNG)


def block_means(hu, inside, taken, sizes, trim):
    edge, least, rim = sizes
    free = inside & ~taken
    for axis in range(3):
        for side in (-rim, rim):
            free &= np.roll(inside, side, axis)
        free[tuple(slice(None) if k != axis else slice(rim) for k in range(3))] = False
        free[tuple(slice(None) if k != axis else slice(-rim, None) for k in range(3))] = False
    means = np.full([-(-n // edge) for n in hu.shape], np.nan, np.float32)
    for block in np.ndindex(*means.shape):
        box = tuple(slice(k * edge, (k + 1) * edge) for k in block)
        values = np.sort(np.clip(np.floor(hu[box][free[box]]) - LOWEST_HU, 0, N_BINS - 1))
        if len(values) >= max(least, 1):
            cut = int(trim * len(values))
            means[block] = values[cut : len(values) - cut].mean() + LOWEST_HU + 0.5
    return means
