import json

from qct.cli import main


def test_studies_that_are_not_there_are_refused(tmp_path, capsys):
    assert main(["batch", str(tmp_path / "no"), "-o", str(tmp_path / "out")]) == 3
    assert "there is no" in capsys.readouterr().err


def test_a_folder_that_holds_something_else_is_not_written_to(tmp_path):
    (tmp_path / "precious").write_text("mine")
    assert main(["batch", str(tmp_path), "-o", str(tmp_path)]) == 2


def test_a_row_without_a_scan_is_a_named_refusal_and_nothing_measured_is_3(tmp_path, capsys):
    (tmp_path / "list.csv").write_text("path,age\nnowhere,60\n")
    out = tmp_path / "out"
    assert main(["batch", str(tmp_path / "list.csv"), "-o", str(out), "--json"]) == 3
    plan, study = map(json.loads, capsys.readouterr().out.splitlines())
    assert plan == {"event": "plan", "studies": 1, "refused": 0, "to_do": 1}
    assert study["kind"] == "NothingToReadError"
    assert "NothingToReadError" in (out / "refused.csv").read_text()
