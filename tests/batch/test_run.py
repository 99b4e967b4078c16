"""Whole runs with a stand-in for measuring, in real worker processes."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qct.batch.run import Settings, run_batch
from qct.errors import OptionError, WriteError
from qct.options import Options
from qct.worklist import Worklist

BAD = {
    "crash": "WorkerCrashed",
    "exit": "WorkerCrashed",
    "killed": "WorkerKilled",
    "memory": "OutOfMemory",
    "fault": "Fault",
    "hang": "TimedOut",
    "nolungs": "NoLungsError",
}

PROGRAM = """
import sys
from tests_batch_run import run
run(sys.argv[1], sys.argv[2])
"""


class Silent:
    def __init__(self):
        self.waiting, self.entries = [], []

    def planned(self, units, waiting):
        self.waiting = [unit.key for unit in waiting]

    def ended(self, entry):
        self.entries.append(entry)


@pytest.fixture(autouse=True)
def _fake_is_importable(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def archive(top, n_good, bad=()):
    names = [f"good{k}" for k in range(n_good)] + list(bad)
    lines = ["path,group"]
    for k, name in enumerate(names):
        folder = top / name
        folder.mkdir(parents=True)
        (folder / "image").write_text(name)
        lines.append(f"{name},{'ab'[k % 2]}")
    (top / "list.csv").write_text("\n".join(lines))
    return str(top / "list.csv")


def run(studies, out, watcher=None, **settings):
    given = {"workers": 2, "timeout_s": 3.0, "measure": "fake:measure"} | settings
    return run_batch(studies, str(out), Options(), Settings(**given), watcher or Silent())


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_study_ends_in_a_result_or_a_named_refusal(tmp_path):
    out = run(archive(tmp_path / "in", 4, BAD), tmp_path / "out")
    assert len(rows(out / "results.csv")) == 4
    refused = {row["source"]: row for row in rows(out / "refused.csv")}
    assert {source: row["kind"] for source, row in refused.items()} == BAD
    assert "SIGSEGV" in refused["crash"]["message"]
    assert "Doe" not in (out / "refused.csv").read_text()
    assert {row["group"] for row in rows(out / "results.csv")} == {"a", "b"}
    assert (out / "summary.html").read_text().startswith("<!doctype html>")


def test_the_same_command_again_does_nothing(tmp_path):
    studies = archive(tmp_path / "in", 3, ["crash"])
    run(studies, tmp_path / "out")
    before = (tmp_path / "out" / "results.csv").read_bytes()
    again = Silent()
    run(studies, tmp_path / "out", again)
    assert again.waiting == []
    assert (tmp_path / "out" / "results.csv").read_bytes() == before


def test_only_what_changed_is_done_again_and_a_touched_file_is_not(tmp_path):
    studies = archive(tmp_path / "in", 3)
    run(studies, tmp_path / "out")
    (tmp_path / "in" / "good0" / "image").write_text("other")
    os.utime(tmp_path / "in" / "good1" / "image", (1, 1))
    written = {p.name[:5]: p.stat().st_mtime_ns for p in (tmp_path / "out/studies").glob("*")}
    again = Silent()
    run(studies, tmp_path / "out", again)
    now = {p.name[:5]: p.stat().st_mtime_ns for p in (tmp_path / "out/studies").glob("*")}
    assert len(again.waiting) == 2
    assert [name for name in now if now[name] != written[name]] == ["good0"]


def test_failures_of_the_machine_are_tried_again_when_asked(tmp_path):
    studies = archive(tmp_path / "in", 1, ["fault", "nolungs"])
    run(studies, tmp_path / "out")
    again = Silent()
    run(studies, tmp_path / "out", again, retry=True)
    assert [key[:5] for key in again.waiting] == ["fault"]


def test_a_result_folder_taken_away_is_made_again(tmp_path):
    studies = archive(tmp_path / "in", 2)
    out = run(studies, tmp_path / "out")
    one = next((out / "studies").glob("good1*"))
    (one / "analysis.json").unlink()
    again = Silent()
    run(studies, out, again)
    assert again.waiting == [one.name]
    assert (one / "analysis.json").is_file()


def test_killed_at_any_moment_and_resumed_the_table_is_the_same(tmp_path):
    studies = archive(tmp_path / "in", 24, ["nolungs"])
    whole = run(studies, tmp_path / "whole").joinpath("results.csv").read_bytes()
    moments = random.Random(3)
    code = (
        "import sys; sys.path[:0] = sys.argv[3:]; import test_run; "
        "test_run.run(sys.argv[1], sys.argv[2])"
    )
    here = [str(Path(__file__).parent), *(p for p in sys.path if p)]
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", code, studies, str(tmp_path / "out"), *here],
            start_new_session=True,
        )
        time.sleep(moments.uniform(0.3, 1.6))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert run(studies, tmp_path / "out").joinpath("results.csv").read_bytes() == whole
    assert not list((tmp_path / "out" / "studies").glob(".*"))


def test_an_output_folder_removed_in_the_middle_stops_the_run(tmp_path):
    studies = archive(tmp_path / "in", 6)

    class Remover(Silent):
        def ended(self, entry):
            (tmp_path / "out").rename(tmp_path / "elsewhere")

    with pytest.raises(WriteError):
        run(studies, tmp_path / "out", Remover())
    assert not (tmp_path / "out").exists()


def test_two_runs_do_not_write_to_one_folder(tmp_path):
    studies = archive(tmp_path / "in", 1)
    out = run(studies, tmp_path / "out")
    with Worklist(out / "ledger.sqlite"), pytest.raises(OptionError, match="another run"):
        run(studies, out)


def test_a_dask_cluster_gives_the_same_table(tmp_path):
    pytest.importorskip("distributed", reason="Dask is not installed (pip install 'qct[dask]')")
    studies = archive(tmp_path / "in", 4, ["crash", "nolungs"])
    here = run(studies, tmp_path / "here")
    code = (
        "import sys; sys.path[:0] = sys.argv[3:]\n"
        "if __name__ == '__main__':\n"
        "    import test_run; test_run.run(sys.argv[1], sys.argv[2], dask='local')"
    )
    paths = [str(Path(__file__).parent), *(p for p in sys.path if p)]
    program = tmp_path / "program.py"
    program.write_text(code)
    command = [sys.executable, str(program), studies, str(tmp_path / "there"), *paths]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    for name in ("results.csv", "refused.csv"):
        assert (tmp_path / "there" / name).read_bytes() == (here / name).read_bytes()
