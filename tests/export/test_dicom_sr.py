"""The content tree of the structured report, walked without the library that wrote it."""

import datetime as dt
import shutil
import subprocess

import pytest
from tests.export.analysis_builder import analysis_of, read_bytes, scan_in
from tests.export.test_dicom_seg import dciodvfy

from qct.export.dicom_codes import SCHEME, code_value, flag_code, quantity_codes
from qct.export.dicom_instance import as_file, stamp_of
from qct.export.dicom_seg import segmentation
from qct.export.dicom_source import read_source
from qct.export.dicom_sr import structured_report
from qct.export.shown import is_told, rounded
from qct.flags import Flag
from qct.options import PROFILES
from qct.regions import REGIONS

pytest.importorskip("highdicom")
NOW = dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    analysis = analysis_of(scan_in(tmp_path_factory.mktemp("in")))
    source = read_source(analysis.scan)
    stamp = stamp_of(analysis, NOW)
    seg = segmentation(analysis, source, stamp)
    report = read_bytes(as_file(structured_report(analysis, source, stamp, seg)))
    return analysis, source, stamp, seg, report


def name(item):
    return item.ConceptNameCodeSequence[0].CodeValue


def children(item, value=None):
    found = item.get("ContentSequence", [])
    return [one for one in found if value is None or name(one) == value]


def groups(report):
    (measurements,) = children(report, "126010")
    return children(measurements, "125007")


def group_of(report, key):
    (found,) = [g for g in groups(report) if children(g, "112039")[0].TextValue == f"qct {key}"]
    return found


def test_the_root_is_a_measurement_report_of_template_1500(made):
    *_, report = made
    assert name(report) == "126000"
    template = report.ContentTemplateSequence[0]
    assert (template.MappingResource, template.TemplateIdentifier) == ("DCMR", "1500")
    assert children(report, "121058")[0].ConceptCodeSequence[0].CodeValue == "24627-2"
    assert children(report, "121005")[0].ConceptCodeSequence[0].CodeValue == "121007"


def test_every_told_number_of_every_region_is_in_the_tree_and_no_other(made):
    analysis, *_, report = made
    codes = quantity_codes("default")
    for key in REGIONS:
        numbers = [one for one in analysis.measured if one.region == key]
        if not numbers:
            continue
        found = {}
        for item in children(group_of(report, key)):
            if item.ValueType != "NUM":
                continue
            derivation = [c.ConceptCodeSequence[0].CodeValue for c in children(item, "121401")]
            value = item.MeasuredValueSequence[0]
            unit = value.MeasurementUnitsCodeSequence[0].CodeValue
            found[(name(item), *derivation)] = (float(value.NumericValue), unit)
        wanted = {}
        for one in filter(is_told, numbers):
            code = codes[one.quantity]
            derivation = [] if code.derivation is None else [code.derivation.value]
            value = float(rounded(one.value, code.decimals))
            wanted[(code.name.value, *derivation)] = (value, code.unit.value)
        assert found == wanted, key


def test_segment_groups_share_tracking_and_segment_with_the_segmentation(made):
    *_, seg, report = made
    for item in seg.SegmentSequence:
        if item.TrackingID == "qct airless" or item.TrackingID == "qct airway":
            continue
        group = group_of(report, item.TrackingID.removeprefix("qct "))
        assert group.ContentTemplateSequence[0].TemplateIdentifier == "1411"
        assert item.TrackingUID == children(group, "112040")[0].UID
        (reference,) = children(group, "121191")
        image = reference.ReferencedSOPSequence[0]
        assert image.ReferencedSOPInstanceUID == seg.SOPInstanceUID
        assert image.ReferencedSegmentNumber == item.SegmentNumber
        assert children(group, "121232")


def test_whatever_the_content_refers_to_is_told_as_evidence(made):
    *_, report = made
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    told = {
        one.ReferencedSOPInstanceUID
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }
    referred = {
        one.ReferencedSOPInstanceUID
        for item in _all_items(report)
        for one in item.get("ReferencedSOPSequence", [])
    }
    assert referred
    assert referred <= told


def _all_items(item):
    for child in children(item):
        yield child
        yield from _all_items(child)


