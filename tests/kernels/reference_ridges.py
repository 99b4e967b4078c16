"""What the kernels of `qct.kernels.ridges` mean: slow, short, with numpy's eigenvectors."""

import numpy as np

WITHIN, ALONG = 0.75, 0.8


def _expanded(block, taps):
    """Return value, gradient and Hessian at the middle of a block as large as the taps."""

    def at(*orders):
        return np.einsum("zyx,z,y,x", block, *(taps[order] for order in orders))

    gradient = np.array([at(*one) for one in np.eye(3, dtype=int)])
    hessian = [
        [at(*(np.eye(3, dtype=int)[i] + np.eye(3, dtype=int)[j])) for j in range(3)]
        for i in range(3)
    ]
    return at(0, 0, 0), gradient, np.array(hessian)


def _is_top(image, at):
    for axis in range(3):
        step = np.eye(3, dtype=int)[axis]
        if image[tuple(at)] >= max(image[tuple(at - step)], image[tuple(at + step)]):
            return True
    return False


def find_ridges(image, candidates, taps, least, blank):
    ridges = np.zeros((len(candidates), 6), np.float32)
    radius = taps.shape[1] // 2
    filled = np.where(image == blank, 0, image).astype(float)
    for row, at in zip(ridges, candidates, strict=True):
        block = filled[tuple(slice(one - radius, one + radius + 1) for one in at)]
        value, gradient, hessian = _expanded(block, taps.astype(float))
        curvature, directions = np.linalg.eigh(hessian)
        along = np.argmax(curvature)
        stronger, weaker = -curvature[0], -curvature[1]
        if not _is_top(image, at) or value < least[0] or np.trace(hessian) > -2 * least[1]:
            continue
        if weaker < least[1] or weaker < least[2] * stronger:
            continue
        if abs(curvature[along]) > ALONG * weaker:
            continue
        across = directions[:, :2]
        off = -across @ (across.T @ gradient / curvature[:2])
        if np.abs(off).max() <= WITHIN:
            row[:3], row[3:] = off, directions[:, along]
    return ridges
