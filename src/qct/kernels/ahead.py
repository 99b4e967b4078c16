"""Compile the kernels ahead of their first call, in processes beside the one that will need them.

The first run after an installation would wait for every kernel in turn. Helpers compile from the last kernel
that a run needs to the first while the run begins at the other end; both keep what they made in numba's cache
on disk, where each finds what the other has done. A kernel that both compile at once is written twice, by
renaming, with the same content. Several helpers share the list.
"""

import gc
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from threading import Thread

import numba
from numba.core.sigutils import normalize_signature

from qct.kernels.compiled import cache_folder, declared

LAST_FIRST = (
    "sight",
    "tubes",
    "vessels",
    "ridges",
    "background",
    "band",
    "plates",
    "sheetness",
    "fields",
    "draw",
    "wavefront",
    "rays",
    "flood",
    "histogram",
    "runs",
    "balls",
    "blocks",
)
"""Modules of kernels that every analysis needs, in the order opposite to its own."""

FOR_SOME = ("pixels",)
"""Modules of kernels for compressed pixels: a run that needs one compiles it itself."""

MOST_HELPERS = 3

_helpers: list["subprocess.Popen[bytes]"] = []
"""Those that were started."""


@contextmanager
def compile_beside(most_threads: int = 0) -> Iterator[None]:
    """Have helpers for a run, if this machine has not compiled these kernels yet and has cores to spare.

    They end when their work is done, with the kernel they are at when this process has ended, or at once if
    the run fails. As long as one of them is there, no other is started.

    Parameters
    ----------
    most_threads : int
        As for `qct.kernels.compiled.limit_threads`; the helpers and this process are no more.
    """
    stamp = _stamp()
    if stamp is not None and not stamp.exists() and all(one.poll() is not None for one in _helpers):
        _helpers[:] = _started(most_threads)
    try:
        yield
    except BaseException:
        for helper in _helpers:  # what it keeps it keeps by renaming
            helper.terminate()
            helper.wait()
        raise


def _started(most_threads: int) -> "list[subprocess.Popen[bytes]]":
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    helpers = min(min(most_threads or cores, cores) - 1, MOST_HELPERS)
    started = []
    for part in range(helpers):
        command = [sys.executable, "-m", __name__, str(part), str(helpers), str(os.getpid())]
        with suppress(OSError):  # it only takes longer
            helper = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            # or Python, at its own end, complains of one that is still at work
            Thread(target=helper.wait, daemon=True).start()
            started.append(helper)
    return started


def compile_declared(part: int = 0, parts: int = 1, parent: int | None = None) -> bool:
    """Compile every `parts`-th kernel from number `part` on, or load it from the cache.

    As a helper of `parent`, only what every analysis needs.

    Returns
    -------
    whole : bool
        False if `parent` is no longer the parent of this process, and it was given up.
    """
    modules = LAST_FIRST if parent is not None else LAST_FIRST + FOR_SOME
    for module in modules:
        import_module(f"qct.kernels.{module}")
    made = declared()
    names = [name for module in modules for name in made if name.split(".")[-2] == module]
    for name in names[part::parts]:
        if parent is not None and os.getppid() != parent:
            return False
        dispatcher, types = made[name]
        if not numba.config.DISABLE_JIT:
            arguments, _ = normalize_signature(types)
            dispatcher.compile(tuple(arguments))  # as a call does: the cache is asked for just that
    return True


def note_compiled() -> None:
    """Note that the cache holds these kernels, so that no helper is started again."""
    stamp = _stamp()
    if stamp is not None:
        with suppress(OSError):
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.touch()


def _stamp() -> Path | None:
    """Return the file whose being there says so; None where nothing is kept.

    Its name changes with the versions and the state of the files, as numba's cache does.
    """
    folder = cache_folder()
    if folder is None:
        return None
    state = [numba.__version__, platform.python_version()]
    for module in (*LAST_FIRST, "compiled"):
        told = (Path(__file__).parent / f"{module}.py").stat()
        state += [module, str(told.st_mtime_ns), str(told.st_size)]
    return Path(folder) / f"qct-{sha256(' '.join(state).encode()).hexdigest()[:16]}.compiled"


if __name__ == "__main__":
    gc.disable()  # a tenth of the time; the process ends with its work
    with suppress(KeyboardInterrupt):
        compile_declared(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
