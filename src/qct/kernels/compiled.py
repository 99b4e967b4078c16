"""The one place that says how kernels are compiled."""

from numba import njit

kernel = njit(cache=True, nogil=True)
"""Compile a kernel.

``fastmath`` stays off: a NaN must stay a NaN, and two machines must agree to the last digit.
"""

parallel_kernel = njit(cache=True, nogil=True, parallel=True)
"""Compile a kernel whose outer ``prange`` runs on every thread.

Each iteration writes to its own part of the result, so the bits do not depend on the number of threads.
"""
