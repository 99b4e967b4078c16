"""Nothing of the patient is left in any byte of any output."""

import base64
import gzip
import re
import zlib
from io import BytesIO

import pydicom
import pytest
from tests.export.analysis_builder import analysis_of, read_bytes
from tests.read import series

from qct.errors import OptionError
from qct.export import analysis_json, measurements_csv, nifti_bytes
from qct.export.deidentify import Pseudonyms, deidentified
from qct.export.dicom import OBJECTS, dicom_objects
from qct.export.dicom_source import read_source
from qct.export.fhir import fhir_json
from qct.export.hl7 import oru_message
from qct.read import read_scan

pytest.importorskip("highdicom")
SECRET = b"sixteen bytes or more"
PLANTED = {
    "PatientName": "Plantedname^Zacharias",
    "PatientID": "PLANTID-778899",
    "OtherPatientIDs": "OTHERID-5511",
    "PatientBirthDate": "19310723",
    "PatientAddress": "Plantedstreet 17",
    "AccessionNumber": "ACC-4455667",
    "StudyID": "STUDYID-31",
    "StudyDescription": "Plantedstudy of Zacharias",
    "SeriesDescription": "Plantedseries",
    "ProtocolName": "Plantedprotocol",
    "ReferringPhysicianName": "Plantedreferrer^Otto",
    "InstitutionName": "Plantedhospital",
    "StationName": "PLANTSTATION",
    "OperatorsName": "Plantedoperator",
    "StudyDate": "20210917",
    "SeriesDate": "20210917",
    "AcquisitionDate": "20210917",
    "StudyTime": "114233",
    "PatientComments": "Plantedcomment",
    "DeviceSerialNumber": "PLANTSERIAL",
}
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


def plant(ds, k):
    for keyword, value in PLANTED.items():
        setattr(ds, keyword, value)
    ds.PatientAge = "093Y"


def needles(folder):
    found = {"Plantedpath"}
    for keyword, value in PLANTED.items():
        found.add(value)
        found.update(part for part in re.split(r"[\^ ]", value) if len(part) > 4)
        if keyword.endswith("Date"):
            found.add(f"{value[:4]}-{value[4:6]}-{value[6:]}")
    for path in folder.iterdir():
        ds = pydicom.dcmread(path)
        found.update(str(ds[keyword].value) for keyword in UIDS)
    return {one.encode() for one in found}


def unpacked(content):
    """Everything that can be read out of a file: itself, deflated data sets, streams, base64."""
    yield content
    if content[128:132] == b"DICM":
        ds = read_bytes(content)
        buffer = BytesIO()
        ds.file_meta.TransferSyntaxUID = (
            pydicom.uid.ExplicitVRLittleEndian
            if not ds.file_meta.TransferSyntaxUID.is_encapsulated
            else ds.file_meta.TransferSyntaxUID
        )
        ds.save_as(buffer)
        yield buffer.getvalue()
        if "EncapsulatedDocument" in ds:
            yield from unpacked(ds.EncapsulatedDocument)
    if content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content)
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.S):
        try:
            yield zlib.decompress(stream)
        except zlib.error:
            continue
    for text in re.findall(rb"[A-Za-z0-9+/]{200,}={0,2}", content):
        yield base64.b64decode(text + b"=" * (-len(text) % 4))


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    folder = series.write(tmp_path_factory.mktemp("Plantedpath") / "in", plant)
    analysis = analysis_of(read_scan(folder))
    bare, source = deidentified(analysis, read_source(analysis.scan), Pseudonyms(SECRET))
    from qct.report import build, write_html, write_pdf

    document = build(bare)
    pdf = write_pdf(document)
    files = dicom_objects(bare, {"report.pdf": pdf}, objects=OBJECTS, source=source)
    files |= {
        "report.pdf": pdf,
        "report.html": write_html(document),
        "analysis.json": analysis_json(bare).encode(),
        "measurements.csv": measurements_csv(bare).encode(),
        "labels.nii.gz": nifti_bytes(bare.scan.volume, bare.segmentation.labels),
        "fhir.json": fhir_json(bare, pdf=pdf),
        "oru.hl7": oru_message(bare, pdf=pdf),
    }
    return folder, analysis, bare, files


def test_no_planted_word_is_in_any_byte(outputs):
    folder, _, _, files = outputs
    words = needles(folder)
    assert len(files) == 12
    for name, content in files.items():
        for part in unpacked(content):
            hits = [word for word in words if word.lower() in part.lower()]
            assert not hits, (name, hits)


def test_the_search_finds_what_is_there(outputs):
    folder, analysis, _, _ = outputs
    files = dicom_objects(analysis, {"report.pdf": b"x"}, objects=("seg", "sr", "pdf"))
    for name, content in files.items():
        assert any(word in part for part in unpacked(content) for word in needles(folder)), name


def test_sex_stays_and_a_great_age_is_capped(outputs):
    *_, bare, files = outputs
    ds = read_bytes(files["sr.dcm"])
    assert ds.PatientSex == "F"
    assert ds.PatientAge == "090Y"
    assert bare.scan.patient.age_years == 90
    assert ds.PatientIdentityRemoved == "YES"
    codes = {item.CodeValue for item in ds.DeidentificationMethodCodeSequence}
    assert codes == {"113100", "113107", "113108"}


def test_all_objects_share_the_stand_ins(outputs):
    *_, files = outputs
    objects = [read_bytes(content) for name, content in files.items() if name.endswith(".dcm")]
    assert len({ds.StudyInstanceUID for ds in objects}) == 1
    assert len({ds.PatientID for ds in objects}) == 1
    assert len({ds.StudyDate for ds in objects}) == 1


def test_the_same_secret_gives_the_same_stand_ins_and_another_one_others():
    one, same, other = Pseudonyms(SECRET), Pseudonyms(SECRET), Pseudonyms(SECRET[::-1])
    assert one.uid("1.2.3") == same.uid("1.2.3") != other.uid("1.2.3")
    assert one.patient("P") == same.patient("P") != other.patient("P")


def test_days_between_two_examinations_stay():
    from datetime import date

    hide = Pseudonyms(SECRET)
    a, b = (date.fromisoformat(hide.moved(day, "P")) for day in ("2021-03-01", "2023-03-01"))
    assert (b - a).days == 730
    assert hide.moved("2021-03-01", "P") != "2021-03-01"


def test_a_short_secret_is_refused():
    with pytest.raises(OptionError):
        Pseudonyms(b"short")
