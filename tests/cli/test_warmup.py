import os
import subprocess
import sys

import pytest

COMPILES = """
import sys
from pathlib import Path
from numba.core import event

names = []

class Listener(event.Listener):
    def on_start(self, told):
        names.append(told.data["dispatcher"].py_func.__name__)
    def on_end(self, told):
        pass

event.register("numba:compile", Listener())
from qct.cli import main
assert main(["analyze", sys.argv[1], "-o", sys.argv[2], "--quiet"]) == 0
print(names)
"""


@pytest.mark.slow
def test_after_a_warmup_an_analysis_compiles_nothing(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "compiled")}

    def run(*command):
        done = subprocess.run(
            [sys.executable, *command], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    told = run("-m", "qct", "warmup")
    assert str(tmp_path / "compiled") in told
    chest = ("--size", "128", "--slice-mm", "3", "--model-mm", "2", "--seed", "3")
    run("-m", "qct", "phantom", str(tmp_path / "chest"), *chest)
    compiled = run("-c", COMPILES, str(tmp_path / "chest"), str(tmp_path / "out"))
    assert compiled.strip() == "[]"
