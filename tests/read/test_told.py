"""What a header lacks may be told; what it says is not overruled."""

import numpy as np
import pytest
import SimpleITK
from tests.read import series

from qct.acquisition import KernelFamily
from qct.errors import OptionError
from qct.flags import Flag
from qct.options import TOLD, Options
from qct.read import completed, read_scan

EVERYTHING = {
    "recon_kernel": "B31f",
    "manufacturer": "SIEMENS",
    "kvp": 120.0,
    "slice_mm": 1.0,
    "ctdi_vol_mgy": 6.0,
    "has_contrast": False,
    "patient_position": "HFS",
}


@pytest.fixture
def volume_file(tmp_path):
    hu = np.stack([series.chest_hu(k) for k in range(series.N)]).astype(np.int16)
    image = SimpleITK.GetImageFromArray(hu)
    image.SetSpacing((1.25, 1.5, 2.5))
    SimpleITK.WriteImage(image, str(tmp_path / "a.nii.gz"))
    return read_scan(tmp_path / "a.nii.gz")


def test_what_is_told_fills_what_the_header_lacks(volume_file):
    assert EVERYTHING.keys() == set(TOLD)
    scan = completed(volume_file, Options(**EVERYTHING))
    assert {name: getattr(scan.acquisition, name) for name in TOLD} == EVERYTHING
    assert scan.acquisition.kernel_family is KernelFamily.STANDARD
    assert Flag.ACQUISITION_TOLD in scan.flags


def test_nothing_told_changes_nothing(volume_file):
    assert completed(volume_file, Options()) is volume_file


def test_a_header_is_not_overruled(tmp_path):
    scan = read_scan(series.write(tmp_path))
    with pytest.raises(OptionError, match="kvp = 120"):
        completed(scan, Options(kvp=80))
    with pytest.raises(OptionError, match="recon_kernel = B31f"):
        completed(scan, Options(recon_kernel="B70f"))
    assert completed(scan, Options(kvp=120, recon_kernel="b31F")).acquisition.kvp == 120


@pytest.mark.parametrize("told", [{"kvp": 5}, {"slice_mm": 0}, {"patient_position": "UP"}])
def test_what_cannot_be_is_refused(told):
    with pytest.raises(OptionError):
        Options(**told)
