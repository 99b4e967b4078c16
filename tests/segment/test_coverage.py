"""Two ellipsoids of lung in a body of water, with gas below the left one; maps that show them in part."""

import numpy as np
import pytest

from qct.acquisition import Acquisition, Patient, Study
from qct.export import nifti_bytes
from qct.findings import Scan
from qct.flags import Flag
from qct.regions import DENSE, Label
from qct.segment.coverage import coverage, left_out_ml
from qct.segment.edited import with_lungs
from qct.segment.imported import import_segmentation
from qct.volume import Volume

SHAPE = (60, 80, 110)
SPACING_MM = (3.0, 2.5, 2.5)
RIGHT_LOBES = (Label.RIGHT_UPPER_LOBE, Label.RIGHT_MIDDLE_LOBE, Label.RIGHT_LOWER_LOBE)


def drawn():
    """Return a scan and its whole label map: three lobes right, two left, stacked."""
    z, y, x = np.indices(SHAPE)
    hu = np.full(SHAPE, 40, np.int16)
    labels = np.zeros(SHAPE, np.uint8)
    across = ((z - 35) / 20) ** 2 + ((y - 40) / 28) ** 2
    right, left = (across + ((x - middle) / 20) ** 2 < 1 for middle in (30, 80))
    labels[right] = Label.RIGHT_UPPER_LOBE
    labels[right & (z < 38)] = Label.RIGHT_MIDDLE_LOBE
    labels[right & (z < 30)] = Label.RIGHT_LOWER_LOBE
    labels[left] = Label.LEFT_UPPER_LOBE
    labels[left & (z < 35)] = Label.LEFT_LOWER_LOBE
    hu[right | left] = -860
    stomach = ((z - 6) / 6) ** 2 + ((y - 40) / 30) ** 2 + ((x - 80) / 22) ** 2 < 1
    hu[stomach] = -960
    hu[10:17, 38:41, 79:82] = -700  # a thin place of the diaphragm
    return Volume.from_spacing(hu, SPACING_MM), labels


VOLUME, WHOLE = drawn()


def without(*numbers):
    return np.where(np.isin(WHOLE, numbers), 0, WHOLE).astype(np.uint8)


def volume_ml(*numbers):
    return np.isin(WHOLE, numbers).sum() * VOLUME.voxel_ml


def test_a_whole_map_leaves_nothing_out_and_gas_below_the_diaphragm_is_no_lung():
    assert left_out_ml(VOLUME, WHOLE) == {"right": 0, "left": 0}
    figures, doubts = coverage(VOLUME, WHOLE)
    assert set(figures.values()) == {0}
    assert doubts == {}


@pytest.mark.parametrize("gone", RIGHT_LOBES)
def test_a_lobe_that_was_not_drawn_is_found_in_its_lung(gone):
    left_out = left_out_ml(VOLUME, without(gone))
    assert left_out["right"] == pytest.approx(volume_ml(gone), rel=0.02)
    assert left_out["left"] == 0
    figures, doubts = coverage(VOLUME, without(gone))
    share = 100 * volume_ml(gone) / volume_ml(*RIGHT_LOBES)
    assert figures["right_left_out_percent"] == pytest.approx(share, rel=0.02)
    assert doubts == {"right_lung": frozenset({Flag.LABELS_PARTIAL})}


@pytest.mark.parametrize("kept", [slice(30, None), slice(None, 40), slice(None, None, 2)])
def test_slices_that_were_not_drawn_are_found_in_both_lungs(kept):
    part = np.zeros_like(WHOLE)
    part[kept] = WHOLE[kept]
    _, doubts = coverage(VOLUME, part)
    assert doubts == {key: frozenset({Flag.LABELS_PARTIAL}) for key in ("right_lung", "left_lung")}


