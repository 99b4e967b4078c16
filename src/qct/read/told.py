"""What a header does not say of the acquisition, and a person does."""

from dataclasses import replace
from math import isclose
from typing import Any

from qct.acquisition import Acquisition, KernelFamily
from qct.errors import OptionError
from qct.findings import Scan
from qct.flags import Flag
from qct.options import TOLD, Options
from qct.read.recon_kernels import recon_kernel


def completed(scan: Scan, options: Options) -> Scan:
    """Fill what the header lacks with what the settings say of the acquisition.

    Raises
    ------
    OptionError
        If the header says something else: a header is not overruled.
    """
    if not is_told(options):
        return scan
    acquisition = completed_acquisition(scan.acquisition, options)
    return replace(scan, acquisition=acquisition, flags=scan.flags | {Flag.ACQUISITION_TOLD})


def is_told(options: Options) -> bool:
    """Tell whether the settings say anything of the acquisition."""
    return any(getattr(options, name) is not None for name in TOLD)


def completed_acquisition(acquisition: Acquisition, options: Options) -> Acquisition:
    """Do the same for an acquisition alone."""
    told = {name: value for name in TOLD if (value := getattr(options, name)) is not None}
    for name, value in told.items():
        said = getattr(acquisition, name)
        if said is not None and not _same(said, value):
            raise OptionError(
                f"the header says {name} = {said}, the settings say {value}",
                hint="Leave the setting out; it is for what the header does not say.",
            )
    full = replace(acquisition, **told)
    if full.kernel_family is not KernelFamily.UNKNOWN:
        return full
    kernel = recon_kernel(full.recon_kernel, full.manufacturer)
    is_iterative = True if kernel.is_iterative else full.is_iterative
    return replace(full, kernel_family=kernel.family, is_iterative=is_iterative)


def _same(said: Any, told: Any) -> bool:
    if isinstance(said, str):
        return said.strip().casefold() == str(told).strip().casefold()
    return said is told if isinstance(said, bool) else isclose(said, told, rel_tol=0.01)
