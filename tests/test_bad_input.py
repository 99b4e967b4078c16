"""What cannot be measured ends with a sentence, a hint and an exit code, and leaves nothing behind."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import generate_uid
from tests.read import series

from qct.cli import main

SAMPLE = Path(__file__).resolve().parents[1] / "sample_data" / "dicom"
READ, SEGMENT, WRITE = 3, 4, 5


def empty(folder):
    folder.mkdir()


def text_files(folder):
    folder.mkdir()
    for name in ("notes.txt", "DICOM.dcm", "data"):
        (folder / name).write_text("this is no image\n" * 100)


def one_slice(folder):
    series.write(folder, n=1)


def localizer_only(folder):
    def localizer(ds, k):
        ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    series.write(folder, localizer, n=2)


def magnetic_resonance(folder):
    def mr(ds, k):
        ds.Modality, ds.SOPClassUID = "MR", "1.2.840.10008.5.1.4.1.1.4"

    series.write(folder, mr)


def a_slice_is_missing(folder):
    series.write(folder, n=12)
    sorted(folder.iterdir())[6].unlink()


def two_patients(folder):
    series.write(folder / "a", seed="a")
    series.write(folder / "b", seed="b")


def a_file_is_cut_short(folder):
    shutil.copytree(SAMPLE, folder)
    path = sorted(folder.iterdir())[60]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def transfer_syntax_is_unknown(folder):
    shutil.copytree(SAMPLE, folder)
    for path in folder.iterdir():
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.4.53"))


def water(folder):
    def fill(ds, k):
        hu = np.full((64, 64), -1000)
        y, x = np.mgrid[-1:1:64j, -1:1:64j]
        hu[x**2 + y**2 < 0.7] = np.random.default_rng(k).integers(
            -10, 11, (x**2 + y**2 < 0.7).sum()
        )
        series.set_pixels(ds, hu + 1024)
        ds.PixelSpacing = [5, 5]
        ds.ImagePositionPatient = [-160, -160, 5.0 * k]

    series.write(folder, fill, n=60)


def abdomen(folder):
    """Keep the slices of the sample chest below its lungs."""
    import pydicom

    folder.mkdir()
    for path in SAMPLE.iterdir():
        ds = pydicom.dcmread(path)
        if ds.ImagePositionPatient[2] < BELOW_LUNGS_MM:
            shutil.copy(path, folder)


def lowest_lung_mm():
    import pydicom

    heights = [pydicom.dcmread(p, stop_before_pixels=True) for p in SAMPLE.iterdir()]
    return min(float(ds.ImagePositionPatient[2]) for ds in heights) + 20.0


BELOW_LUNGS_MM = lowest_lung_mm() if SAMPLE.is_dir() else 0.0


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (empty, READ),
        (text_files, READ),
        (one_slice, READ),
        (localizer_only, READ),
        (magnetic_resonance, READ),
        (a_slice_is_missing, READ),
        (two_patients, READ),
        (a_file_is_cut_short, READ),
        (transfer_syntax_is_unknown, READ),
        (water, SEGMENT),
        (abdomen, SEGMENT),
    ],
)
@pytest.mark.filterwarnings("default")  # what pydicom thinks of damaged files is no fault of ours
def test_bad_input_is_refused_in_words(make, code, tmp_path, capsys):
    scan, out = tmp_path / "scan", tmp_path / "out"
    make(scan)
    assert main(["analyze", str(scan), "-o", str(out), "--quiet"]) == code
    told = capsys.readouterr()
    assert told.out == ""
    message, hint = told.err.strip().splitlines()[-2:]
    assert message.startswith("qct: ")
    assert len(message) > 20
    assert hint.startswith("hint: ")
    assert "Traceback" not in told.err
    assert "Muster" not in told.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan"]


def test_a_path_that_is_not_there_is_refused(tmp_path, capsys):
    assert main(["analyze", str(tmp_path / "nowhere"), "-o", str(tmp_path / "out")]) == READ
    assert "nowhere" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_place_is_refused_before_the_work(tmp_path, capsys):
    tmp_path.chmod(0o500)
    try:
        code = main(["analyze", str(SAMPLE), "-o", str(tmp_path / "out"), "--quiet"])
    finally:
        tmp_path.chmod(0o700)
    assert code == WRITE
    assert "hint: " in capsys.readouterr().err


def test_a_full_disk_leaves_nothing_that_looks_complete(tmp_path, capsys, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["analyze", str(SAMPLE), "-o", str(tmp_path / "out"), "--quiet"]) == WRITE
    told = capsys.readouterr().err
    assert "No space left on device" in told
    assert "hint: " in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize("head", ["formats/gantry_tilt/philips", "formats/ct_three_slices"])
def test_a_head_is_refused(head, real_data, tmp_path, capsys):
    assert main(["analyze", str(real_data / head), "-o", str(tmp_path / "out")]) in (READ, SEGMENT)
    assert "hint: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_uid_of_another_series_is_refused(tmp_path, capsys):
    args = ["analyze", str(SAMPLE), "-o", str(tmp_path / "out"), "--series", generate_uid()]
    assert main(args) == 2
    assert "hint: " in capsys.readouterr().err
