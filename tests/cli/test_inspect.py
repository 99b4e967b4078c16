"""qct inspect lists every series with its fate, for people and for machines."""

import json

import pytest
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


@pytest.mark.real_data
def test_one_scan_in_two_kernels_is_judged_and_the_choice_explained(real_data, capsys):
    assert main(["inspect", str(real_data / "ct/lung_dx_a0001"), "--json"]) == 0
    neutral, sharp = json.loads(capsys.readouterr().out)["studies"][0]["candidates"]
    assert (neutral["verdict"], neutral["recon_kernel"]) == ("chosen", "B")
    assert neutral["gate"]["quantities"]["laa950_percent"] == "caveat"
    assert {one["flag"] for one in neutral["gate"]["reasons"]} == {"thick_slices"}
    assert sharp["reason"] == "Its kernel (L, sharp) is less fit for density than B."
    assert sharp["gate"]["quantities"]["laa950_percent"] == "withheld"
    assert sharp["gate"]["quantities"]["volume_ml"] == "reported"
    assert {one["flag"] for one in sharp["gate"]["reasons"]} == {"sharp_kernel", "thick_slices"}


def test_the_verdict_is_foreseen_with_the_rules_of_the_site(tmp_path, capsys):
    (tmp_path / "site.toml").write_text('site = "Here"\noff = ["THICK_SLICES"]\n')
    folder = series.write(tmp_path / "scan")
    assert main(["inspect", str(folder)]) == 0
    assert "with a caveat: Perc15, LAA-950" in (shown := capsys.readouterr().out)
    assert "Slices are 2.50 mm thick" in shown
    assert main(["inspect", str(folder), "--gate", str(tmp_path / "site.toml")]) == 0
    shown = capsys.readouterr().out
    assert "Slices are 2.50 mm thick" not in shown
    assert "Judged by the rules of the site (Here): no rules for thick_slices." in shown


def test_a_setting_against_the_header_is_refused(tmp_path, capsys):
    assert main(["inspect", str(series.write(tmp_path)), "--kvp", "80"]) == 2
    assert "the header says kvp = 120" in capsys.readouterr().err
