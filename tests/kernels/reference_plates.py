"""What the kernels of `qct.kernels.plates` mean: slow and short."""

import numpy as np
from scipy.ndimage import map_coordinates


def unroll_columns(hu, usable, feet, up, heights, most_hu):
    at = feet[:, :, None] + heights[:, None] * up
    last = np.array(hu.shape) - 1
    on_grid = ((at >= 0) & (at <= last)).all(axis=-1)
    nearest = np.floor(np.clip(at, 0, last) + 0.5).astype(int)
    used = on_grid & usable[tuple(np.moveaxis(nearest, -1, 0))]
    values = map_coordinates(hu.astype(float), np.moveaxis(at, -1, 0), order=1, mode="nearest")
    relative = np.zeros(at.shape[:3])
    for column in np.ndindex(at.shape[:2]):
        chosen = np.sort(values[column][used[column]])
        if chosen.size:
            difference = values[column] - chosen[chosen.size // 2]
            relative[column] = np.where(used[column], np.clip(difference, -most_hu, most_hu), 0)
    return relative, used


def plate_contrast(hu, usable, reach, tilts, gap, least_share):
    nu, nv, nh = hu.shape
    disc = [
        (du, dv)
        for du in range(-reach, reach + 1)
        for dv in range(-reach, reach + 1)
        if du * du + dv * dv <= reach * reach + 1
    ]
    contrast = np.full(hu.shape, np.nan)
    for u, v, h in np.ndindex(hu.shape):
        for tilt in tilts:
            means = []
            for level in (h - gap, h, h + gap):
                seen = []
                for du, dv in disc:
                    at = level + int(np.floor(tilt[0] * du + tilt[1] * dv + 0.5))
                    on_grid = 0 <= u + du < nu and 0 <= v + dv < nv and 0 <= level < nh
                    if on_grid and 0 <= at < nh and usable[u + du, v + dv, at]:
                        seen.append(float(hu[u + du, v + dv, at]))
                enough = seen and len(seen) >= least_share * len(disc)
                means.append(np.mean(seen) if enough else np.nan)
            difference = means[1] - max(means[0], means[2])
            if not np.isnan(sum(means)) and not difference <= contrast[u, v, h]:
                contrast[u, v, h] = difference
    return contrast


def follow_plates(cost, step_cost):
    nu, nv, nh = cost.shape
    step = np.full((nh, nh), np.inf)
    for change, price in enumerate(step_cost):
        for h in range(nh):
            for other in {h - change, h + change}:
                if 0 <= other < nh:
                    step[h, other] = price
    directions = [(du, dv) for du in (-1, 0, 1) for dv in (-1, 0, 1) if du or dv]

    def path(u, v, du, dv):
        if not (0 <= u - du < nu and 0 <= v - dv < nv):
            return cost[u, v]
        cheapest = cost[u, v] + (path(u - du, v - dv, du, dv)[None] + step).min(axis=1)
        return cheapest - cheapest.min()

    total = np.zeros(cost.shape)
    for u in range(nu):
        for v in range(nv):
            total[u, v] = sum(path(u, v, du, dv) for du, dv in directions)
    return total
