"""What the kernels of `qct.kernels.rays` mean. Slow, short, obviously right."""

import numpy as np


def ray(shape, centre, direction, n_steps):
    """List (step, y, x) of a ray until it leaves the grid."""
    steps = []
    for step in range(n_steps):
        y, x = (int(np.floor(c + step * d + 0.5)) for c, d in zip(centre, direction, strict=True))
        if not (0 <= y < shape[0] and 0 <= x < shape[1]):
            break
        steps.append((step, y, x))
    return steps


def march_rays(sides, bone, centres, directions, own, n_steps):
    found = np.tile(np.array([n_steps, -1, n_steps], np.int16), (len(sides), len(own), 1))
    for z, centre in enumerate(centres):
        for a, direction in enumerate(directions):
            way = ray(sides.shape[1:], centre, direction, n_steps)
            lung = [step for step, y, x in way if sides[z, y, x] == own[a]]
            if lung:
                found[z, a, :2] = lung[0], lung[-1]
            beyond = [
                step
                for step, y, x in way
                if bone[z, y, x] and step > found[z, a, 1] and step not in lung
            ]
            if beyond:
                found[z, a, 2] = beyond[0]
    return found[..., 0], found[..., 1], found[..., 2]


def paint_rays(mask, inner, outer, centres, directions):
    for z, centre in enumerate(centres):
        for a, direction in enumerate(directions):
            for step in range(inner[z, a], outer[z, a]):
                y, x = np.floor(centre + step * direction + 0.5).astype(int)
                if 0 <= y < mask.shape[1] and 0 <= x < mask.shape[2]:
                    mask[z, y, x] = True
