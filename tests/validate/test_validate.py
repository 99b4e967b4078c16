import json

import pymupdf
import pytest

from qct.cli import main
from qct.errors import NoLungsError
from qct.phantom import preset
from qct.validate.cases import JUDGED, Case

SMALL = {"model_mm": 2.0, "size": 160, "slice_mm": 3.0}


def case():
    return Case("mild 1", preset("mild", seed=1, **SMALL), JUDGED, "mild 1")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("validation") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qct.validate.plan", lambda full: (case(),))
        code = main(["validate", "-o", str(out), "--quiet"])
    return code, out


def told(out):
    return json.loads((out / "validation.json").read_text())


def test_the_exit_code_says_what_the_report_says(made):
    code, out = made
    assert code == (0 if told(out)["passed"] else 6)
    assert {path.name for path in out.iterdir()} == {
        f"validation.{k}" for k in ("html", "pdf", "json")
    }


def test_every_judged_number_is_beside_its_truth(made):
    rows = told(made[1])["rows"]
    volume = next(r for r in rows if (r["region"], r["quantity"]) == ("whole_lung", "volume_ml"))
    assert volume["measured"] == pytest.approx(volume["truth"]["sampled"], rel=0.05)
    assert {"sampled", "imaged", "model"} <= volume["truth"].keys()


def test_the_report_is_dated_and_names_versions_and_machine(made):
    said = told(made[1])
    words = "".join(page.get_text() for page in pymupdf.open(made[1] / "validation.pdf"))
    html = (made[1] / "validation.html").read_text()
    for text in (words, html):
        assert said["started"][:10] in text
        assert said["installation"]["numba"] in text
    assert len(said["installation"]["program sha256"]) == 64
    assert said["installation"]["program sha256"] in html


def test_a_chest_that_is_refused_is_a_failure_with_its_reason(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise NoLungsError("there is no lung")

    monkeypatch.setattr("qct.validate.plan", lambda full: (case(),))
    monkeypatch.setattr("qct.validate.run.measure_case", refuse)
    assert main(["validate", "-o", str(tmp_path / "out"), "--quiet"]) == 6
    assert told(tmp_path / "out")["failures"] == {"mild 1": "there is no lung"}


def test_a_folder_that_holds_something_is_refused_before_the_work(tmp_path, capsys):
    (tmp_path / "theirs.txt").write_text("keep")
    assert main(["validate", "-o", str(tmp_path), "--quiet"]) == 2
    assert "--force" in capsys.readouterr().err
