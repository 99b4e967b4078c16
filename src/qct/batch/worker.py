"""The process that does one job after another, and may crash, hang or be killed at any of them.

It is started as ``python -m qct.batch.worker ADDRESS`` and connects to its starter: no fork, no import of the
caller's main module, and allowed under a Dask worker.
"""

import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Client, Connection
from typing import Any

from qct.collector import collecting_seldom
from qct.errors import QctError, WriteError

KEY = "QCT_WORKER_KEY"
"""Environment variable that holds the key of the connection (hexadecimal)."""

THREAD_VARIABLES = (
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)
"""Set by the parent before the process starts, so that workers together use every core once."""

PR_SET_PDEATHSIG = 1
"""Of ``prctl`` (Linux, sys/prctl.h): the signal to get when the parent dies."""

WATCH_S = 1.0
"""How often to look whether the parent is still there (s)."""


def serve(address: str) -> None:
    """Do jobs until the connection is closed."""
    faulthandler.enable()
    _die_with_parent()
    with Client(address, authkey=bytes.fromhex(os.environ.pop(KEY))) as connection:
        while True:
            try:
                function, argument = connection.recv()
            except (EOFError, OSError):
                return
            connection.send(("outcome", _do(function, argument, connection)))


def resolve(function: str) -> Callable[..., Any]:
    """Return the function that ``module:name`` names."""
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def _do(function: str, argument: Any, connection: Connection) -> dict[str, Any]:
    """Return ``{"value": ...}``, or ``{"refusal": ...}``; never raise."""
    _reset_peak()
    wall_s, cpu_s = time.perf_counter(), time.process_time()

    def progress(doing: str, share: float) -> None:
        connection.send(("progress", (doing, share)))

    outcome: dict[str, Any]
    try:
        outcome = {"value": resolve(function)(argument, progress)}
    except QctError as error:
        told = {"kind": type(error).__name__, "message": str(error), "hint": error.hint}
        outcome = {"refusal": told | {"stops": isinstance(error, WriteError)}}
    except MemoryError:
        outcome = {
            "refusal": {"kind": "OutOfMemory", "message": "it needs more memory than there is"}
        }
    except (
        Exception
    ) as error:  # the last net of a process of its own: one study's fault ends with it
        outcome = {"refusal": {"kind": "Fault", "message": _place(error)}}
    cost = {
        "wall_s": round(time.perf_counter() - wall_s, 3),
        "cpu_s": round(time.process_time() - cpu_s, 3),
        "peak_bytes": _peak_bytes(),
    }
    return outcome | {"cost": cost}


def _place(error: Exception) -> str:
    """Put a fault into words; its details may name a patient, so only its place is told."""
    trace = error.__traceback__
    place = "unknown"
    while trace is not None:
        code = trace.tb_frame.f_code
        if "qct" in code.co_filename:
            place = f"{code.co_name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return f"a fault of qct itself: {type(error).__name__} in {place}"


def _die_with_parent() -> None:
    """See to it that no worker outlives its scheduler, which may be killed without a word."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _reset_peak() -> None:
    """Let the kernel count the peak of memory anew (Linux, proc(5): clear_refs)."""
    try:
        with open("/proc/self/clear_refs", "w") as stream:  # noqa: PTH123
            stream.write("5")
    except OSError:
        return


def _peak_bytes() -> int:
    try:
        with open("/proc/self/status") as stream:  # noqa: PTH123
            return next(int(line.split()[1]) * 1024 for line in stream if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0


if __name__ == "__main__":
    with collecting_seldom():
        serve(sys.argv[1])
