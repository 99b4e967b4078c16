"""The message can be taken apart again, and says what the analysis says."""

import base64
import datetime as dt
from dataclasses import replace

import pytest
from tests.export.analysis_builder import analysis_of, scan_in, signed

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
    assert set(names[4:]) == {"OBX", "NTE"}


def test_each_number_is_one_row_and_no_withheld_value_is_told(analysis):
    rows = [one for one in segments(oru_message(analysis, created=NOW)) if one[:3][2:] == ["NM"]]
    assert len(rows) == len(analysis.measured)
    for one, row in zip(analysis.measured, rows, strict=True):
        assert row[4] == one.region
        assert bool(row[5]) == is_told(one)
        assert row[11] == ("P" if is_told(one) else "X")


def test_status_stands_in_the_order_and_in_the_results(analysis):
    found = segments(oru_message(signed(analysis), created=NOW))
    assert found[3][25] == "F"
    assert {row[11] for row in found[4:] if row[0] == "OBX"} == {"F", "X"}


def test_a_parser_that_knows_the_standard_finds_no_fault(analysis):
    parser = pytest.importorskip("hl7apy.parser")
    for one in (analysis, signed(analysis, "More.")):
        text = oru_message(one, created=NOW, pdf=b"%PDF-1.7").decode()
        message = parser.parse_message(text, find_groups=True)
        assert message.version == "2.5.1"
        assert message.validate()
        observations = message.oru_r01_patient_result.oru_r01_order_observation.oru_r01_observation
        assert len(observations) > len(one.measured)


def test_a_reference_stands_in_its_field_and_in_a_note(analysis):
    rows = segments(oru_message(analysis, created=NOW))
    at = next(n for n, row in enumerate(rows) if row[4:5] == ["whole_lung"])
    assert rows[at][7] == "4652-6948"
    notes = []
    for row in rows[at + 1 :]:
        if row[0] != "NTE":
            break
        notes.append(row[3])
    assert notes[0].startswith("Reference: predicted 5800 mL")
    assert notes[1] == "No reference value (others): age not known."
    assert notes[2].startswith("Least detectable change: 110.0 mL")
    assert notes[3] == "Since 2018-01-03: +131 mL, changed (test2020; to be confirmed)."


def test_the_report_comes_back_whole(analysis):
    last = segments(oru_message(analysis, created=NOW, pdf=b"%PDF-\x00\xff"))[-1]
    assert last[2] == "ED"
    assert base64.b64decode(last[5].split("^")[4]) == b"%PDF-\x00\xff"


def test_separators_in_a_name_do_not_break_the_message(analysis):
    patient = replace(analysis.scan.patient, name="O|Neil&Sons, Ann~B", patient_id="A^1\r2")
    scan = replace(analysis.scan, patient=patient)
    pid = segments(oru_message(replace(analysis, scan=scan), created=NOW))[1]
    assert pid[5] == "O\\F\\Neil\\T\\Sons^Ann\\R\\B"
    assert pid[3] == "A\\S\\1\\.br\\2"
