"""Quantitative lung CT: from a DICOM series to measured lungs, lobes and a report to edit and sign.

For arrays in memory: `measure_density`, `measure_lungs`, `measure_clusters`. For scans on disk: `analyze`.
They are imported when they are first used, so that ``import qct`` is instant; ``__init__.pyi`` has their types.
"""

from importlib import import_module
from typing import Any

__all__ = ["analyze", "measure_clusters", "measure_density", "measure_lungs"]

__version__ = "0.1.0"

_HOMES = {
    "analyze": "qct.pipeline",
    "measure_clusters": "qct.measure.arrays",
    "measure_density": "qct.measure.arrays",
    "measure_lungs": "qct.measure.arrays",
}


def __getattr__(name: str) -> Any:
    """Import a function where it lives, on first use."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what can be used."""
    return sorted({*globals(), *__all__})
