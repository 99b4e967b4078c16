"""Sorting a few numbers inside a kernel: by insertion, since numpy's sort takes seconds to compile."""

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import inner


@inner
def sort_first(values: npt.NDArray[np.float64], n: int) -> None:
    """Sort the first n of some values, in place."""
    for i in range(1, n):
        value = values[i]
        k = i
        while k > 0 and values[k - 1] > value:
            values[k] = values[k - 1]
            k -= 1
        values[k] = value
