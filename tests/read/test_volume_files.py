"""Volume files read like the series they were made from, with a flag."""

import numpy as np
import pytest
import SimpleITK
from tests.read import series

from qct.errors import GeometryError, PixelError, ReadError
from qct.flags import Flag
from qct.read import read_scan, survey
from qct.volume import PADDING_HU


def hu():
    return np.stack([series.chest_hu(k) for k in range(series.N)]).astype(np.int16)


def written(path, array, direction=(1, 0, 0, 0, 1, 0, 0, 0, 1)):
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing((1.25, 1.5, 2.5))
    image.SetOrigin((-40, -36, 100))
    image.SetDirection(direction)
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.nrrd", "a.mha"])
def test_every_format_gives_the_same_volume(tmp_path, name):
    scan = read_scan(written(tmp_path / name, hu()))
    np.testing.assert_array_equal(scan.volume.hu, hu())
    assert scan.volume.spacing_mm == pytest.approx((2.5, 1.5, 1.25))
    assert scan.volume.origin_mm == pytest.approx((-40, -36, 100))
    assert scan.flags == {Flag.CONVERTED_GRID}
    assert survey(tmp_path / name).refusal is None


def test_flipped_axes_are_turned(tmp_path):
    flipped = np.ascontiguousarray(hu()[::-1, ::-1, ::-1])
    scan = read_scan(written(tmp_path / "a.nrrd", flipped, (-1, 0, 0, 0, -1, 0, 0, 0, -1)))
    np.testing.assert_array_equal(scan.volume.hu, hu())
    assert scan.stored_axes == (-1, -2, -3)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.nii", "a.nii.gz"])
def test_fractions_are_rounded_and_nothing_is_padding(tmp_path, name, kind):
    values = hu().astype(kind) + 0.25
    values[:, :3] = -3024
    values[:, 3] = np.nan
    scan = read_scan(written(tmp_path / name, values))
    assert Flag.ROUNDED_HU in scan.flags
    assert (scan.volume.hu[:, :4] == PADDING_HU).all()
    np.testing.assert_array_equal(scan.volume.hu[:, 4:], hu()[:, 4:])


def test_label_maps_and_normalised_images_are_refused(tmp_path):
    with pytest.raises(PixelError, match="not HU"):
        read_scan(written(tmp_path / "a.nrrd", (hu() + 1024).astype(np.int16)))


def test_damaged_and_flat_files_are_refused(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"nothing")
    with pytest.raises(ReadError, match=r"a\.nii\.gz cannot be read"):
        read_scan(tmp_path / "a.nii.gz")
    with pytest.raises(GeometryError, match="is no volume"):
        read_scan(written(tmp_path / "b.nrrd", hu()[:1]))


@pytest.mark.real_data
def test_a_volume_file_agrees_with_its_dicom_series(real_data):
    file = read_scan(real_data / "cip" / "ct-64.nrrd")
    dicom = read_scan(real_data / "cip" / "ct-64-dicom")
    np.testing.assert_array_equal(file.volume.hu, dicom.volume.hu)
    assert file.volume.voxel_ml == pytest.approx(dicom.volume.voxel_ml, rel=1e-4)
