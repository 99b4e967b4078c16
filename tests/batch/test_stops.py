"""What stops a run in the middle, and that the same command goes on from there."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from tests.batch.test_run import Silent, archive, rows, run

from qct.batch.run import Settings, run_batch
from qct.errors import WriteError
from qct.options import Options
from qct.worklist import Entry, State, Worklist

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def _fake_is_importable(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def started(code, *args):
    """Run code in a process of its own, with this test's modules."""
    paths = os.pathsep.join([str(Path(__file__).parent), *(p for p in sys.path if p)])
    command = [sys.executable, "-c", code, *map(str, args)]
    environment = os.environ | {"PYTHONPATH": paths}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_worker_without_room_stops_the_run_and_the_same_command_goes_on(tmp_path):
    studies = archive(tmp_path / "in", 5)
    whole = run(studies, tmp_path / "whole").joinpath("results.csv").read_bytes()
    full = Settings(workers=1, timeout_s=3.0, measure="fake:measure")
    seen = Silent()
    with pytest.raises(WriteError, match="No space left") as stopped:
        run_batch(studies, str(tmp_path / "out"), Options(series_uid="full"), full, seen)
    assert stopped.value.hint
    assert not list((tmp_path / "out" / "studies").iterdir())
    assert run(studies, tmp_path / "out").joinpath("results.csv").read_bytes() == whole


FULL_LEDGER = """
import resource, signal, sys, test_run
from qct.errors import WriteError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
class Limited(test_run.Silent):
    def ended(self, entry):
        if len(self.entries) == 2:  # no file may grow any more, as on a full disk
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
        super().ended(entry)
try:
    test_run.run(sys.argv[1], sys.argv[2], Limited(), workers=1)
except WriteError as error:
    print(error, error.hint)
    sys.exit(5)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on file sizes here")
def test_a_ledger_without_room_stops_the_run_and_the_same_command_goes_on(tmp_path):
    studies = archive(tmp_path / "in", 8)
    whole = run(studies, tmp_path / "whole").joinpath("results.csv").read_bytes()
    done = started(FULL_LEDGER, studies, tmp_path / "out")
    assert done.returncode == 5, done.stderr
    assert "then run the same command again" in done.stdout
    assert "Traceback" not in done.stderr
    again = Silent()
    assert run(studies, tmp_path / "out", again).joinpath("results.csv").read_bytes() == whole
    assert 0 < len(again.waiting) < 8


def test_a_ledger_that_is_full_keeps_what_it_knew(tmp_path):
    entry = Entry(key="a", source="a", signature="1")
    with Worklist(tmp_path / "l.sqlite") as ledger:
        ledger.plan([entry])
        pages = ledger._base.execute("PRAGMA page_count").fetchone()[0]
        ledger._base.execute(f"PRAGMA max_page_count = {pages}")
        big = Entry(
            key="a", source="a", signature="1", state=State.DONE, record={"x": "y" * 100_000}
        )
        with pytest.raises(WriteError, match="full"):
            ledger.finish(big)
        assert ledger.get("a").state is State.PLANNED
    with Worklist(tmp_path / "l.sqlite") as ledger:
        ledger.finish(big)
        assert ledger.get("a").state is State.DONE


def test_an_output_folder_taken_away_and_brought_back_is_gone_on_with(tmp_path):
    studies = archive(tmp_path / "in", 6)
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    whole = run(studies, tmp_path / "whole").joinpath("results.csv").read_bytes()

    class Remover(Silent):
        def ended(self, entry):
            super().ended(entry)
            if len(self.entries) == 3:
                out.rename(elsewhere)

    with pytest.raises(WriteError) as stopped:
        run(studies, out, Remover(), workers=1)
    assert "bring" in stopped.value.hint.lower()
    assert not out.exists()
    elsewhere.rename(out)
    again = Silent()
    assert run(studies, out, again).joinpath("results.csv").read_bytes() == whole
    assert 0 < len(again.waiting) < 6


LOSING_A_WORKER = """
import os, signal, sys, test_run
if __name__ == "__main__":
    from distributed import LocalCluster
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    class Killer(test_run.Silent):
        def ended(self, entry):
            super().ended(entry)
            if len(self.entries) == 3:
                worker = list(cluster.workers.values())[0]
                os.kill(worker.process.process.pid, signal.SIGKILL)
                print("killed")
    test_run.run(sys.argv[1], sys.argv[2], Killer(), dask=cluster.scheduler_address)
    cluster.close()
"""


@pytest.mark.slow
def test_a_dask_worker_killed_in_the_middle_costs_no_study(tmp_path):
    pytest.importorskip("distributed", reason="Dask is not installed (pip install 'qct[dask]')")
    studies = archive(tmp_path / "in", 8, ["slow1", "slow2", "slow3", "slow4", "nolungs"])
    whole = run(studies, tmp_path / "whole", timeout_s=30.0)
    program = tmp_path / "program.py"
    program.write_text(LOSING_A_WORKER)
    paths = os.pathsep.join([str(Path(__file__).parent), *(p for p in sys.path if p)])
    done = subprocess.run(
        [sys.executable, str(program), studies, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "killed" in done.stdout
    for name in ("results.csv", "refused.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (whole / name).read_bytes()
    assert len(rows(tmp_path / "out" / "results.csv")) == 12
