"""Fixtures for files and processes; data comes from the phantom or from the real scans beside the checkout."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("qct", deadline=None, derandomize=True)  # a first call compiles
settings.load_profile("qct")

os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
"""Commands that came with the test packages, such as dciodvfy, stand beside the interpreter."""

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real scans; skips the test where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real scans are not beside this checkout (docs/data.md)")
    return SHARED_DATA
