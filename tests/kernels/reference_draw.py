"""What the drawing kernels mean. Slow, short, obviously right."""

import numpy as np


def _points(shape, spacing):
    return np.stack(
        np.meshgrid(
            *(np.arange(n) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij"
        ),
        -1,
    )


def depth(shape, segment, spacing):
    """Depth in a capsule at every voxel centre, and the radius there."""
    points, start, end = _points(shape, spacing), segment[:3], segment[3:6]
    length2 = ((end - start) ** 2).sum()
    share = np.zeros(shape)
    if length2 > 0:
        share = np.clip((points - start) @ (end - start) / length2, 0, 1)
    axis = start + share[..., None] * (end - start)
    radius = segment[6] + share * (segment[7] - segment[6])
    return radius - np.linalg.norm(points - axis, axis=-1), radius


def thin_share(radius, soft):
    thin = 3 * soft * radius**2 / (radius + soft / 2) ** 3
    return np.where(
        radius >= soft, 1, np.where(radius >= soft / 2, 0.75 + 0.5 * (radius / soft - 0.5), thin)
    )


def drawn_radius(radius, soft):
    area = np.maximum(radius**2 / thin_share(radius, soft) - soft**2 / 12, 0)
    return np.where(radius <= soft / 2, radius, np.sqrt(area))


def draw_capsules(hu, segments, value, spacing, soft):
    shares = np.zeros(hu.shape)
    for segment in segments:
        deep, radius = depth(hu.shape, segment, spacing)
        edge = np.clip((drawn_radius(radius, soft) - radius + deep) / soft + 0.5, 0, 1)
        shares = np.maximum(shares, edge * thin_share(radius, soft))
    hu += (value - hu) * shares


def mark_capsules(marks, segments, numbers, spacing):
    for segment, number in zip(segments, numbers, strict=True):
        marks[depth(marks.shape, segment, spacing)[0] >= 0] = number


def reach(shape, ball, rough, spacing):
    step = ball[3] / 8
    at = (_points(shape, spacing) / step).astype(int) % rough.shape[0]
    return ball[3] * (1 + 0.5 * np.clip(rough[at[..., 0], at[..., 1], at[..., 2]], -1, 1))


def fill_blobs(state, balls, rough, spacing, limits):
    wanted, gap = limits
    turned = left_out = 0
    for ball in balls:
        away = np.sqrt(((_points(state.shape, spacing) - ball[:3]) ** 2).sum(-1))
        if gap >= 0 and ((state == 2) & (away <= 1.5 * ball[3] + gap)).any():
            left_out += 1
            continue
        inside = away <= reach(state.shape, ball, rough, spacing)
        new = np.flatnonzero(inside & (state == 1))[: wanted - turned]
        state.ravel()[new] = 2
        turned += len(new)
    return turned, left_out


def expand_slice(field, rows, row_share, columns, column_share):
    r, c = rows[:, None], columns[None]
    a, b = row_share[:, None], column_share[None]
    top = (1 - b) * field[r, c] + b * field[r, c + 1]
    bottom = (1 - b) * field[r + 1, c] + b * field[r + 1, c + 1]
    return (1 - a) * top + a * bottom
