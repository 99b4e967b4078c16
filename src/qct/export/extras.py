"""Optional packages: imported when needed, missed with a sentence."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from qct.errors import OptionError

EXTRAS = {
    "highdicom": "dicom",
    "pynetdicom": "send",
    "requests": "send",
    "pyarrow": "parquet",
}
"""Package to the extra of qct that installs it."""


def optional(module: str) -> ModuleType:
    """Import a module of an optional package.

    Raises
    ------
    OptionError
        If it is not installed; the hint is the command that installs it.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise _missing(package) from error


def check_installed(package: str) -> None:
    """Refuse what needs an optional package, without importing it.

    Raises
    ------
    OptionError
        As `optional`.
    """
    if find_spec(package) is None:
        raise _missing(package)


def _missing(package: str) -> OptionError:
    return OptionError(
        f"this needs the package {package}, which is not installed",
        hint=f"pip install 'qct[{EXTRAS[package]}]'",
    )
