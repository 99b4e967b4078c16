"""analysis.json and measurements.csv."""

import csv
import io
import json
from importlib.resources import files

import jsonschema
import pytest
from tests.report.sample import PATIENT, make_analysis, measured

from qct.acquisition import Acquisition, Patient, Study
from qct.export.tables import CSV_COLUMNS, analysis_json, analysis_record, measurements_csv
from qct.flags import Flag, Status
from qct.interpret import references, uncertainties
from qct.options import Options

SCHEMA = json.loads(files("qct.export").joinpath("analysis.schema.json").read_text("utf-8"))
USUAL = references(PATIENT, measured())
WITHHELD = {"status": Status.WITHHELD, "flags": frozenset({Flag.SHARP_KERNEL, Flag.THICK_SLICES})}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"patient": Patient(), "study": Study(), "acquisition": Acquisition(), "candidates": ()},
        {"fissures": (), "measured": measured(**WITHHELD)},
        {"measured": ()},
        {"references": USUAL, "uncertainties": uncertainties(measured())},
    ],
)
def test_the_record_keeps_to_its_schema(changed):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(analysis_json(make_analysis(**changed))), SCHEMA)


def test_a_withheld_number_is_null_and_its_flags_stay():
    analysis = make_analysis(measured=measured(**WITHHELD))
    one = analysis_record(analysis)["regions"]["left_lung"]["laa950_percent"]
    assert one == {
        "value": None,
        "unit": "%",
        "status": "withheld",
        "flags": ["thick_slices", "sharp_kernel"],
    }
    assert "12.34" not in measurements_csv(analysis)


def test_only_started_and_timings_know_the_time():
    one = analysis_record(make_analysis(), started="2024-01-01T00:00:00Z")
    other = analysis_record(make_analysis(timings_s={"read": 9.0}), started="2025-01-01T00:00:00Z")
    for key in ("started", "timings_s"):
        assert one.pop(key) != other.pop(key)
    assert one == other


def test_a_value_survives_the_table_to_the_last_digit():
    rows = list(csv.DictReader(io.StringIO(measurements_csv(make_analysis()))))
    assert tuple(rows[0]) == CSV_COLUMNS
    first = next(row for row in rows if row["quantity"] == "mean_hu")
    assert float(first["value"]) == -845.2
    assert first["unit"] == "HU"


def test_every_flag_that_is_met_is_explained():
    record = analysis_record(make_analysis(measured=measured(**WITHHELD)))
    assert {"sharp_kernel", "thick_slices", "fissure_not_seen"} == set(record["flags"])


def test_a_label_prints_the_operator_of_the_profile():
    assert "LAA-950 (< -950 HU)" in measurements_csv(make_analysis())
    assert "LAA-950 (<= -950 HU)" in measurements_csv(make_analysis(options=Options(profile="le")))


def test_a_number_has_its_uncertainty_and_what_is_usual_beside_it():
    analysis = make_analysis(references=USUAL, uncertainties=uncertainties(measured()))
    rows = csv.DictReader(io.StringIO(measurements_csv(analysis)))
    whole = {row["quantity"]: row for row in rows if row["region"] == "whole_lung"}
    volume = whole["volume_ml"]
    assert (volume["reference"], volume["profile"]) == ("tlc_ecsc1993", "default")
    assert float(volume["predicted"]) == pytest.approx(5034)  # 66.0 x 164 - 5790
    assert float(volume["z_score"]) == pytest.approx((2456.7 - 5034) / 600)
    assert float(whole["perc15_hu"]["least_change"]) == 18
    assert whole["kurtosis"]["least_change"] == whole["kurtosis"]["reference"] == ""
