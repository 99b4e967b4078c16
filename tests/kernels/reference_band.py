"""What the kernel of `qct.kernels.band` means."""

import numpy as np


def full(band):
    """Return the symmetric matrix that a band stands for."""
    n = len(band)
    matrix = np.zeros((n, n))
    for k in range(min(band.shape[1], n)):
        below = np.arange(n - k)
        matrix[below + k, below] = matrix[below, below + k] = band[below, k]
    return matrix


def solve_band(band, right):
    return np.linalg.solve(full(band), right)
