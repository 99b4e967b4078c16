"""What the kernels of `qct.kernels.vessels` mean: slow, short, with whole arrays."""

import numpy as np
from scipy.ndimage import map_coordinates

NOT_LUNG = -32768
SPOKES, STEP, MIDDLE = 16, 0.5, 0.6


def _read(contrast, at):
    """Read at (K, 3) points; NaN for no lung."""
    on_grid = ((at >= 0) & (np.floor(at) <= np.array(contrast.shape) - 2)).all(axis=1)
    filled = np.where(contrast == NOT_LUNG, 0, contrast).astype(float)
    values = map_coordinates(filled, at.T, order=1, mode="nearest")
    nearest = np.clip(np.floor(at + 0.5).astype(int), 0, np.array(contrast.shape) - 1)
    return np.where(on_grid & (contrast[tuple(nearest.T)] != NOT_LUNG), values, np.nan)


def _ring(values, gate):
    """Return the mean over opposite values, the lower of two that differ too much, and how many there are."""
    one, other = values.reshape(2, -1)
    pairs = np.where(np.abs(one - other) > gate, np.minimum(one, other), (one + other) / 2)
    pairs = np.where(np.isnan(one), other, np.where(np.isnan(other), one, pairs))
    pairs = pairs[~np.isnan(pairs)]
    return (pairs.mean() if pairs.size else 0.0), np.count_nonzero(~np.isnan(values))


def _across(axis):
    u = np.zeros(3)
    least = int(np.argmin(np.abs(axis)))
    if least == 0:
        u[1], u[2] = -axis[2], axis[1]
    elif least == 1:
        u[0], u[2] = axis[2], -axis[0]
    else:
        u[0], u[1] = -axis[1], axis[0]
    u /= np.linalg.norm(u)
    return u, np.cross(axis, u)


def cross_sections(contrast, points, axes, limits):
    full, blur, reach, gate = limits
    turn = 2 * np.pi * np.arange(SPOKES) / SPOKES
    rows = []
    for point, axis in zip(points.astype(float), axes.astype(float), strict=True):
        u, w = _across(axis)
        weights = [np.pi * (STEP / 2) ** 2]
        here = _read(contrast, point[None])[0]
        integral = weighed = max(np.nan_to_num(here, nan=0.0), 0) * weights[0]
        r, known, value = 0.0, SPOKES, 0.0
        while r < reach:
            r += STEP
            ring = point + r * (np.outer(np.cos(turn), u) + np.outer(np.sin(turn), w))
            value, known = _ring(_read(contrast, ring), gate)
            if known == 0:
                break
            area = 2 * np.pi * r * STEP
            integral += value * area
            weights.append(area * np.exp(-(r**2) / (2 * MIDDLE**2)))
            weighed += value * weights[-1]
            if r >= np.sqrt(max(integral, 0) / (np.pi * full)) + blur:
                break
        rows.append((integral, weighed / sum(weights), r, known / SPOKES, value))
    return np.array(rows).reshape(-1, 5)


def paint_nearest(shape, points, radii):
    owner = np.zeros(shape, np.int32)
    gap = np.full(shape, np.inf, np.float32)
    for number, (point, radius) in enumerate(zip(points, radii, strict=True)):
        square = sum((x - c) ** 2 for x, c in zip(np.indices(shape), point, strict=True))
        under = (np.sqrt(square) - radius).astype(np.float32)
        mine = (square <= radius * radius) & (under < gap)
        gap[mine], owner[mine] = under[mine], number + 1
    return owner


def sum_by_owner(contrast, labels, owner, points, section, n_sections):
    sums = np.zeros((8, n_sections), np.int64)
    none = np.pad(contrast == NOT_LUNG, 1)
    at_rim = none.copy()
    for axis in range(3):
        for side in (-1, 1):
            at_rim |= np.roll(none, side, axis)
    at_rim = at_rim[1:-1, 1:-1, 1:-1]
    for at in np.argwhere((owner > 0) & (contrast != NOT_LUNG)):
        here = tuple(at)
        seen = at if not at_rim[here] else 2 * points[owner[here] - 1] - at
        on_grid = ((seen >= 0) & (seen < contrast.shape)).all()
        if on_grid and not at_rim[tuple(seen)]:
            sums[labels[here], section[owner[here] - 1]] += contrast[tuple(seen)]
    return sums


def lower_quartile_along(shape, points, axes, values, reach):
    del shape
    quartiles = []
    for point, axis in zip(points.astype(float), axes.astype(float), strict=True):
        step = points - point
        along = step @ axis
        off = np.sqrt(np.maximum((step**2).sum(axis=1) - along**2, 0))
        near = (np.abs(along) <= reach[0]) & (off <= reach[1]) & (np.abs(axes @ axis) >= reach[2])
        quartiles.append(np.sort(values[near])[(np.count_nonzero(near) - 1) // 4])
    return np.array(quartiles)
