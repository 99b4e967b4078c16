"""The one place that says how kernels are compiled."""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile a kernel.

    ``fastmath`` stays off: a NaN must stay a NaN, and two machines must agree to the last digit.
    """
    compiled: Function = njit(cache=True, nogil=True)(function)
    return compiled


def parallel_kernel(function: Function) -> Function:
    """Compile a kernel whose outer ``prange`` runs on every thread.

    Each iteration writes to its own part of the result, so the bits do not depend on the number of threads.
    """
    compiled: Function = njit(cache=True, nogil=True, parallel=True)(function)
    return compiled
