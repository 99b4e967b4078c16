"""Whatever a scan comes in: nested folders, archives, DICOMDIR, single files, junk between."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.uid import MediaStorageDirectoryStorage
from tests.read import series

from qct.errors import GeometryError, NothingToReadError, ReadError
from qct.flags import Flag
from qct.read import discover, read_scan, survey


def expected_hu():
    return np.stack([series.chest_hu(k) for k in range(series.N)])


def zipped(folder: Path, archive: Path, junk: bool = True) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(folder.rglob("*")):
            packed.write(file, f"disc/deep/{file.name}")
        if junk:
            packed.writestr("disc/readme.txt", "no DICOM")
            packed.writestr("../../outside", "leads out of the folder")
    return archive


def test_nested_folders_with_junk_between_are_walked(tmp_path):
    series.write(tmp_path / "a" / "b" / "c")
    (tmp_path / "a" / "notes.txt").write_text("x" * 300)
    (tmp_path / "a" / "Thumbs.db").write_bytes(os.urandom(500))
    (tmp_path / "a" / "nothing").touch()
    np.testing.assert_array_equal(read_scan(tmp_path).volume.hu, expected_hu())
    assert survey(tmp_path).n_not_dicom == 3


def test_a_loop_of_links_ends(tmp_path):
    series.write(tmp_path / "a")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "dangling").symlink_to(tmp_path / "nowhere")
    scan = read_scan(tmp_path)
    assert scan.volume.shape[0] == series.N
    assert Flag.DUPLICATE_SLICES not in scan.flags
    assert Flag.UNREADABLE_FILES in scan.flags


def test_pipes_are_not_waited_for(tmp_path):
    series.write(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert read_scan(tmp_path).volume.shape[0] == series.N


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_told(tmp_path):
    series.write(tmp_path / "open")
    series.write(tmp_path / "shut").chmod(0)
    try:
        assert Flag.UNREADABLE_FILES in read_scan(tmp_path).flags
    finally:
        (tmp_path / "shut").chmod(0o700)


def test_a_zip_reads_like_its_folder_and_leaves_nothing_behind(tmp_path, monkeypatch):
    aside = tmp_path / "aside"
    aside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(aside))
    archive = zipped(series.write(tmp_path / "s"), tmp_path / "s.zip")
    scan = read_scan(archive)
    np.testing.assert_array_equal(scan.volume.hu, expected_hu())
    assert scan.slices[0].path == archive / "disc/deep/000"
    assert not list(aside.iterdir())
    assert not (tmp_path.parent / "outside").exists()


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(discover, "MIN_SUSPICIOUS_BYTES", 2**20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("zeros", b"\0" * 2**22)
    with pytest.raises(ReadError, match="would unpack to 1 files"):
        read_scan(tmp_path / "bomb.zip")


@pytest.mark.parametrize("cut", [0.2, 0.9])
def test_a_damaged_zip_is_refused(tmp_path, cut):
    archive = zipped(series.write(tmp_path / "s"), tmp_path / "s.zip", junk=False)
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * cut)])
    with pytest.raises(ReadError, match=r"s\.zip is a damaged or locked archive"):
        read_scan(archive)


def test_an_empty_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "s.zip", "w"):
        pass
    with pytest.raises(NothingToReadError, match="holds no file"):
        read_scan(tmp_path / "s.zip")


def test_one_file_stands_for_its_series(tmp_path):
    series.write(tmp_path, seed="a")
    series.write(tmp_path, seed="b", first=100)
    scan = read_scan(tmp_path / "102")
    assert scan.patient.patient_id == "P-b"
    np.testing.assert_array_equal(scan.volume.hu, expected_hu())


def test_a_file_that_is_no_dicom_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    series.write(tmp_path)
    with pytest.raises(NothingToReadError, match=r"notes\.txt is no DICOM image"):
        read_scan(tmp_path / "notes.txt")


def write_dicomdir(folder: Path, names: list[list[str]]) -> Path:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = MediaStorageDirectoryStorage, "1.2.3"
    ds.FileSetID = "DISC"
    ds.DirectoryRecordSequence = [Dataset(), *(Dataset() for _ in names)]
    ds.DirectoryRecordSequence[0].DirectoryRecordType = "PATIENT"
    for record, parts in zip(ds.DirectoryRecordSequence[1:], names, strict=True):
        record.DirectoryRecordType = "IMAGE"
        record.ReferencedFileID = parts
    series.save(ds, folder / "DICOMDIR")
    return folder / "DICOMDIR"


@pytest.fixture
def dicomdir(tmp_path) -> Path:
    folder = series.write(tmp_path / "disc" / "images")
    return write_dicomdir(
        folder.parent, [["IMAGES", file.name] for file in sorted(folder.iterdir())]
    )


def test_a_dicomdir_lists_its_files(dicomdir):
    series.write(dicomdir.parent / "unlisted", seed="b")
    np.testing.assert_array_equal(read_scan(dicomdir).volume.hu, expected_hu())


def test_a_folder_with_a_dicomdir_reads_the_images_only(dicomdir):
    np.testing.assert_array_equal(read_scan(dicomdir.parent).volume.hu, expected_hu())


def test_a_slice_that_a_dicomdir_lists_and_is_gone_is_told(dicomdir):
    (dicomdir.parent / "images" / "003").unlink()
    with pytest.raises(GeometryError, match="1 slice missing"):
        read_scan(dicomdir)
    assert survey(dicomdir).n_unreadable == 1


def test_a_dicomdir_does_not_lead_out_of_its_folder(tmp_path):
    series.write(tmp_path / "elsewhere")
    (tmp_path / "disc").mkdir()
    listed = [["..", "elsewhere", f"{k:03d}"] for k in range(series.N)]
    with disable_value_validation():
        dicomdir = write_dicomdir(tmp_path / "disc", listed)
    with pytest.raises(ReadError, match="nothing in DICOMDIR may be opened"):
        read_scan(dicomdir)


def test_files_without_preamble_are_read(tmp_path):
    series.write(tmp_path, syntax="1.2.840.10008.1.2")
    for file in tmp_path.iterdir():
        ds = pydicom.dcmread(file)
        del ds.file_meta, ds.preamble
        with file.open("wb") as out:
            pydicom.dcmwrite(out, ds, implicit_vr=True, little_endian=True)
        assert file.read_bytes()[128:132] != b"DICM"
    np.testing.assert_array_equal(read_scan(tmp_path).volume.hu, expected_hu())


@pytest.mark.parametrize("keep", [140, 700])
def test_a_file_cut_in_its_header_is_counted(tmp_path, keep):
    series.write(tmp_path)
    last = tmp_path / f"{series.N - 1:03d}"
    last.write_bytes(last.read_bytes()[:keep])
    assert survey(tmp_path).n_unreadable == 1
    assert Flag.UNREADABLE_FILES in read_scan(tmp_path).flags
