from datetime import date
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from qct.cli import main
from qct.errors import IdentityError, OptionError, ReadError
from qct.order import Order
from qct.read.order import read_order

HL7 = "\r".join(
    (
        r"MSH|^~\&|RIS|Clinic North|QCT||20240301101500||ORM^O01|7|P|2.5.1",
        "PID|1||QCT-0001^^^CLINIC||DOE^JANE",
        "ORC|NW|A-17|||||||20240301101400|||123^ROE^RICHARD",
        r"OBR|1|A-17||CT^CT chest|||||||||40 pack-years \T\ cough||||||||||||||||||^Extent of emphysema?",
        "DG1|1||J43.2^Centrilobular emphysema^I10",
        "DG1|2||X1^Local^L",
    )
)


def written(tmp_path, content):
    path = tmp_path / "order"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("ending", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("frame", [(b"", b""), (b"\x0b", b"\x1c\r")], ids=["bare", "framed"])
def test_an_hl7_order_is_taken_over_word_for_word(tmp_path, ending, frame):
    message = frame[0] + HL7.replace("\r", ending).encode() + frame[1]
    assert read_order(written(tmp_path, message)) == Order(
        patient_id="QCT-0001",
        question="Extent of emphysema?",
        indication="Centrilobular emphysema",
        history="40 pack-years & cough",
        referrer="ROE^RICHARD",
        facility="Clinic North",
        order_number="A-17",
        order_date=date(2024, 3, 1),
        diagnoses=("J43.2",),
    )


def worklist(path, **said):
    item = Dataset()
    item.PatientID = "QCT-0001"
    for keyword, value in said.items():
        setattr(item, keyword, value)
    item.file_meta = FileMetaDataset()
    item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    item.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.31"
    item.file_meta.MediaStorageSOPInstanceUID = "2.25.1"
    pydicom.dcmwrite(path, item, enforce_file_format=True)
    return path


def test_a_worklist_item_is_taken_over_word_for_word(tmp_path):
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "J43.2", "I10", "Emphysema"
    path = worklist(
        tmp_path / "item.dcm",
        ReasonForTheRequestedProcedure="Extent of emphysema?",
        RequestingPhysician="ROE^RICHARD",
        AdditionalPatientHistory="Cough",
        AccessionNumber="A-17",
        IssueDateOfImagingServiceRequest="20240301",
        AdmittingDiagnosesCodeSequence=[code],
        SmokingStatus="YES",
    )
    order = read_order(path)
    assert (order.question, order.referrer, order.history) == (
        "Extent of emphysema?",
        "ROE^RICHARD",
        "Cough",
    )
    assert (order.order_number, order.order_date) == ("A-17", date(2024, 3, 1))
    assert (order.diagnoses, order.smoking.status) == (("J43.2",), "current")


def test_a_smoking_status_of_no_is_not_made_to_mean_never(tmp_path):
    assert read_order(worklist(tmp_path / "i.dcm", SmokingStatus="NO")).smoking.status is None


def test_a_toml_order_is_read(tmp_path):
    assert read_order(written(tmp_path, b'question = "Why?"')) == Order(question="Why?")


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"\xff\xfe", ReadError), (b"question = ", OptionError), (b"MSH", ReadError)],
)
def test_what_is_no_order_is_refused(tmp_path, content, error):
    with pytest.raises(error, match="order"):
        read_order(written(tmp_path, content))


def test_an_order_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ReadError, match="cannot be read"):
        read_order(tmp_path / "none")


def test_the_order_of_another_patient_is_refused(tmp_path, capsys):
    order = written(tmp_path, b'patient_id = "SOMEBODY-ELSE"')
    scan = Path(__file__).parents[2] / "sample_data" / "dicom"
    out = tmp_path / "OUT"
    code = main(["analyze", str(scan), "-o", str(out), "--order", str(order), "--quiet"])
    assert code == IdentityError.exit_code
    assert "another patient" in capsys.readouterr().err
    assert not out.exists()
