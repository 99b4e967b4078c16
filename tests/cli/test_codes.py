"""qct codes and qct coding: what they print, write and refuse."""

import json

import pytest

from qct.cli import main

ANALYSIS = {
    "patient": {"name": "A<b>B", "patient_id": "7"},
    "study": {"date": "2026-05-02", "new_key": 1},
    "regions": {"right_upper_lobe": {"mean_hu": {"value": -850.0, "status": "reported"}}},
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "analysis.json").write_text(json.dumps(ANALYSIS))
    (tmp_path / "order.toml").write_text("order_date = 2026-05-09\ndiagnoses = ['J43.2']\n")
    return tmp_path


def test_codes_lists_every_row(capsys):
    assert main(["codes"]) == 0
    out = capsys.readouterr().out
    assert all(code in out for code in ("0721T", "TG", "Z13.0", "261QM0800X"))


def test_codes_explains_one_row_with_status_and_source(capsys):
    assert main(["codes", "0721t"]) == 0
    out = capsys.readouterr().out
    assert "[recalled, to be confirmed]" in out
    assert "source:" in out


def test_codes_as_json_holds_the_status_of_each_fact(capsys):
    assert main(["codes", "TG", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["verdict"] == "wrong"
    assert "not found" in [fact["status"] for fact in row["facts"]]


def test_an_unknown_code_is_said_to_be_unknown(capsys):
    assert main(["codes", "J43.3"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "unknown" in told.err


def test_a_licensee_brings_the_official_texts(folder, capsys):
    file = folder / "texts.csv"
    file.write_text('code,text\n0721T,"Licensed, text"\n')
    assert main(["codes", "0721T", "--descriptors", str(file)]) == 0
    assert "licensee's text: Licensed, text" in capsys.readouterr().out


def test_the_worksheet_refuses_the_order_of_another_patient(folder, capsys):
    order = folder / "order.toml"
    order.write_text("patient_id = '8'\n")
    page = folder / "sheet.html"
    assert main(["coding", str(folder), "--order", str(order), "-o", str(page)]) == 3
    assert "another patient than the analysis" in capsys.readouterr().err
    assert not page.exists()


def test_the_worksheet_is_printed(folder, capsys):
    assert main(["coding", str(folder), "--order", str(folder / "order.toml")]) == 0
    out = capsys.readouterr().out
    assert "SERVICE  0721T (derived from dates)" in out
    assert "Draft. Nothing here is final" in out


def test_the_worksheet_as_json_carries_the_whole_card(folder, capsys):
    assert main(["coding", str(folder), "--json"]) == 0
    sheet = json.loads(capsys.readouterr().out)
    assert sheet["may_be_finalised"] is False
    assert "TG" in [row["code"] for row in sheet["catalogue"]]


def test_the_page_is_self_contained_and_escapes_what_it_shows(folder, capsys):
    page = folder / "sheet.html"
    assert main(["coding", str(folder), "-o", str(page)]) == 0
    html = page.read_text()
    assert capsys.readouterr().out == ""
    assert "A&lt;b&gt;B" in html
    assert "http" not in html
    assert "<script" not in html
    assert sorted(one.name for one in folder.iterdir()) == [
        "analysis.json",
        "order.toml",
        "sheet.html",
    ]


def test_payer_rows_are_the_sites_own(folder, capsys):
    file = folder / "payers.csv"
    file.write_text("payer,code,requirement,source,checked\nP,0721t,letter,site,2026-01-01\n")
    assert main(["coding", str(folder), "--payers", str(file)]) == 0
    assert "P 0721T: letter" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "text", "option", "hint"),
    [
        ("p.csv", "payer,code,amount\n", "--payers", "payer,code,requirement"),
        ("p.csv", "payer,code,requirement,source,checked\na,b\n", "--payers", "quotes"),
        ("d.csv", "code,txt\n", "--descriptors", "Did you mean text?"),
        ("o.toml", "qestion = 'x'\n", "--order", "Did you mean question?"),
    ],
)
def test_a_wrong_file_is_refused_with_a_hint(folder, capsys, name, text, option, hint):
    (folder / name).write_text(text)
    assert main(["coding", str(folder), option, str(folder / name)]) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "", "[1]", "{", "\x00"])
def test_a_folder_without_a_result_is_refused(tmp_path, capsys, content):
    if content is not None:
        (tmp_path / "analysis.json").write_text(content)
    assert main(["coding", str(tmp_path)]) == 3
    assert "analysis.json" in capsys.readouterr().err


def test_a_missing_order_is_refused_and_nothing_is_written(folder, capsys):
    page = folder / "sheet.html"
    args = ["coding", str(folder), "--order", str(folder / "none.toml"), "-o", str(page)]
    assert main(args) == 3
    assert not page.exists()


def test_a_file_that_cannot_be_written_is_exit_code_5(folder, capsys):
    assert main(["coding", str(folder), "-o", str(folder / "no" / "sheet.html")]) == 5
    assert "cannot be written" in capsys.readouterr().err
