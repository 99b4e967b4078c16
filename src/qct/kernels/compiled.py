"""The one place that says how kernels are compiled, and how one is run on several threads."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt
from numba import config, njit
from numba.extending import register_jitable

Function = TypeVar("Function", bound=Callable[..., Any])

_limit = 0
"""Most threads that `in_parts` uses; 0 means every core. See `limit_threads`."""


_pool: ThreadPoolExecutor | None = None
_making = Lock()
"""Held while `_pool` is made."""

_declared: dict[str, tuple[Any, str]] = {}
"""Kernels that say what they are given: name to dispatcher and types."""


@overload
def kernel(told: Function) -> Function: ...
@overload
def kernel(told: str) -> Callable[[Function], Function]: ...
def kernel(told: Function | str) -> Function | Callable[[Function], Function]:
    """Compile a kernel when it is first called.

    ``fastmath`` stays off: a NaN must stay a NaN, and two machines must agree to the last digit.
    Where no folder for compiled code can be written (a read-only installation without a home), the kernel is
    compiled anew in every process.

    Parameters
    ----------
    told : function or str
        A kernel that an analysis needs says what it is given, in numba's words: it can then be compiled ahead
        of its first call (`qct.kernels.ahead`), and a test holds that it is given nothing else.
    """
    if not isinstance(told, str):
        return _compiled(told)

    def declare(function: Function) -> Function:
        made = _compiled(function)
        _declared[f"{function.__module__}.{function.__name__}"] = made, told
        return made

    return declare


def inner(function: Function) -> Function:
    """Compile a function with the kernels that call it; called from Python, it runs as it is written.

    A tenth less to compile than as a kernel itself: nothing to call it by from Python, and no version of its
    own for a number that the caller has as a constant.
    """
    made: Function = register_jitable(function)
    return made


def _compiled(function: Function) -> Function:
    try:
        made: Function = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba: no locator available
        made = njit(nogil=True)(function)
    return made


def declared() -> dict[str, tuple[Any, str]]:
    """Return the kernels imported so far that say what they are given: name to dispatcher and types."""
    return dict(_declared)


def cache_folder() -> str | None:
    """Return where compiled kernels are kept between runs; None where nothing can be written.

    A kernel's folder depends on its file alone, so that of this one stands for all.
    """
    try:
        return str(njit(cache=True)(_probe).stats.cache_path)
    except (AttributeError, RuntimeError):  # kernels run interpreted; nowhere to write
        return None


def _probe() -> None:
    """Be compiled, to see where to."""


def limit_threads(most: int) -> None:
    """Let kernels use at most `most` threads in this process; 0 means every core."""
    global _limit
    _limit = most


def n_threads() -> int:
    """Return how many threads a kernel is run on."""
    cores = int(config.NUMBA_NUM_THREADS)  # what this process may use, or what the environment says
    return min(_limit or cores, cores)


def side_by_side(*tasks: Callable[[], Any]) -> list[Any]:
    """Do several things at once, on as many threads as a kernel may have; return what they return, in order.

    It helps where most of the time goes into kernels and numpy, which let other threads run.
    """
    with ThreadPoolExecutor(n_threads()) as pool:
        return [begun.result() for begun in [pool.submit(task) for task in tasks]]


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a view that cannot be written to, C-contiguous (copied only if it is not).

    A kernel is compiled anew for every layout and for what may be written to and what may not. What it only
    reads and gets from many places, it gets in this one form.
    """
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def in_parts(function: Callable[..., None], *arguments: Any) -> None:
    """Run a kernel once per thread.

    Parameters
    ----------
    function : kernel
        Its last two parameters are ``part`` and ``parts``. It works on every ``parts``-th row of its outermost
        axis from row ``part`` on, and writes only what belongs to those rows, so that the bits of the result do
        not depend on the number of threads. It returns nothing.
    *arguments
        All its other parameters.

    Notes
    -----
    Threads outside the compiled code instead of numba's ``parallel=True``: the same speed, a fifth of the time
    to compile (3.9 s against 0.7 s for `find_sheets`), and safe to call from several threads, which numba's
    own fallback scheduler is not.
    """
    parts = n_threads()
    begun = [_threads().submit(function, *arguments, part, parts) for part in range(1, parts)]
    function(*arguments, 0, parts)
    for part, other in enumerate(begun, start=1):
        if other.cancel():  # no thread was free to begin it
            function(*arguments, part, parts)
        else:
            other.result()


def _threads() -> ThreadPoolExecutor:
    """Return the threads that do parts beside the calling ones; to start some for every call takes longer.

    They only ever run kernels, which wait for nobody.
    """
    global _pool
    with _making:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(int(config.NUMBA_NUM_THREADS) - 1, 1))
        return _pool


def _forget_threads() -> None:
    """Start anew after a fork, which copies no threads."""
    global _pool, _making
    _pool, _making = None, Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
