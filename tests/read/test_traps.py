"""Traps that the other tests of reading leave out, and the page that lists them all."""

import io
import os
import re
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import generate_uid
from tests.read import series

from qct.cli import main
from qct.errors import NothingToReadError, PixelError, QctError, ReadError
from qct.flags import Flag
from qct.read import read_scan, survey

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_names_tests_that_exist():
    page = (ROOT / "docs/traps.md").read_text(encoding="utf-8")
    rows = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    assert len(rows) > 60
    for file, name in rows:
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"


def test_every_row_of_the_page_has_a_test():
    page = (ROOT / "docs/traps.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    without = [row for row in rows if "tests/" not in row and not row.startswith("| trap")]
    assert [row for row in without if "not detected" not in row] == []


# --- what is in a folder ------------------------------------------------------------------------


def scout(ds, k):
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


def dose_report(ds, k):
    ds.SOPClassUID, ds.Modality = "1.2.840.10008.5.1.4.1.1.88.67", "SR"
    del ds.PixelData


def of_one_study(seed, number, more):
    def change(ds, k):
        ds.StudyInstanceUID, ds.PatientID = "1.2.3", "P-1"
        ds.FrameOfReferenceUID = "1.2.3.4"
        ds.SeriesNumber = number
        more(ds, k)

    return change


def test_a_study_of_three_series_scout_dose_report_and_a_strangers_file(tmp_path):
    def sharp(ds, k):
        ds.ConvolutionKernel = "B70f"

    def thick(ds, k):
        ds.SliceThickness = "5"
        ds.ImagePositionPatient = [-40.0, -36.0, 100.0 + 5.0 * k]

    def plain(ds, k):
        pass

    parts = (("a", 2, plain, 8), ("b", 3, sharp, 8), ("c", 4, thick, 8), ("d", 1, scout, 2))
    for seed, number, more, n in (*parts, ("e", 999, dose_report, 1)):
        series.write(tmp_path / seed, of_one_study(seed, number, more), n=n, seed=seed)
    scan = read_scan(tmp_path)
    assert scan.acquisition.series_number == 2
    fates = {c.series_number: (c.verdict, c.reason) for c in scan.candidates}
    assert fates[2][0] == "chosen"
    assert fates[3] == (
        "passed over",
        "Its kernel (B70f, sharp) is less fit for density than B31f.",
    )
    assert "5.00 mm apart" in fates[4][1]
    assert fates[1] == ("rejected", "A localizer (ImageType LOCALIZER).")
    assert fates[999][0] == "rejected"
    assert "SR" in fates[999][1]

    stray = series.write(tmp_path / "stray", n=1, seed="stranger")
    with pytest.raises(QctError, match="images of 2 patients are mixed"):
        read_scan(tmp_path)
    chosen = next(c.series_uid for c in scan.candidates if c.verdict == "chosen")
    assert read_scan(tmp_path, series_uid=chosen).acquisition.series_number == 2
    next(stray.iterdir()).unlink()
    assert read_scan(tmp_path).acquisition.series_number == 2


def test_a_name_in_a_zip_leads_nowhere(tmp_path):
    one = next(series.write(tmp_path / "a", n=1).iterdir()).read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("../../out", "/etc/out", "C:\\out", "a/../../../out"):
            archive.writestr(name, one)
    with pytest.raises(QctError):
        read_scan(tmp_path / "a.zip")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "a.zip"]


@pytest.mark.parametrize("at", [20, 22, 42, 46, 48])
def test_a_zip_whose_directory_is_damaged_is_refused_in_words(tmp_path, at):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"x" * 5000)
    whole = bytearray(packed.getvalue())
    directory = whole.rindex(b"PK\1\2")
    whole[directory + at - 4 : directory + at] = b"\xff\xff\xff\x7f"
    (tmp_path / "a.zip").write_bytes(whole)
    with pytest.raises(ReadError) as refusal:
        read_scan(tmp_path / "a.zip")
    assert refusal.value.hint


