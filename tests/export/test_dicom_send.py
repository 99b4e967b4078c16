"""Objects arrive at a real PACS, by both ways; none is lost when it is down."""

import email
import json

import pydicom
import pytest
from tests.export import orthanc
from tests.export.analysis_builder import analysis_of, read_bytes, scan_in

from qct.errors import OptionError, WriteError
from qct.export.dicom import OBJECTS, dicom_objects
from qct.export.send import Credentials, Destination, hand_over, send_waiting, waiting

pytest.importorskip("highdicom")
pytest.importorskip("pynetdicom")
pytest.importorskip("requests")
LOGIN = Credentials(user="qct", password=orthanc.PASSWORD)


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    analysis = analysis_of(scan_in(tmp_path_factory.mktemp("in")))
    return dicom_objects(analysis, {"report.pdf": b"%PDF-1.4 small"}, objects=OBJECTS)


@pytest.fixture
def pacs(tmp_path):
    if orthanc.program() is None or orthanc.plugin() is None:
        pytest.skip("Orthanc (Debian orthanc, orthanc-dicomweb) is not installed")
    folder = tmp_path / "pacs"
    folder.mkdir()
    with orthanc.running(folder) as one:
        yield one


def content(ds):
    """What an object says: all elements but file meta, pixels decoded."""
    pixels = ds.pixel_array.tobytes() if "PixelData" in ds else b""
    rest = pydicom.Dataset(
        {element.tag: element for element in ds if element.keyword != "PixelData"}
    )
    return rest.to_json_dict(), pixels


def retrieved(pacs, ds):
    """Get an instance back by WADO-RS, in the transfer syntax it is stored in."""
    path = (
        f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    )
    accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    body = orthanc.get(pacs, path, accept)
    boundary = body.split(b"\r\n", 1)[0].removeprefix(b"--").decode()
    head = f'Content-Type: multipart/related; boundary="{boundary}"\r\n\r\n'.encode()
    part = email.message_from_bytes(head + body).get_payload()[0]
    return read_bytes(part.get_payload(decode=True))


@pytest.mark.slow
@pytest.mark.parametrize("way", ["dicom", "web"])
def test_all_objects_arrive_are_found_and_come_back_with_the_same_content(
    objects, pacs, tmp_path, way
):
    spool = tmp_path / "spool"
    hand_over(objects, Destination(getattr(pacs, way)), spool)
    assert send_waiting(spool, LOGIN) == len(objects)
    assert waiting(spool) == []
    sent = [read_bytes(one) for one in objects.values()]
    found = json.loads(orthanc.get(pacs, f"studies/{sent[0].StudyInstanceUID}/instances"))
    assert {one["00080018"]["Value"][0] for one in found} == {ds.SOPInstanceUID for ds in sent}
    assert c_find(pacs, sent[0].StudyInstanceUID) == {ds.SeriesInstanceUID for ds in sent}
    for ds in sent:
        assert content(retrieved(pacs, ds)) == content(ds), ds.SOPClassUID.name


def c_find(pacs, study_uid):
    from pynetdicom import AE
    from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as Find

    entity = AE(ae_title="QCT")
    entity.add_requested_context(Find)
    association = entity.associate("127.0.0.1", pacs.dicom_port, ae_title="ORTHANC")
    query = pydicom.Dataset()
    query.QueryRetrieveLevel = "SERIES"
    query.StudyInstanceUID = study_uid
    query.SeriesInstanceUID = ""
    answers = [
        found.SeriesInstanceUID for _, found in association.send_c_find(query, Find) if found
    ]
    association.release()
    return set(answers)


@pytest.mark.slow
def test_nothing_is_lost_while_the_pacs_is_down(objects, tmp_path):
    if orthanc.program() is None or orthanc.plugin() is None:
        pytest.skip("Orthanc (Debian orthanc, orthanc-dicomweb) is not installed")
    ports = orthanc.free_port(), orthanc.free_port()
    spool, waits = tmp_path / "spool", []
    down = orthanc.Orthanc(*ports)
    hand_over(objects, Destination(down.dicom), spool)
    hand_over(objects, Destination(down.web), spool)
    with pytest.raises(WriteError, match=f"{2 * len(objects)} objects were not sent"):
        send_waiting(spool, LOGIN, attempts=3, sleep=waits.append)
    assert waits == [1, 2, 1, 2]
    assert len(waiting(spool)) == 2
    folder = tmp_path / "pacs"
    folder.mkdir()
    with orthanc.running(folder, *ports):
        assert send_waiting(spool, LOGIN) == 2 * len(objects)
    assert waiting(spool) == []


@pytest.mark.slow
def test_a_wrong_password_is_not_tried_again(objects, pacs, tmp_path):
    waits = []
    hand_over({"sr.dcm": objects["sr.dcm"]}, Destination(pacs.web), tmp_path / "spool")
    with pytest.raises(WriteError, match="401"):
        send_waiting(tmp_path / "spool", Credentials(user="qct", password="no"), sleep=waits.append)
    assert waits == []
    assert len(waiting(tmp_path / "spool")) == 1


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1", "dicom://127.0.0.1:104", "ftp://a/b", "https://me:secret@host/dicom-web"],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url):
    with pytest.raises(OptionError) as refused:
        Destination(url)
    assert "secret" not in str(refused.value)


def test_credentials_do_not_show_in_a_representation():
    assert "hush" not in repr(Credentials(user="hush", password="hush", bearer="hush"))


def test_a_spool_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteError):
        hand_over({"a": b""}, Destination("dicom://A@127.0.0.1:1"), tmp_path / "file" / "spool")
