"""The bundle is valid FHIR R4, and its numbers are those of the analysis."""

import base64
import datetime as dt
import json

import pytest
from tests.export.analysis_builder import analysis_of, scan_in

from qct.export.fhir import fhir_bundle, fhir_json
from qct.export.shown import is_told

NOW = dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)


@pytest.fixture
def analysis(tmp_path):
    return analysis_of(scan_in(tmp_path))


def resources(bundle, kind):
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


def test_the_bundle_is_valid(analysis):
    bundles = pytest.importorskip("fhir.resources.R4B.bundle")
    text = fhir_json(analysis, created=NOW, pdf=b"%PDF-1.7")
    assert bundles.Bundle.model_validate_json(text).type == "collection"


def test_every_number_is_an_observation_and_no_withheld_value_is_told(analysis):
    found = resources(fhir_bundle(analysis, created=NOW), "Observation")
    assert len(found) == len(analysis.measured)
    for one, observation in zip(analysis.measured, found, strict=True):
        assert ("valueQuantity" in observation) == is_told(one)
        assert ("dataAbsentReason" in observation) != is_told(one)
        if is_told(one):
            value = observation["valueQuantity"]
            assert value["value"] == pytest.approx(one.value, abs=0.5)
            assert value["system"] == "http://unitsofmeasure.org"


def test_every_reference_leads_to_an_entry(analysis):
    bundle = fhir_bundle(analysis, created=NOW)
    urls = {entry["fullUrl"] for entry in bundle["entry"]}
    assert len(urls) == len(bundle["entry"])
    text = json.dumps(bundle)
    refs = {part.split('"')[0] for part in text.split('"reference": "')[1:]}
    assert refs <= urls


def test_the_report_is_attached_and_preliminary(analysis):
    (report,) = resources(fhir_bundle(analysis, created=NOW, pdf=b"%PDF-x"), "DiagnosticReport")
    assert report["status"] == "preliminary"
    assert base64.b64decode(report["presentedForm"][0]["data"]) == b"%PDF-x"
