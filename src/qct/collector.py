"""How often Python looks for garbage that refers to itself."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = (100_000, 20, 20)
"""Thresholds of `gc`, instead of 700 or 2,000 objects: importing, parsing and compiling make millions of
objects, hardly any of which is such garbage, and looking for it took a twentieth of a run."""


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Look for garbage seldom; as before afterwards."""
    before = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
