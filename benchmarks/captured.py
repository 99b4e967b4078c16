"""What the pipeline gives its kernels: the calls of one analysis, with their time and the bytes they touch."""

import importlib
import inspect
import pkgutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

import qct.kernels

NO_KERNELS = ("ahead", "compiled")
"""Modules of `qct.kernels` that hold none."""


@dataclass
class Calls:
    """All calls of one kernel.

    Attributes
    ----------
    arguments : tuple
        Copies of those of the call with most bytes.
    seconds, n_bytes : list
        Wall time of each call; bytes of its arrays, given and returned.
    """

    arguments: tuple[Any, ...] = ()
    seconds: list[float] = field(default_factory=list)
    n_bytes: list[int] = field(default_factory=list)


def kernels() -> dict[str, Callable[..., Any]]:
    """Every public function of `qct.kernels`, by ``module.name``."""
    found = {}
    for info in pkgutil.iter_modules(qct.kernels.__path__):
        if info.name in NO_KERNELS:
            continue
        module = importlib.import_module(f"qct.kernels.{info.name}")
        for name, one in vars(module).items():
            if not name.startswith("_") and _is_own(one, module):
                found[f"{info.name}.{name}"] = one
    return found


def _is_own(one: Any, module: ModuleType) -> bool:
    plain = getattr(one, "py_func", one)
    return inspect.isfunction(plain) and plain.__module__ == module.__name__


@contextmanager
def captured() -> Iterator[dict[str, Calls]]:
    """Record every kernel call that is made from outside `qct.kernels` meanwhile."""
    calls: dict[str, Calls] = {}
    undo = []
    for name, original in kernels().items():
        recorder = _recorder(original, calls.setdefault(name, Calls()))
        for module in list(sys.modules.values()):
            if not getattr(module, "__name__", "").startswith("qct"):
                continue
            if module.__name__.startswith("qct.kernels."):
                continue
            for attribute, value in list(vars(module).items()):
                if value is original:
                    setattr(module, attribute, recorder)
                    undo.append((module, attribute, original))
    try:
        yield calls
    finally:
        for module, attribute, original in undo:
            setattr(module, attribute, original)


def _recorder(original: Callable[..., Any], calls: Calls) -> Callable[..., Any]:
    def record(*arguments: Any) -> Any:
        n_bytes = _bytes_of(arguments)
        if n_bytes >= max(calls.n_bytes, default=-1):
            calls.arguments = copied(arguments)
        begin = time.perf_counter()
        result = original(*arguments)
        calls.seconds.append(time.perf_counter() - begin)
        calls.n_bytes.append(n_bytes + _bytes_of(result))
        return result

    return record


def copied(value: Any) -> Any:
    """Copy arrays, also within tuples, so that a kernel that works in place can be run again."""
    if isinstance(value, tuple):
        return tuple(copied(one) for one in value)
    return value.copy() if isinstance(value, np.ndarray) else value


def _bytes_of(value: Any) -> int:
    if isinstance(value, tuple):
        return sum(_bytes_of(one) for one in value)
    return int(value.nbytes) if isinstance(value, np.ndarray) else 0


def import_all() -> None:
    """Import every module of qct, so that every use of a kernel is seen."""
    for info in pkgutil.walk_packages(qct.__path__, "qct."):
        if info.name != "qct.__main__":
            importlib.import_module(info.name)
