"""Sides come from the geometry, however the patient lay; what shows no chest is refused."""

from dataclasses import replace

import numpy as np
import pytest
from tests.read.series import save, slice_dataset, study
from tests.segment.test_lungs import SPACING, Chest, draw

from qct.errors import NoLungsError
from qct.flags import Flag
from qct.read import read_scan
from qct.regions import Label
from qct.segment.lungs import find_lungs

COARSER = 2
"""Every second row and column is enough."""

POSTURES = {"HFS": (1, 1), "HFP": (-1, -1), "FFS": (-1, 1), "FFP": (1, -1)}
"""Way that columns and rows of a scanner's image run, in the patient's x and y."""


def write_posture(folder, posture, hu):
    """Write a chest as a scanner does whose patient lies so."""
    common = study()
    common.PatientPosition = posture
    across, down = POSTURES[posture]
    pixel_mm = SPACING[1] * COARSER
    height_mm, width_mm = (size * pixel_mm for size in hu.shape[1:])
    for k, one in enumerate(hu):
        ds = slice_dataset(k, one[::down, ::across], common)
        ds.PixelSpacing = [pixel_mm, pixel_mm]
        ds.SliceThickness = str(SPACING[0])
        ds.ImageOrientationPatient = [across, 0, 0, 0, down, 0]
        x, y = (0.0 if way > 0 else mm for way, mm in ((across, width_mm), (down, height_mm)))
        ds.ImagePositionPatient = [x, y, SPACING[0] * k]
        save(ds, folder / f"{k}.dcm")


@pytest.mark.parametrize("posture", POSTURES)
def test_a_right_lung_is_the_right_lung_however_the_patient_lay(tmp_path, posture):
    write_posture(tmp_path, posture, draw(Chest(left=False)).hu[:, ::COARSER, ::COARSER])
    lungs = find_lungs(read_scan(tmp_path).volume)
    assert Flag.SINGLE_LUNG in lungs.flags
    assert lungs.method["right_ml"] > 500
    assert not (lungs.labels == Label.LEFT_LUNG).any()


def cropped(folder, span):
    volume = read_scan(folder).volume
    return replace(volume, hu=volume.hu[span])


@pytest.mark.real_data
def test_a_real_head_is_refused(real_data):
    volume = read_scan(real_data / "formats/gantry_tilt/philips").volume
    with pytest.raises(NoLungsError):
        find_lungs(volume)


@pytest.mark.real_data
@pytest.mark.parametrize(
    "span", [slice(0, 8), slice(50, 64)], ids=["below the lungs", "above the lungs"]
)
def test_a_real_abdomen_or_neck_is_refused(real_data, span):
    volume = cropped(real_data / "ct/lung_dx_a0001/kernel_b", span)
    with pytest.raises(NoLungsError):
        find_lungs(volume)


@pytest.mark.real_data
@pytest.mark.parametrize("span", [slice(16, 64), slice(0, 40)], ids=["no bases", "no apices"])
def test_a_real_chest_that_was_cut_is_said_to_be(real_data, span):
    lungs = find_lungs(cropped(real_data / "ct/lung_dx_a0001/kernel_b", span))
    assert Flag.TRUNCATED_LUNG in lungs.flags


@pytest.mark.real_data
def test_a_real_scan_mirrored_has_its_lungs_mirrored(real_data):
    volume = read_scan(real_data / "ct/lung_dx_a0001/kernel_b").volume
    straight = find_lungs(volume).method
    turned = find_lungs(replace(volume, hu=np.ascontiguousarray(volume.hu[:, :, ::-1]))).method
    assert turned["right_ml"] == pytest.approx(straight["left_ml"], rel=0.01)
    assert turned["left_ml"] == pytest.approx(straight["right_ml"], rel=0.01)
