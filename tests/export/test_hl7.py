"""The message can be taken apart again, and says what the analysis says."""

import base64
import datetime as dt
from dataclasses import replace

import pytest
from tests.export.analysis_builder import analysis_of, scan_in

from qct.export.hl7 import oru_message
from qct.export.shown import is_told

NOW = dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)


@pytest.fixture
def analysis(tmp_path):
    return analysis_of(scan_in(tmp_path))


def segments(message):
    return [line.split("|") for line in message.decode().split("\r") if line]


def test_segments_come_in_the_order_of_the_standard(analysis):
    names = [one[0] for one in segments(oru_message(analysis, created=NOW))]
    assert names[:4] == ["MSH", "PID", "ORC", "OBR"]
    assert set(names[4:]) == {"OBX"}


def test_each_number_is_one_row_and_no_withheld_value_is_told(analysis):
    rows = [one for one in segments(oru_message(analysis, created=NOW)) if one[:3][2:] == ["NM"]]
    assert len(rows) == len(analysis.measured)
    for one, row in zip(analysis.measured, rows, strict=True):
        assert row[4] == one.region
        assert bool(row[5]) == is_told(one)
        assert row[11] == ("P" if is_told(one) else "X")


def test_status_stands_in_the_order_and_in_the_results(analysis):
    found = segments(oru_message(analysis, created=NOW, status="F"))
    assert found[3][25] == "F"
    assert {row[11] for row in found[4:]} == {"F", "X"}


def test_the_report_comes_back_whole(analysis):
    last = segments(oru_message(analysis, created=NOW, pdf=b"%PDF-\x00\xff"))[-1]
    assert last[2] == "ED"
    assert base64.b64decode(last[5].split("^")[4]) == b"%PDF-\x00\xff"


def test_separators_in_a_name_do_not_break_the_message(analysis):
    patient = replace(analysis.scan.patient, name="O|Neil&Sons^Ann~B", patient_id="A^1\r2")
    scan = replace(analysis.scan, patient=patient)
    pid = segments(oru_message(replace(analysis, scan=scan), created=NOW))[1]
    assert pid[5] == "O\\F\\Neil\\T\\Sons^Ann\\R\\B"
    assert pid[3] == "A\\S\\1\\.br\\2"


def test_an_unknown_status_is_refused(analysis):
    with pytest.raises(ValueError, match="status"):
        oru_message(analysis, status="Z")