@pytest.mark.parametrize("radius", [1, 3, 8])
def test_a_ball_within_a_lung_is_a_part_of_it(radius):
    z, y, x = np.indices(SHAPE)
    ball = (z - 35) ** 2 + (y - 40) ** 2 + (x - 30) ** 2 <= radius**2
    figures, doubts = coverage(VOLUME, np.where(ball, Label.RIGHT_LUNG, 0).astype(np.uint8))
    assert doubts == {"right_lung": frozenset({Flag.LABELS_PARTIAL})}
    assert figures["right_left_out_percent"] > 85


def test_a_rim_that_was_left_out_is_no_part():
    rim = WHOLE.copy()
    rim[:, :, :12] = 0  # the outermost 5 mm
    figures, doubts = coverage(VOLUME, rim)
    assert 0 < figures["right_left_out_percent"] < 5
    assert doubts == {}


def test_what_belongs_to_no_lobe_is_told_of_a_lung_that_has_lobes():
    no_middle = np.where(WHOLE == Label.RIGHT_MIDDLE_LOBE, Label.RIGHT_LUNG, WHOLE).astype(np.uint8)
    figures, doubts = coverage(VOLUME, no_middle)
    share = 100 * volume_ml(Label.RIGHT_MIDDLE_LOBE) / volume_ml(*RIGHT_LOBES)
    assert figures["right_in_no_lobe_percent"] == pytest.approx(share)
    assert doubts == {"right_lung": frozenset({Flag.LOBES_PARTIAL})}
    lungs = np.where(np.isin(WHOLE, RIGHT_LOBES), Label.RIGHT_LUNG, WHOLE).astype(np.uint8)
    assert coverage(VOLUME, lungs)[1] == {}


def test_airless_lung_counts_for_its_lung():
    airless = np.where(WHOLE == Label.RIGHT_MIDDLE_LOBE, WHOLE + DENSE, WHOLE).astype(np.uint8)
    assert coverage(VOLUME, airless)[1] == {}


@pytest.fixture
def scan():
    return Scan(volume=VOLUME, patient=Patient(), study=Study(), acquisition=Acquisition())


def imported(tmp_path, scan, labels):
    path = tmp_path / "labels.nii.gz"
    path.write_bytes(nifti_bytes(VOLUME, labels))
    return import_segmentation(path, scan)


def test_an_imported_map_is_flagged_for_what_it_leaves_out(tmp_path, scan):
    assert imported(tmp_path, scan, WHOLE).flags == {Flag.LABELS_IMPORTED}
    found = imported(tmp_path, scan, without(Label.LEFT_LOWER_LOBE))
    assert found.region_flags["left_lung"] == {Flag.LABELS_PARTIAL}
    assert found.method["left_left_out_ml"] > 100


def test_an_imported_map_of_one_lung_is_one_lung(tmp_path, scan):
    assert Flag.SINGLE_LUNG in imported(tmp_path, scan, without(*RIGHT_LOBES)).flags


def test_an_imported_map_of_a_scan_that_cuts_the_lung_is_flagged(tmp_path):
    cut = slice(0, 40)
    short = Volume.from_spacing(VOLUME.hu[cut], SPACING_MM)
    scan = Scan(volume=short, patient=Patient(), study=Study(), acquisition=Acquisition())
    path = tmp_path / "labels.nii.gz"
    path.write_bytes(nifti_bytes(short, WHOLE[cut]))
    assert Flag.TRUNCATED_LUNG in import_segmentation(path, scan).flags


def test_corrected_lungs_that_leave_out_a_part_are_flagged(tmp_path, scan):
    whole = imported(tmp_path, scan, WHOLE)
    mask = tmp_path / "lungs.nii.gz"
    mask.write_bytes(nifti_bytes(VOLUME, (without(Label.LEFT_LOWER_LOBE) > 0).astype(np.uint8)))
    found = with_lungs(whole, mask, scan)
    assert Flag.LABELS_PARTIAL in found.region_flags["left_lung"]
