import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from qct import kernels
from qct.kernels import ahead

SIGNATURES = """
import sys
from pathlib import Path
from numba.core import sigutils
from qct.kernels.ahead import compile_declared
from qct.kernels.compiled import declared
from qct.pipeline import analyze

analyze(Path(sys.argv[1]))
used = {name: list(made.signatures) for name, (made, _) in declared().items()}
compile_declared()
for name, (made, told) in declared().items():
    args, _ = sigutils.normalize_signature(told)
    if set(used[name]) - {args} or made.signatures != [args]:
        print(name, used[name], args)
"""

MISSES = """
from qct.kernels.ahead import compile_declared
from qct.kernels.compiled import declared

compile_declared()
for name, (made, _) in declared().items():
    if made.stats.cache_misses:
        print(name)
"""


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="interpreted kernels have no types")
def test_a_kernel_is_given_what_it_says_and_helpers_and_calls_share_one_cache():
    scan = Path(__file__).parents[2] / "sample_data"
    assert _told(SIGNATURES, str(scan)) == ""
    assert _told(MISSES) == "", "what an analysis compiled is not found again"


def _told(*code: str) -> str:
    command = [sys.executable, "-c", *code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_every_module_with_kernels_that_say_what_they_are_given_is_compiled_ahead():
    says = {
        file.stem
        for file in Path(kernels.__file__).parent.glob("*.py")
        if "\n@kernel(" in file.read_text()
    }
    assert says == {*ahead.LAST_FIRST, *ahead.FOR_SOME}


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Commands of the helpers that would run; the cache is an empty folder of 4 cores."""
    commands = []
    monkeypatch.setattr(ahead, "cache_folder", lambda: str(tmp_path / "cache"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4), raising=False)
    monkeypatch.setattr(ahead, "_helpers", [])

    class Helper:
        def __init__(self, command, **_):
            commands.append(command)
            self.code = None

        def poll(self):
            return self.code

        def terminate(self):
            self.code = -15

        def wait(self):
            return self.code

    monkeypatch.setattr(ahead.subprocess, "Popen", Helper)
    return commands


def test_helpers_share_the_kernels_on_the_cores_that_are_left(started):
    with ahead.compile_beside():
        pass
    assert [command[3:5] for command in started] == [["0", "3"], ["1", "3"], ["2", "3"]]


def test_one_thread_gets_no_helper(started):
    with ahead.compile_beside(1):
        pass
    assert not started


def test_what_is_compiled_already_gets_no_helper(started):
    ahead.note_compiled()
    with ahead.compile_beside():
        pass
    assert not started


def test_a_changed_kernel_file_gets_helpers_again(started, monkeypatch, tmp_path):
    ahead.note_compiled()
    for module in (*ahead.LAST_FIRST, "compiled"):
        (tmp_path / f"{module}.py").touch()
    monkeypatch.setattr(ahead, "__file__", str(tmp_path / "ahead.py"))
    with ahead.compile_beside():
        pass
    assert started


def test_helpers_that_are_there_are_not_joined_by_others(started):
    for _ in range(3):
        with ahead.compile_beside():
            pass
    assert len(started) == ahead.MOST_HELPERS


def test_a_run_that_fails_leaves_no_helper(started):
    with pytest.raises(KeyboardInterrupt), ahead.compile_beside():
        raise KeyboardInterrupt
    assert [helper.code for helper in ahead._helpers] == [-15] * ahead.MOST_HELPERS


def test_where_nothing_is_kept_nobody_helps(started, monkeypatch):
    monkeypatch.setattr(ahead, "cache_folder", lambda: None)
    ahead.note_compiled()
    with ahead.compile_beside():
        pass
    assert not started


def test_a_helper_ends_when_its_parent_has_ended():
    assert not ahead.compile_declared(parent=os.getpid())


def test_python_does_not_complain_of_a_helper_still_at_work(tmp_path):
    code = "from qct.kernels.ahead import compile_beside\nwith compile_beside():\n    pass"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-W", "always", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "ResourceWarning" not in done.stderr


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="interpreted kernels are not compiled")
def test_a_helper_begins_with_what_is_needed_last_and_leaves_out_what_few_runs_need(monkeypatch):
    compiled = []

    class Kernel:
        def __init__(self, module):
            self.module = module

        def compile(self, _):
            compiled.append(self.module)

    every = (*ahead.LAST_FIRST, *ahead.FOR_SOME)
    made = {f"qct.kernels.{module}.loop": (Kernel(module), "(int64,)") for module in sorted(every)}
    monkeypatch.setattr(ahead, "declared", lambda: made)
    monkeypatch.setattr(os, "getppid", lambda: 7)
    assert ahead.compile_declared(parent=7)
    assert compiled == list(ahead.LAST_FIRST)
    compiled.clear()
    assert ahead.compile_declared()
    assert compiled == list(every)
