"""What the header says is read as it was meant; what it does not say stays None."""

import pytest
from pydicom.dataset import Dataset
from tests.read import series

from qct.read import read_scan
from qct.read.facts import Facts, has_contrast, patient_of


def facts(**elements) -> Facts:
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return Facts(ds)


def test_patient_study_and_acquisition_are_read(tmp_path):
    scan = read_scan(series.write(tmp_path))
    assert scan.patient.name == "Muster, Erika"
    assert (scan.patient.sex, scan.patient.age_years) == ("F", 64)
    assert (scan.study.date, scan.study.time) == ("2024-03-10", "08:15:30")
    acquisition = scan.acquisition
    assert (acquisition.kvp, acquisition.recon_kernel, acquisition.n_slices) == (120, "B31f", 8)
    assert acquisition.transfer_syntax == "Explicit VR Little Endian"
    assert acquisition.has_contrast is None
    assert acquisition.ctdi_vol_mgy is None


@pytest.mark.parametrize(
    ("charset", "raw", "shown"),
    [
        ("ISO_IR 100", "Müller^Jürgen".encode("latin-1"), "Müller, Jürgen"),
        ("ISO_IR 192", "Şahin^Ömer".encode(), "Şahin, Ömer"),
        ("GB18030", "王^小东".encode("gb18030"), "王, 小东"),
        (
            ["", "ISO 2022 IR 87"],
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
            "Yamada, Tarou (山田, 太郎)",
        ),
    ],
)
def test_names_come_out_of_their_character_set(tmp_path, charset, raw, shown):
    def name(ds, k):
        ds.SpecificCharacterSet = charset
        ds.PatientName = "x" * len(raw)

    folder = series.write(tmp_path, name)
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes().replace(b"x" * len(raw), raw))
    assert read_scan(folder).patient.name == shown


@pytest.mark.parametrize(
    ("elements", "years"),
    [
        ({"PatientAge": "064Y"}, 64),
        ({"PatientAge": "018M"}, 1.5),
        ({"PatientAge": "000Y"}, None),
        ({"PatientAge": "000Y", "PatientBirthDate": "19600301", "StudyDate": "20240301"}, 64),
        ({"PatientBirthDate": "19600301"}, None),
        ({"PatientBirthDate": "20240301", "StudyDate": "20240301"}, None),
        ({}, None),
    ],
)
def test_age_is_read_or_reckoned_at_the_study_or_not_known(elements, years):
    got = patient_of(facts(**elements)).age_years
    assert got == (None if years is None else pytest.approx(years, abs=0.01))


@pytest.mark.parametrize(("size", "height"), [("1.72", 1.72), ("172", None), ("0", None)])
def test_a_height_that_cannot_be_is_not_known(size, height):
    assert patient_of(facts(PatientSize=size)).height_m == height


@pytest.mark.parametrize(
    ("elements", "given"),
    [
        ({}, None),
        ({"ContrastBolusAgent": "ISOVUE300/100"}, True),
        ({"ContrastBolusAgent": "NONE"}, False),
        ({"ContrastBolusRoute": "IV"}, True),
        ({"ContrastBolusAgent": ""}, None),
        ({"SeriesDescription": "ROUTINE CHEST NON-CON"}, False),
        ({"ProtocolName": "2 Chest C-/Thorax"}, False),
        ({"ProtocolName": "RCCTPET_THORAX_CONTRAST_dag0"}, True),
        ({"ProtocolName": "CHEST WITHOUT CONTRAST"}, False),
        ({"ProtocolName": "Chest routine"}, None),
    ],
)
def test_contrast_is_told_by_attributes_then_by_words(elements, given):
    assert has_contrast(facts(**elements)) is given


def test_a_damaged_element_counts_as_absent():
    assert facts(StudyDescription="20241399").date("StudyDescription") is None
    assert facts(StudyDescription="996199").time("StudyDescription") is None
    assert facts(StudyDescription="heavy").number("StudyDescription") is None


def test_iterative_reconstruction_is_told(tmp_path):
    def iterative(ds, k):
        ds.ConvolutionKernel = ["I31f", "3"]

    acquisition = read_scan(series.write(tmp_path, iterative)).acquisition
    assert acquisition.is_iterative is True
    assert acquisition.recon_kernel == "I31f\\3"
    assert acquisition.kernel_family == "standard"
