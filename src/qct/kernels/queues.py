"""Queues inside a kernel, one for every level, first in, first out; and arrays that grow with them.

All queues share the memory of their links: an entry has a number, and what stands behind it is found by that.

Letters: N entries; L levels.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import inner


@inner
def put_last(
    behind: npt.NDArray[np.integer],
    heads: npt.NDArray[np.int64],
    tails: npt.NDArray[np.int64],
    level: int,
    entry: int,
) -> None:
    """Put an entry at the end of the queue of a level.

    Parameters
    ----------
    behind : (N,) integers
        The entry behind each; -1 for none.
    heads, tails : (L,) int64
        First and last entry of every queue; -1 where it is empty.
    level, entry : int
    """
    behind[entry] = -1
    if tails[level] < 0:
        heads[level] = entry
    else:
        behind[tails[level]] = entry
    tails[level] = entry


@inner
def take_first(
    behind: npt.NDArray[np.integer],
    heads: npt.NDArray[np.int64],
    tails: npt.NDArray[np.int64],
    level: int,
) -> Any:
    """Take the first entry out of the queue of a level; -1 if it is empty. Arrays as of `put_last`."""
    entry = heads[level]
    if entry >= 0:
        heads[level] = behind[entry]
        if heads[level] < 0:
            tails[level] = -1
    return entry


@inner
def doubled(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return an array twice as long that begins with the values; zeros follow."""
    longer = np.zeros(2 * values.size, np.int64)
    for n in range(values.size):
        longer[n] = values[n]
    return longer