def test_a_damaged_dicomdir_is_refused_in_words(tmp_path):
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.1.3.10", generate_uid()
    item = Dataset()
    item.ReferencedFileID = "A"
    ds.DirectoryRecordSequence = [item]
    path = series.save(ds, tmp_path / "DICOMDIR")
    path.write_bytes(path.read_bytes().replace(b"\x04\x00\x00\x15CS", b"\x04\x00\x00\x15\x43\xa2"))
    with pytest.raises(ReadError, match="DICOMDIR"):
        read_scan(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_told(tmp_path):
    series.write(tmp_path)
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "secret").chmod(0)
    assert Flag.UNREADABLE_FILES in read_scan(tmp_path).flags


# --- headers ------------------------------------------------------------------------------------


def test_a_header_that_claims_more_frames_than_it_describes_is_no_burden(tmp_path):
    ds = series.enhanced(3)
    ds.NumberOfFrames = 20_000
    path = series.save(ds, tmp_path / "one")
    found = survey(path)
    assert sum(c.n_images for study in found.studies for c in study.candidates) == 3


@pytest.mark.parametrize(
    ("charset", "name", "shown"),
    [
        ("ISO_IR 100", "Müller^Jürgen", "Müller, Jürgen"),
        ("ISO_IR 192", "Ødegård^Åse", "Ødegård, Åse"),
        ("GB18030", "王^小东", "王, 小东"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎", "Yamada, Tarou (山田, 太郎)"),
        (
            ["", "ISO 2022 IR 149"],
            "Hong^Gildong=洪^吉洞=홍^길동",
            "Hong, Gildong (洪, 吉洞) (홍, 길동)",
        ),
        ("ISO_IR 144", "Люкceмбypг", "Люкceмбypг"),
    ],
)
def test_names_are_read_in_their_character_set(tmp_path, charset, name, shown):
    def named(ds, k):
        ds.SpecificCharacterSet, ds.PatientName = charset, name

    assert read_scan(series.write(tmp_path, named)).patient.name == shown


@pytest.mark.parametrize(
    ("image_type", "description", "kev"),
    [
        (["DERIVED", "PRIMARY", "AXIAL", "VMI"], "Thorax MonoE 70 keV", 70.0),
        (["DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MONO"], "Mono+ 40keV", 40.0),
        (["DERIVED", "PRIMARY", "VOLUME", "VMI"], "Thorax", None),
    ],
)
def test_virtual_monoenergetic_images_are_read_and_known(tmp_path, image_type, description, kev):
    def virtual(ds, k):
        ds.ImageType, ds.SeriesDescription = image_type, description

    acquisition = read_scan(series.write(tmp_path, virtual)).acquisition
    assert acquisition.is_monoenergetic
    assert acquisition.monoenergetic_kev == kev


def test_the_energy_comes_from_its_attribute_first(tmp_path):
    def virtual(ds, k):
        ds.ImageType = ["DERIVED", "PRIMARY", "AXIAL", "VMI"]
        ds.SeriesDescription, ds.MonoenergeticEnergyEquivalent = "50 keV", 65.0

    assert read_scan(series.write(tmp_path, virtual)).acquisition.monoenergetic_kev == 65


def test_a_measured_energy_is_preferred_to_a_computed_one(tmp_path):
    def virtual(ds, k):
        ds.ImageType, ds.SeriesNumber = ["DERIVED", "PRIMARY", "AXIAL", "VMI"], 1
        of_one_study("a", 1, lambda ds, k: None)(ds, k)

    series.write(tmp_path / "a", virtual, seed="a")
    series.write(tmp_path / "b", of_one_study("b", 2, lambda ds, k: None), seed="b")
    scan = read_scan(tmp_path)
    assert not scan.acquisition.is_monoenergetic
    assert scan.candidates[1].reason == "It is a virtual monoenergetic image."


def test_metal_is_flagged_and_electrodes_are_not(tmp_path):
    def implant(ds, k, n=400):
        stored = series.chest_hu(k) + 1024
        stored.ravel()[1000 : 1000 + n] = 4095
        series.set_pixels(ds, stored)

    assert Flag.METAL in read_scan(series.write(tmp_path / "a", implant)).flags
    few = series.write(tmp_path / "b", lambda ds, k: implant(ds, k, 5))
    assert Flag.METAL not in read_scan(few).flags


# --- many frames in one file --------------------------------------------------------------------


def save_frames(path, change):
    ds = series.enhanced(2 * series.N)
    for k, frame in enumerate(ds.PerFrameFunctionalGroupsSequence):
        place = [-40.0, -36.0, 100.0 + series.STEP_MM * (k % series.N)]
        frame.PlanePositionSequence[0].ImagePositionPatient = place
        change(frame.FrameContentSequence[0], k // series.N)
    return series.save(ds, path)


@pytest.mark.parametrize("keyword", ["TemporalPositionIndex", "StackID", "FrameAcquisitionNumber"])
def test_phases_in_one_multi_frame_image_are_split(tmp_path, keyword):
    def phase(content, which):
        setattr(content, keyword, str(which + 1) if keyword == "StackID" else which + 1)

    scan = read_scan(save_frames(tmp_path / "one", phase))
    assert scan.volume.shape[0] == series.N
    assert [c.n_images for c in scan.candidates] == [series.N, series.N]


def test_a_legacy_converted_image_is_read_like_its_slices(tmp_path):
    ds = series.enhanced()
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.2"
    scan = read_scan(series.save(ds, tmp_path / "one"))
    np.testing.assert_array_equal(scan.volume.hu[3], series.chest_hu(3))


# --- pixels -------------------------------------------------------------------------------------


HTJ2K = "1.2.840.10008.1.2.4.201"


def high_throughput(ds, k):
    """Put the first slice, packed as HTJ2K, into every slice."""
    frame = (Path(__file__).parent / "data/chest_0.j2k").read_bytes()
    ds.PixelData = encapsulate([frame])
    ds["PixelData"].is_undefined_length = True


def test_high_throughput_jpeg_2000_is_decoded(tmp_path):
    scan = read_scan(series.write(tmp_path, high_throughput, syntax=HTJ2K))
    np.testing.assert_array_equal(scan.volume.hu[2], series.chest_hu(0))


def test_high_throughput_jpeg_2000_that_is_cut_short_names_the_file(tmp_path):
    series.write(tmp_path, high_throughput, syntax=HTJ2K)
    path = tmp_path / "003"
    path.write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(PixelError, match="003 is cut short"):
        read_scan(tmp_path)


# --- volume files -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.nii"])
def test_a_volume_file_that_claims_more_than_it_holds_is_refused(tmp_path, name):
    import SimpleITK

    image = SimpleITK.GetImageFromArray(np.zeros((4, 4, 4), np.int16))
    SimpleITK.WriteImage(image, str(tmp_path / name))
    whole = (tmp_path / name).read_bytes()
    if name == "a.nii":
        whole = whole[:42] + b"\xff\x7f\xff\x7f\xff\x7f" + whole[48:]
    else:
        whole = whole.replace(b"4 4 4", b"9999 9999 9999")
    (tmp_path / name).write_bytes(whole)
    with pytest.raises(PixelError, match="more than the file can hold"):
        read_scan(tmp_path / name)


def test_a_volume_file_of_impossible_voxels_is_refused(tmp_path):
    import SimpleITK

    image = SimpleITK.GetImageFromArray(np.zeros((4, 4, 4), np.int16))
    image.SetSpacing((1e-30, 1.0, 1.0))
    SimpleITK.WriteImage(image, str(tmp_path / "a.mha"))
    with pytest.raises(ReadError, match="voxels of"):
        read_scan(tmp_path / "a.mha")


def test_a_part_of_the_damage_of_the_bench_gives_no_traceback(tmp_path):
    sys.path.insert(0, str(ROOT))
    from benchmarks import fuzz_read

    series.write(tmp_path / "a", n=3)
    files = {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()}
    ended = {fuzz_read.one_case(files, seed, tmp_path) for seed in range(60)}
    assert "FAILED" not in ended, next(tmp_path.glob("*.txt")).read_text()
    assert len(ended) > 2


def test_nothing_is_a_dicom_object_by_accident(tmp_path):
    (tmp_path / "IM0001").write_bytes(bytes(128) + b"DICM" + bytes(10))
    with pytest.raises(NothingToReadError):
        read_scan(tmp_path)
    assert main(["inspect", str(tmp_path)]) == 3