def test_sides_and_thirds_stand_at_the_finding_site(made):
    *_, report = made
    (site,) = children(group_of(report, "left_lower_third"), "363698007")
    assert site.ConceptCodeSequence[0].CodeValue == "39607008"
    assert children(site, "272741003")[0].ConceptCodeSequence[0].CodeMeaning == "Left"
    assert children(site, "106233006")[0].ConceptCodeSequence[0].CodeValue == "LOWER_THIRD"


def test_withheld_numbers_are_named_and_doubts_are_told(made):
    analysis, *_, report = made
    group = group_of(report, "right_middle_lobe")
    named = {c.ConceptCodeSequence[0].CodeValue for c in children(group, "WITHHELD")}
    withheld = [one for one in analysis.measured if one.region == "right_middle_lobe"]
    assert named == {code_value(one.quantity) for one in withheld}
    flags = {c.ConceptCodeSequence[0].CodeValue for c in children(group, "FLAG")}
    assert flag_code(Flag.FISSURE_NOT_SEEN).value in flags
    sentences = [c.TextValue for c in children(group_of(report, "quality"), "121106")]
    assert "Kernel B70f is edge-enhancing." in sentences


def test_the_algorithm_is_named_with_version_and_parameters(made):
    *_, report = made
    for group in groups(report):
        assert children(group, "111001")[0].TextValue == "qct"
        assert children(group, "111003")[0].TextValue == "0.1.0"
        parameters = [c.TextValue for c in children(group, "111002")]
        assert "profile=default" in parameters


def test_every_private_code_is_of_the_declared_scheme(made):
    *_, report = made
    declared = {i.CodingSchemeDesignator for i in report.CodingSchemeIdentificationSequence}
    used = set()

    def walk(ds):
        for element in ds:
            if element.VR == "SQ":
                for item in element.value:
                    walk(item)
            elif element.keyword == "CodingSchemeDesignator":
                used.add(element.value)

    walk(report)
    assert {one for one in used if one.startswith("99")} == declared == {SCHEME}


def test_unsigned_it_is_preliminary(made):
    *_, report = made
    assert (report.PreliminaryFlag, report.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    assert report.CompletionFlag == "PARTIAL"
    assert "PredecessorDocumentsSequence" not in report


def test_the_object_breaks_no_rule_of_the_standard(made, tmp_path):
    path = tmp_path / "sr.dcm"
    path.write_bytes(as_file(made[-1]))
    assert dciodvfy(path) == []


def test_what_is_usual_stands_at_its_number_and_every_other_reference_in_words(made):
    *_, report = made
    group = group_of(report, "whole_lung")
    (volume,) = children(group, "118565006")
    told = {name(one): one for one in volume.ContentSequence}
    number = {
        key: float(one.MeasuredValueSequence[0].NumericValue)
        for key, one in told.items()
        if one.ValueType == "NUM"
    }
    assert number == {
        "PREDICTED": 5800,
        "385524004": 4652,
        "371933006": 6948,
        "121416": -0.4,
        "121415": 34,
    }
    assert told["121407"].TextValue == "adults of a test"
    sentences = " ".join(one.TextValue for one in children(group, "121106"))
    assert "Volume. No reference value (others): age not known." in sentences
    assert "Least detectable change: 110.0 mL" in sentences
    assert "Volume. Since 2018-01-03: +131 mL, changed (test2020; to be confirmed)." in sentences


def test_dcmtk_reads_the_document(made, tmp_path):
    tool = shutil.which("dsrdump")
    if tool is None:
        pytest.skip("dsrdump (Debian dcmtk) is not installed")
    path = tmp_path / "sr.dcm"
    path.write_bytes(as_file(made[-1]))
    done = subprocess.run([tool, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Comprehensive 3D SR Document" in done.stdout


@pytest.mark.parametrize("profile", PROFILES)
def test_no_two_quantities_and_no_two_flags_share_a_code(profile):
    codes = [(c.name, c.derivation) for c in quantity_codes(profile).values()]
    assert len(set(codes)) == len(codes)
    values = [flag_code(flag).value for flag in Flag]
    assert len(set(values)) == len(values)
    assert max(len(v) for v in values + [c[0].value for c in codes]) <= 16
