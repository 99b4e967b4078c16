"""A signed report in SR, PDF, FHIR and HL7: whose words, which state, and which report came before."""

import datetime as dt
from dataclasses import replace

import pytest
from tests.export.analysis_builder import analysis_of, read_bytes, scan_in, signed
from tests.export.test_dicom_seg import dciodvfy
from tests.export.test_dicom_sr import children, name

from qct.errors import ReadError
from qct.export.dicom import dicom_objects
from qct.export.dicom_source import read_source
from qct.export.dicom_sr import earlier_reports
from qct.export.fhir import fhir_bundle, fhir_json
from qct.export.hl7 import oru_message
from qct.export.person import parted

pytest.importorskip("highdicom")
NOW = dt.datetime(2026, 3, 9, 5, 6, 7, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """The same analysis unsigned, signed, and with one and two addenda."""
    plain = analysis_of(scan_in(tmp_path_factory.mktemp("in")))
    return (
        plain,
        signed(plain),
        signed(plain, "Nodule seen."),
        signed(plain, "Nodule seen.", "It is gone."),
    )


@pytest.fixture(scope="module")
def objects(states):
    return [made(one) for one in states]


def made(analysis, **how):
    files = {"report.pdf": b"%PDF-1.4 small"}
    content = dicom_objects(
        analysis,
        files,
        objects=("sr", "pdf"),
        source=read_source(analysis.scan),
        created=NOW,
        **how,
    )
    return {kind: read_bytes(content[f"{kind}.dcm"]) for kind in ("sr", "pdf")}


def predecessors(sr):
    return [
        item.ReferencedSOPInstanceUID
        for study in sr.get("PredecessorDocumentsSequence", [])
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    ]


def test_every_version_names_the_one_before_it_and_they_share_a_series(objects):
    reports = [one["sr"] for one in objects]
    uids = [sr.SOPInstanceUID for sr in reports]
    assert len(set(uids)) == 4
    assert [predecessors(sr) for sr in reports] == [[], [uids[0]], [uids[1]], [uids[2]]]
    assert len({sr.SeriesInstanceUID for sr in reports}) == 1
    assert [sr.InstanceNumber for sr in reports] == [1, 2, 3, 4]


def test_a_signed_document_is_verified_by_those_who_signed(objects):
    _, first, _, last = [one["sr"] for one in objects]
    assert (first.PreliminaryFlag, first.VerificationFlag) == ("FINAL", "VERIFIED")
    assert first.CompletionFlag == "COMPLETE"
    (observer,) = first.VerifyingObserverSequence
    assert observer.VerifyingObserverName == "Muster^Ada B"
    assert observer.VerifyingOrganization == "Clinic"
    assert observer.VerificationDateTime == "20260305093000+0100"
    names = [str(one.VerifyingObserverName) for one in last.VerifyingObserverSequence]
    assert names == ["Muster^Ada B", "Other^Bo", "Other^Bo"]


def test_the_words_of_the_physician_stand_in_sections(objects):
    sr = objects[3]["sr"]
    words = {name(part): [t.TextValue for t in children(part)] for part in children(sr)[-3:]}
    assert words["59776-5"] == ["Emphysema | upper lobes.\r\nNo nodule."]
    assert words["19005-8"] == ["Moderate emphysema."]
    first, second = words["55107-7"]
    assert first.startswith("Nodule seen.\r\nOther, Bo, DO")
    assert second.startswith("It is gone.")
    kinds = [one.ConceptCodeSequence[0].CodeValue for one in children(sr, "121005")]
    assert sorted(kinds) == ["121006", "121007"]


def test_no_word_of_a_physician_is_in_an_unsigned_report(objects):
    assert not children(objects[0]["sr"], "59776-5")
    assert objects[0]["pdf"].VerificationFlag == "UNVERIFIED"


def test_the_pdf_says_its_state(objects):
    titles = [one["pdf"].DocumentTitle for one in objects]
    assert titles[0].endswith("preliminary report")
    assert titles[1].endswith("final report")
    assert titles[2].endswith("final report with addendum")
    assert objects[1]["pdf"].VerificationFlag == "VERIFIED"


@pytest.mark.parametrize("state", [1, 3])
@pytest.mark.parametrize("kind", ["sr", "pdf"])
def test_signed_objects_break_no_rule_of_the_standard(objects, tmp_path, state, kind):
    objects[state][kind].save_as(tmp_path / "one.dcm")
    assert dciodvfy(tmp_path / "one.dcm") == []


def test_an_amended_report_names_the_one_it_replaces(states, objects, tmp_path):
    objects[1]["sr"].save_as(tmp_path / "sr.dcm")
    objects[1]["pdf"].save_as(tmp_path / "pdf.dcm")
    changed = replace(states[1], measured=states[1].measured[1:])
    study = changed.scan.study.study_uid
    earlier = earlier_reports(tmp_path, study)
    sr = made(changed, replaced=earlier)["sr"]
    assert objects[1]["sr"].SOPInstanceUID in predecessors(sr)
    assert fhir_bundle(changed, amends=True)["entry"][0]["resource"]["status"] == "amended"
    with pytest.raises(ReadError, match="of this study"):
        earlier_reports(tmp_path, "1.2.3")


def test_fhir_says_the_state_the_signer_and_the_words(states):
    bundles = pytest.importorskip("fhir.resources.R4B.bundle")
    found = []
    for one in states:
        bundles.Bundle.model_validate_json(fhir_json(one, created=NOW))
        found.append(fhir_bundle(one, created=NOW)["entry"])
    reports = [one[0]["resource"] for one in found]
    assert [one["status"] for one in reports] == ["preliminary", "final", "appended", "appended"]
    assert reports[1]["conclusion"].startswith("Moderate emphysema.\n\nEmphysema | upper lobes.")
    assert reports[1]["issued"] == "2026-03-05T09:30:00+01:00"
    assert "It is gone." in reports[3]["conclusion"]
    people = [e["resource"] for e in found[3] if e["resource"]["resourceType"] == "Practitioner"]
    assert [one["name"][0]["family"] for one in people] == ["Muster", "Other", "Other"]
    assert people[0]["qualification"][0]["code"]["text"] == "MD"
    states_of_numbers = {
        e["resource"]["status"] for e in found[1] if e["resource"]["resourceType"] == "Observation"
    }
    assert states_of_numbers == {"final"}


def test_fhir_and_dicom_name_the_same_document(states, objects):
    for one, documents in zip(states, objects, strict=True):
        report = fhir_bundle(one, created=NOW)["entry"][0]["resource"]
        assert report["identifier"][0]["value"] == f"urn:oid:{documents['sr'].SOPInstanceUID}"


@pytest.mark.parametrize(
    ("state", "amends", "status"), [(1, False, "F"), (3, False, "C"), (1, True, "C")]
)
def test_hl7_says_the_state_and_the_words(states, state, amends, status):
    text = oru_message(states[state], created=NOW, amends=amends).decode()
    rows = [line.split("|") for line in text.split("\r") if line]
    order = rows[3]
    assert (order[25], order[32]) == (
        status,
        "&Muster&Ada B",
    )
    words = {row[3].split("^")[0]: row for row in rows if row[:3][2:] == ["TX"]}
    assert words["59776-5"][5] == r"Emphysema \F\ upper lobes.\.br\No nodule."
    assert words["59776-5"][11] == status
    assert ("55107-7" in words) == (state == 3)


@pytest.mark.parametrize(
    ("told", "dicom"),
    [
        ("Muster, Ada B", "Muster^Ada B"),
        ("Muster^Ada", "Muster^Ada"),
        ("Muster^Ada^B^Dr", "Muster^Ada B"),
        ("Yamada, Tarou (山田, 太郎)", "Yamada^Tarou"),
        ("Madonna", "Madonna"),
        ("O'Neil-Sons, Ann", "O'Neil-Sons^Ann"),
    ],
)
def test_names_are_written_as_dicom_wants_them(told, dicom):
    assert parted(told).dicom == dicom
