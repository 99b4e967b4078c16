"""qct inspect lists every series with its fate, for people and for machines."""

import json

from tests.read import series

from qct.cli import main


def test_the_chosen_series_is_listed_with_its_grid(tmp_path, capsys):
    series.write(tmp_path)
    assert main(["inspect", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "CHOSEN" in out
    assert "8 x 48 x 64, 2.5 x 1.5 x 1.25 mm" in out


def test_a_refused_series_is_listed_with_the_reason_and_the_exit_code(tmp_path, capsys):
    (series.write(tmp_path) / "003").unlink()
    assert main(["inspect", str(tmp_path)]) == 3
    out = capsys.readouterr().out
    assert "REJECTED" in out
    assert "gap of 5.00 mm" in out


def test_json_holds_the_candidates(tmp_path, capsys):
    series.write(tmp_path)
    (tmp_path / "readme.txt").write_text("no DICOM")
    assert main(["inspect", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (study,) = found["studies"]
    assert study["date"] == "2024-03-10"
    assert study["candidates"][0]["verdict"] == "chosen"
    assert (found["n_files"], found["n_not_dicom"], found["refusal"]) == (9, 1, None)


def test_nothing_to_read_is_said_in_words(tmp_path, capsys):
    assert main(["inspect", str(tmp_path / "nowhere")]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert "there is no" in told.err


def test_on_a_terminal_there_is_a_table(tmp_path, capsys, monkeypatch):
    series.write(tmp_path)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["inspect", str(tmp_path)]) == 0
    assert "Grid" in capsys.readouterr().out
