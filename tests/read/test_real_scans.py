"""Real scans of four vendors read as their headers and their pictures say."""

import numpy as np
import pytest

from qct.acquisition import KernelFamily
from qct.errors import GeometryError, PixelError, QctError
from qct.flags import Flag
from qct.read import read_scan, survey
from qct.volume import PADDING_HU

pytestmark = pytest.mark.real_data


def check_upright(volume):
    """Chest, supine: z towards the head, y towards the back, x towards the left."""
    assert volume.axes_mm[0, 2] > 0
    assert volume.axes_mm[1, 1] > 0
    assert volume.axes_mm[2, 0] > 0


@pytest.mark.slow
def test_ge_lossless_jpeg_with_padding(real_data):
    scan = read_scan(real_data / "ct/ricord1a")
    hu = scan.volume.hu
    assert hu.shape == (248, 512, 512)
    assert scan.volume.spacing_mm == pytest.approx((1.25, 0.703125, 0.703125))
    valid = hu[hu != PADDING_HU]
    assert valid.min() == -1024
    assert 1 - valid.size / hu.size == pytest.approx(0.2128, abs=1e-3)
    assert scan.acquisition.kernel_family is KernelFamily.STANDARD
    assert scan.acquisition.has_contrast is False
    assert scan.patient.age_years == 80
    assert scan.flags == {Flag.HU_FLOOR}
    check_upright(scan.volume)


@pytest.mark.slow
def test_siemens_with_an_rtstruct_beside_it(real_data):
    scan = read_scan(real_data / "ct/lung1_001")
    assert scan.volume.shape == (134, 512, 512)
    assert scan.acquisition.kernel_family is KernelFamily.SOFT
    assert scan.acquisition.has_contrast is True
    assert [c.verdict for c in scan.candidates] == ["chosen", "rejected"]
    assert "RTSTRUCT" in scan.candidates[1].reason
    check_upright(scan.volume)


@pytest.mark.slow
def test_philips_with_two_kernels_chooses_the_neutral_one_and_says_why(real_data):
    scan = read_scan(real_data / "ct/lung_dx_a0001")
    assert scan.acquisition.recon_kernel == "B"
    assert "kernel (L, sharp)" in scan.candidates[1].reason
    other = read_scan(real_data / "ct/lung_dx_a0001", series_uid=scan.candidates[1].series_uid)
    assert other.acquisition.kernel_family is KernelFamily.SHARP
    assert other.candidates[1].reason == "Another series was asked for."
    check_upright(scan.volume)


def test_a_series_that_says_little_of_itself(real_data):
    scan = read_scan(real_data / "cip/ct-64-dicom")
    assert scan.volume.shape == (79, 64, 64)
    assert scan.acquisition.kernel_family is KernelFamily.UNKNOWN
    assert scan.acquisition.kvp is None
    assert scan.patient.age_years is None


def test_a_tilted_series_with_uneven_slices_is_refused(real_data):
    with pytest.raises(GeometryError, match=r"vary from 1\.08 to 7\.00 mm"):
        read_scan(real_data / "formats/gantry_tilt/ge_uneven")


def test_a_tilted_series_of_one_distance_is_read_sheared(real_data, tmp_path):
    for file in sorted((real_data / "formats/gantry_tilt/ge_uneven").iterdir())[:14]:
        (tmp_path / file.name).symlink_to(file)
    scan = read_scan(tmp_path)
    assert Flag.SHEARED_GRID in scan.flags
    assert scan.acquisition.gantry_tilt_deg == pytest.approx(18.5, abs=0.01)
    assert scan.volume.spacing_mm[0] == pytest.approx(4.22 * np.cos(np.radians(18.5)), abs=0.01)


def test_a_multi_frame_image_that_is_no_hu_is_refused(real_data):
    with pytest.raises(PixelError, match=r"mf\.dcm holds US"):
        read_scan(real_data / "formats/enhanced/legacy_converted")


def test_every_odd_file_is_listed_or_refused(real_data):
    for path in sorted((real_data / "formats").rglob("*")):
        if path.is_file():
            for attempt in (survey, read_scan):
                try:
                    attempt(path)
                except QctError as refusal:
                    assert refusal.hint, path.name  # noqa: PT017
