import csv
import json
from dataclasses import replace

import jsonschema
import pytest
from tests.export.test_tables import SCHEMA
from tests.report.sample import STUDY, make_analysis, measured

from qct.cli import main
from qct.export.restore import result_of, saved_result
from qct.export.tables import analysis_json
from qct.findings import Measured
from qct.interpret import compare
from qct.options import Options


def folder_of(path, date, *, laa=12.34, **changed):
    numbers = tuple(
        replace(one, value=laa)
        if (one.region, one.quantity) == ("whole_lung", "laa950_percent")
        else one
        for one in measured()
        if isinstance(one, Measured)
    )
    analysis = make_analysis(study=replace(STUDY, date=date), measured=numbers, **changed)
    path.mkdir()
    (path / "analysis.json").write_text(analysis_json(analysis))
    return analysis


@pytest.fixture
def pair(tmp_path):
    folder_of(tmp_path / "early", "2022-03-05")
    folder_of(tmp_path / "late", "2024-03-05", laa=18.0)
    return tmp_path


def test_two_results_become_a_table_a_page_and_a_verdict(pair, capsys):
    out = pair / "out"
    assert main(["compare", str(pair / "early"), str(pair / "late"), "-o", str(out)]) == 0
    assert "12.3 % → 18.0 %, changed" in capsys.readouterr().out
    assert {f.name for f in out.iterdir()} == {
        "comparison.html",
        "comparison.csv",
        "comparison.json",
    }
    rows = list(csv.DictReader((out / "comparison.csv").read_text().splitlines()))
    row = next(r for r in rows if (r["region"], r["quantity"]) == ("whole_lung", "laa950_percent"))
    assert (row["verdict"], float(row["2022-03-05"]), float(row["2024-03-05"])) == (
        "changed",
        12.34,
        18.0,
    )
    assert float(row["slope_per_year"]) == pytest.approx(2.83, abs=0.01)
    page = (out / "comparison.html").read_text()
    assert "<svg" in page
    assert "http" not in page.replace("http-equiv", "")
    told = json.loads((out / "comparison.json").read_text())["changes"]
    assert len(told) == len(rows)


def test_another_version_is_not_compared_in_silence(pair, capsys):
    path = pair / "early" / "analysis.json"
    path.write_text(
        path.read_text().replace('"qct": "0.1.0",\n  "patient"', '"qct": "0.0.9",\n  "patient"')
    )
    args = ["compare", str(pair / "early"), str(pair / "late"), "-o", str(pair / "out")]
    assert main(args) == 0
    assert "not comparable: measured by qct 0.0.9 and 0.1.0" in capsys.readouterr().out


def test_what_is_no_result_and_no_scan_is_refused_and_nothing_written(pair, capsys):
    (pair / "empty").mkdir()
    args = ["compare", str(pair / "early"), str(pair / "empty"), "-o", str(pair / "out")]
    assert main(args) == 3
    assert "hint:" in capsys.readouterr().err
    assert not (pair / "out").exists()


def test_a_saved_result_compares_as_the_analysis_it_came_from(pair):
    late = make_analysis(study=replace(STUDY, date="2024-03-05"))
    changes = compare([saved_result(pair / "early"), result_of(late)])
    record = json.loads(analysis_json(replace(late, changes=changes)))
    jsonschema.validate(record, SCHEMA)
    whole = {c["quantity"]: c for c in record["changes"] if c["region"] == "whole_lung"}
    assert whole["volume_ml"]["verdict"] == "within repeatability"
    assert whole["volume_ml"]["difference"] == 0


def test_a_comparison_is_told_in_the_words_of_the_profile_of_its_results(tmp_path):
    for date in ("2022-03-05", "2024-03-05"):
        folder_of(tmp_path / date, date, options=Options(profile="le"))
    args = ["compare", *(str(tmp_path / d) for d in ("2022-03-05", "2024-03-05"))]
    assert main([*args, "-o", str(tmp_path / "out")]) == 0
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["profile"] == "le"
    assert "LAA-950 (<= -950 HU)" in (tmp_path / "out" / "comparison.csv").read_text()
