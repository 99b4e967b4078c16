"""Promises about the package as a whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("matplotlib", "torch", "SimpleITK", "skimage", "typst", "numba", "highdicom", "dask")


def _modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    ["import qct", "from qct.cli import build_parser; build_parser()"],
    ids=["import qct", "qct --help"],
)
def test_nothing_heavy_is_loaded_before_it_is_used(code):
    assert not _modules_after(code) & set(HEAVY)


def test_every_command_has_its_module_and_every_module_its_command():
    from qct import cli

    folder = Path(cli.__file__).parent
    assert set(cli.COMMANDS) == {f.stem for f in folder.glob("*.py")} - {"__init__"}


def test_every_kernel_module_has_a_reference_and_a_test():
    from qct import kernels

    here = Path(__file__).parent / "kernels"
    for module in Path(kernels.__file__).parent.glob("*.py"):
        if module.stem not in ("__init__", "ahead", "compiled"):
            assert (here / f"reference_{module.stem}.py").is_file(), module.stem
            assert (here / f"test_{module.stem}.py").is_file(), module.stem
