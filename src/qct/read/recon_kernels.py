"""What a reconstruction kernel's name says; the names are data, in ``kernels.toml``."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from qct.acquisition import KernelFamily


@dataclass(frozen=True, slots=True)
class ReconKernel:
    """Family of a kernel, and whether its name alone says that it is iterative."""

    family: KernelFamily = KernelFamily.UNKNOWN
    is_iterative: bool = False


def recon_kernel(name: str | None, manufacturer: str | None) -> ReconKernel:
    """Look up a kernel; an unknown one stays unknown.

    Without a manufacturer (de-identified files) the name counts if all vendors that know it agree.

    >>> recon_kernel("B31f", "SIEMENS").family.value
    'standard'
    >>> recon_kernel("LUNG", None).family.value
    'sharp'
    """
    if not name or not name.strip():
        return ReconKernel()
    tried = name.strip().upper()
    vendors = [v for v in _table()["vendor"] if _is_by(v, manufacturer)]
    known = {found for v in vendors if (found := _look_up(v["kernels"], tried)) is not None}
    return known.pop() if len(known) == 1 else ReconKernel()


def says_iterative(*texts: str | None) -> bool:
    """Tell whether any text names an iterative reconstruction."""
    words = "|".join(_table()["iterative"]["words"])
    return any(re.search(words, text.upper()) for text in texts if text)


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("qct.read").joinpath("kernels.toml").read_text("utf-8"))


def _is_by(vendor: dict[str, Any], manufacturer: str | None) -> bool:
    if not manufacturer or not manufacturer.strip():
        return True
    return re.search(vendor["manufacturer"], f"{manufacturer.upper()} ") is not None


def _look_up(kernels: list[dict[str, Any]], name: str) -> ReconKernel | None:
    for row in kernels:
        match = re.fullmatch(row["pattern"], name)
        if match:
            return ReconKernel(KernelFamily(_family(row, match)), row.get("iterative", False))
    return None


def _family(row: dict[str, Any], match: re.Match[str]) -> str:
    if "family" in row:
        return str(row["family"])
    number = int(match.group(1))
    return next(str(family) for limit, family in row["numbers"].items() if number <= int(limit))
