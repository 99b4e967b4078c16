"""Studies and results at URLs of fsspec: files, a web server, and what does not answer."""

import functools
import http.server
import threading
from pathlib import Path

import pytest
from tests.batch.test_run import Silent, archive, rows, run

from qct.batch.store import remote_signature
from qct.errors import NotReachedError, OptionError

pytest.importorskip("fsspec", reason="fsspec is not installed (pip install 'qct[dask]')")


@pytest.fixture(autouse=True)
def _fake_is_importable(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def web(tmp_path):
    pytest.importorskip("aiohttp", reason="aiohttp is not installed (pip install 'qct[dask]')")
    (tmp_path / "web").mkdir()
    handler = functools.partial(Quiet, directory=str(tmp_path / "web"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", tmp_path / "web"
        server.shutdown()


def listed(path, *urls):
    path.write_text("\n".join(["path", *urls]))
    return str(path)


def test_studies_by_url_give_the_numbers_of_studies_by_path(tmp_path, web):
    here = run(archive(tmp_path / "in", 3), tmp_path / "here")
    url, folder = web
    for k in range(3):
        (folder / f"good{k}").mkdir()
        (folder / f"good{k}" / "image").write_text(f"good{k}")
    table = listed(
        tmp_path / "urls.csv",
        f"{url}/good0/image",
        f"file://{tmp_path}/in/good1",
        f"{url}/good2/image",
    )
    there = run(table, tmp_path / "there")
    values = [
        sorted(row["whole_lung.volume_ml"] for row in rows(out / "results.csv"))
        for out in (here, there)
    ]
    assert values[0] == values[1]


def test_results_go_to_a_url_whole_and_the_run_goes_on_there(tmp_path):
    studies = archive(tmp_path / "in", 3, ["nolungs"])
    target, again = f"file://{tmp_path}/target", Silent()
    home = run(studies, target, ledger=tmp_path / "ledger")
    assert (tmp_path / "target" / "results.csv").read_bytes() == (home / "results.csv").read_bytes()
    folders = list((tmp_path / "target" / "studies").iterdir())
    assert len(folders) == 3
    (folders[0] / "analysis.json").unlink()
    run(studies, target, again, ledger=tmp_path / "ledger")
    assert again.waiting == [folders[0].name]
    assert (folders[0] / "analysis.json").is_file()


def test_a_file_that_changes_on_a_web_server_is_noticed(web):
    import os

    url, folder = web
    (folder / "one.zip").write_bytes(b"a")
    before = remote_signature(f"{url}/one.zip")
    assert before[1] == 1
    assert remote_signature(f"{url}/one.zip") == before
    (folder / "one.zip").write_bytes(b"b")
    os.utime(folder / "one.zip", (1, 1))
    assert remote_signature(f"{url}/one.zip") != before


def test_one_url_that_does_not_answer_costs_one_study_and_is_tried_again_when_it_does(
    tmp_path, web
):
    url, folder = web
    (folder / "a").write_text("good")
    table = listed(tmp_path / "urls.csv", f"{url}/a", f"{url}/b", "http://127.0.0.1:9/c")
    out = run(table, tmp_path / "out")
    assert len(rows(out / "results.csv")) == 1
    assert [row["kind"] for row in rows(out / "refused.csv")] == ["NotReachedError"] * 2
    (folder / "b").write_text("good too")
    again = Silent()
    run(table, out, again)
    assert len(again.waiting) == 1
    assert len(rows(out / "results.csv")) == 2


def test_a_measured_study_stays_when_its_server_is_down(tmp_path, web):
    url, folder = web
    (folder / "a").write_text("good")
    table = listed(tmp_path / "urls.csv", f"{url}/a")
    out = run(table, tmp_path / "out")
    (folder / "a").unlink()
    before = (out / "results.csv").read_bytes()
    run(table, out)
    assert (out / "results.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("file:///there/is/nothing", NotReachedError),
        ("http://127.0.0.1:9/x", NotReachedError),
        ("nosuchstore://x/y", OptionError),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_with_a_hint(url, error):
    with pytest.raises(error) as refused:
        remote_signature(url)
    assert refused.value.hint
