"""What the kernel of `qct.kernels.sorting` means."""

import numpy as np


def sort_first(values, n):
    values[:n] = np.sort(values[:n])
