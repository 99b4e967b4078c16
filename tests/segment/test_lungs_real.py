"""Lungs on real scans, against manual contours and against the label map of another program."""

from functools import cache

import cc3d
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from skimage.draw import polygon

from qct.flags import Flag
from qct.read import read_scan
from qct.regions import DENSE, Label
from qct.segment.lungs import find_lungs

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


@cache
def found(folder):
    volume = read_scan(folder).volume
    return volume, find_lungs(volume)


def rasterise(path, name, volume):
    """Fill the closed planar contours of one structure; a contour within another cuts it out."""
    data = pydicom.dcmread(path)
    number = next(r.ROINumber for r in data.StructureSetROISequence if r.ROIName == name)
    contours = next(c for c in data.ROIContourSequence if c.ReferencedROINumber == number)
    mask = np.zeros(volume.shape, bool)
    dz, dy, dx = volume.spacing_mm
    for contour in contours.ContourSequence:
        points = np.array(contour.ContourData, float).reshape(-1, 3) - volume.origin_mm
        rows, columns = polygon(points[:, 1] / dy, points[:, 0] / dx, volume.shape[1:])
        mask[round(points[0, 2] / dz), rows, columns] ^= True
    return mask


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.mark.parametrize(
    ("name", "label"), [("Lung-Left", Label.LEFT_LUNG), ("Lung-Right", Label.RIGHT_LUNG)]
)
def test_aerated_lung_agrees_with_manual_contours(real_data, name, label):
    volume, lungs = found(real_data / "ct/lung1_001/series")
    aerated = volume.hu < -400
    manual = rasterise(real_data / "ct/lung1_001/rtstruct.dcm", name, volume) & aerated
    mine = np.isin(lungs.labels, (label, label + DENSE)) & aerated
    assert dice(manual, mine) > 0.99
    assert mine.sum() == pytest.approx(manual.sum(), rel=0.01)
    assert volume.hu[mine].mean() == pytest.approx(volume.hu[manual].mean(), abs=2.0)


def test_lungs_with_a_tumour_agree_with_manual_contours_that_hold_it(real_data):
    volume, lungs = found(real_data / "ct/lung1_001/series")
    contours = real_data / "ct/lung1_001/rtstruct.dcm"
    tumour = rasterise(contours, "GTV-1", volume)
    manual = rasterise(contours, "Lung-Left", volume) | tumour
    mine = np.isin(lungs.labels, (Label.LEFT_LUNG, Label.LEFT_LUNG + DENSE))
    assert dice(manual, mine) > 0.955
    assert mine[tumour].mean() > 0.7
    assert Flag.DENSE_LUNG in lungs.flags


def test_consolidation_along_the_ribs_is_airless_lung(real_data):
    _, lungs = found(real_data / "ct/ricord1a")
    assert lungs.method["right_dense_percent"] > 7
    assert lungs.method["left_dense_percent"] < 1


@pytest.mark.parametrize(
    "folder", ["ct/ricord1a", "ct/lung1_001/series", "ct/lung_dx_a0001/kernel_l", "cip/ct-64-dicom"]
)
def test_every_lung_is_one_part(real_data, folder):
    _, lungs = found(real_data / folder)
    for label in (Label.RIGHT_LUNG, Label.LEFT_LUNG):
        assert cc3d.connected_components(lungs.labels % DENSE == label, connectivity=6).max() == 1


def test_low_resolution_lungs_agree_with_the_label_map_of_another_program(real_data):
    _, lungs = found(real_data / "cip/ct-64-dicom")
    theirs = (sitk.GetArrayFromImage(sitk.ReadImage(real_data / "cip/lm-64.nrrd")) & 255) > 0
    mine = (lungs.labels > 0) & (lungs.labels != Label.AIRWAY)
    assert dice(theirs, mine) > 0.98


def test_stomach_gas_below_the_left_lung_is_cut_off(real_data):
    _, lungs = found(real_data / "ct/ricord1a")
    assert Flag.GAS_POCKET_REMOVED in lungs.flags
    assert lungs.method["gas_removed_ml"] > 200
    assert not lungs.labels[:25].any()


def test_kernels_of_one_acquisition_give_the_same_lungs(real_data):
    _, soft = found(real_data / "ct/lung_dx_a0001/kernel_b")
    _, sharp = found(real_data / "ct/lung_dx_a0001/kernel_l")
    for side in ("right_ml", "left_ml"):
        assert soft.method[side] == pytest.approx(sharp.method[side], rel=0.01)
