"""Every way a scan can be worse leaves the truth right."""

from dataclasses import replace

import numpy as np
import pytest

from qct.errors import OptionError
from qct.phantom import ChestSpec
from qct.phantom.artefacts import beating
from qct.phantom.imaging import take_image
from qct.phantom.model import build_model
from qct.regions import Label


@pytest.fixture(scope="module")
def image(body, tiny_spec):
    return take_image(body, tiny_spec)


@pytest.fixture(scope="module")
def arms(tiny_spec):
    spec = replace(tiny_spec, arms_down=True, fov_mm=500.0)
    return spec, build_model(spec)


def changed(body, spec, **settings):
    return take_image(body, replace(spec, **settings))


def volume_ml(image):
    lung = (image.labels > 0) & (image.labels < Label.AIRWAY)
    return np.count_nonzero(lung) * image.volume.voxel_ml


def centre_mm(image):
    """Middle of the lungs in the patient."""
    index = np.argwhere((image.labels > 0) & (image.labels < Label.AIRWAY)).mean(0)
    return image.volume.origin_mm + index @ image.volume.axes_mm


@pytest.mark.parametrize(
    "settings", [{"tilt_deg": 15.0}, {"tilt_deg": -20.0}, {"off_x_mm": 30.0, "off_y_mm": -20.0}]
)
def test_lungs_stay_what_and_where_they_are_however_the_slices_lie(
    body, image, tiny_spec, settings
):
    other = changed(body, tiny_spec, **settings)
    assert volume_ml(other) == pytest.approx(volume_ml(image), rel=0.02)
    np.testing.assert_allclose(centre_mm(other), centre_mm(image), atol=2.5)
    assert not np.allclose(other.volume.origin_mm, image.volume.origin_mm)


def test_a_tilted_gantry_leans_the_slices_by_its_angle(body, tiny_spec):
    down = changed(body, tiny_spec, tilt_deg=15.0).volume.axes_mm[1]
    assert np.degrees(np.arctan2(down[2], down[1])) == pytest.approx(15)


def test_bases_that_were_not_scanned_are_missing_in_the_truth_too(body, image, tiny_spec):
    cut = changed(body, tiny_spec, cut_base_mm=60.0)
    assert (cut.labels[0] > 0).any()
    assert not (image.labels[0] > 0).any()
    assert volume_ml(cut) < volume_ml(image)


def test_nothing_reads_below_the_floor_that_is_stored(body, tiny_spec):
    assert changed(body, tiny_spec, floor_hu=-1000).volume.hu.min() == -1000


def test_hardened_beams_darken_the_middle_and_leave_the_labels(body, image, tiny_spec):
    hard = changed(body, tiny_spec, drift_hu=30.0)
    np.testing.assert_array_equal(hard.labels, image.labels)
    off = (hard.clean.astype(int) - image.clean)[image.clean.shape[0] // 2]
    middle = off.shape[0] // 2
    assert off[middle, middle] == pytest.approx(-30, abs=2)
    assert abs(off[0, 0]) <= 2


def test_streaks_lie_on_the_noisy_image_alone_and_run_from_side_to_side(arms):
    spec, body = arms
    streaked, plain = changed(body, spec, streaks_hu=200.0), take_image(body, spec)
    np.testing.assert_array_equal(streaked.clean, plain.clean)
    added = streaked.volume.hu.astype(float) - plain.volume.hu
    added = added[np.abs(added).sum((1, 2)).argmax()]
    row = added[np.abs(added).sum(1).argmax()]
    assert np.corrcoef(row[:-1], row[1:])[0, 1] > 0.8


def test_a_beating_heart_blurs_its_own_border_and_nothing_far_from_it(body):
    moved = beating(body, 12.0)
    assert moved.labels is body.labels
    where = np.argwhere(np.abs(moved.hu - body.hu) > 100)
    assert len(where) > 50
    width = np.ptp(np.quantile(where[:, 2], [0.05, 0.95]))
    assert width < 0.6 * np.ptp(np.argwhere(body.labels > 0)[:, 2])


def test_fat_and_arms_leave_the_lungs_as_they_are(arms, body, tiny_spec):
    fat = replace(tiny_spec, fat_mm=40.0, fov_mm=500.0)
    usual = changed(body, tiny_spec, fov_mm=500.0)
    for spec, other in ((fat, build_model(fat)), arms):
        one = take_image(other, spec)
        assert volume_ml(one) == pytest.approx(volume_ml(usual), rel=0.01)
        assert np.count_nonzero(one.clean > -200) > 1.15 * np.count_nonzero(usual.clean > -200)


def test_accessory_fissures_show_in_the_left_upper_and_right_lower_lobe_and_bound_none(
    body, tiny_spec
):
    fissured = build_model(replace(tiny_spec, accessory=True))
    np.testing.assert_array_equal(fissured.labels, body.labels)
    lung = body.labels > 0
    lobes = np.unique(body.labels[lung & (np.abs(fissured.hu - body.hu) > 30)])
    assert set(lobes) == {Label.LEFT_UPPER_LOBE, Label.RIGHT_LOWER_LOBE}


def test_a_floor_that_no_scanner_has_is_refused():
    with pytest.raises(OptionError, match="-1024"):
        ChestSpec(floor_hu=-1010)
