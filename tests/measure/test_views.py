"""Views and projections on small chests whose answer is known."""

import numpy as np
import pytest

from qct.measure.views import project, take_views
from qct.regions import DENSE, Label
from qct.volume import PADDING_HU, Volume

SPACING_MM = (2.0, 1.0, 1.0)


def chest():
    """40 x 60 x 80 voxels: right lung (LOWER x) -850, left lung -700, its head end -1000; heart between.

    The left lung is shorter (z 10-29) than the right (z 5-34); a marker of +500 HU lies in front.
    """
    hu = np.full((40, 60, 80), 40, np.int16)
    labels = np.zeros(hu.shape, np.uint8)
    labels[5:35, 10:50, 8:32] = Label.RIGHT_LUNG
    labels[10:30, 10:50, 48:72] = Label.LEFT_LUNG
    hu[labels == Label.RIGHT_LUNG] = -850
    hu[labels == Label.LEFT_LUNG] = -700
    hu[25:30, 10:50, 48:72] = -1000
    hu[:, 2, 40] = 500
    return hu, labels


def views_of(volume, labels):
    return {view.name: view for view in take_views(volume, labels)}


def test_the_patients_right_is_on_the_left_of_axial_and_coronal():
    hu, labels = chest()
    shown = views_of(Volume.from_spacing(hu, SPACING_MM), labels)
    for name in ("axial_middle", "coronal_middle"):
        rights = np.nonzero(shown[name].labels == Label.RIGHT_LUNG)[1]
        lefts = np.nonzero(shown[name].labels == Label.LEFT_LUNG)[1]
        assert rights.max() < lefts.min()


def test_the_head_is_up_and_the_front_is_up_or_left():
    hu, labels = chest()
    shown = views_of(Volume.from_spacing(hu, SPACING_MM), labels)
    row_of_air = np.nonzero(shown["coronal_middle"].hu == -1000)[0]
    assert row_of_air.max() < shown["coronal_middle"].hu.shape[0] / 2
    assert np.nonzero(shown["axial_middle"].hu == 500)[0].max() < 5
    assert np.nonzero(shown["sagittal_left"].hu == -1000)[0].max() < 40


def test_pixels_are_square_and_a_millimetre_is_a_millimetre():
    hu, labels = chest()
    view = views_of(Volume.from_spacing(hu, SPACING_MM), labels)["coronal_middle"]
    tall, _ = np.ptp(np.argwhere(view.labels == Label.RIGHT_LUNG), axis=0)
    assert view.pixel_mm == (1.0, 1.0)
    assert tall == pytest.approx(29 * 2, abs=2)


def test_a_native_slice_is_shown_untouched():
    hu, labels = chest()
    hu = hu + np.random.default_rng(0).integers(-20, 20, hu.shape).astype(np.int16)
    volume = Volume.from_spacing(hu, SPACING_MM)
    view = views_of(volume, labels)["axial_middle"]
    z = round(view.position_mm / SPACING_MM[0])
    np.testing.assert_array_equal(view.hu, hu[z])


def test_a_turned_grid_gives_the_same_pictures():
    hu, labels = chest()
    upright = Volume.from_spacing(hu, SPACING_MM)
    turned = Volume(hu[:, :, ::-1], upright.axes_mm * [[1], [1], [-1]], np.array([79.0, 0, 0]))
    for a, b in zip(
        take_views(upright, labels), take_views(turned, labels[:, :, ::-1].copy()), strict=True
    ):
        if a.plane != "sagittal":  # an even number of columns has no one middle
            np.testing.assert_array_equal(a.labels, b.labels)


def test_a_tilted_gantry_does_not_bend_the_picture():
    hu = np.full((40, 60, 80), 40, np.int16)
    labels = np.zeros(hu.shape, np.uint8)
    for z in range(40):  # an upright column of lung on slices that move 0.5 voxels back per step
        labels[z, 10 + z // 2 : 30 + z // 2, 10:30] = Label.RIGHT_LUNG
    axes = np.array([[0, -0.5, 1.0], [0, 1.0, 0], [1.0, 0, 0]])
    view = views_of(Volume(hu, axes, np.zeros(3)), labels)["sagittal_right"]
    columns = [np.flatnonzero(row).mean() for row in view.labels if row.any()]
    assert np.ptp(columns) <= 1.0


def test_the_carina_is_where_the_airway_parts_and_a_leak_does_not_mislead():
    hu, labels = chest()
    labels[20:40, 26:34, 32:48] = Label.AIRWAY
    labels[8:20, 26:34, 30:37] = Label.AIRWAY
    labels[8:20, 26:34, 43:50] = Label.AIRWAY
    labels[25:34, 20:30, 60:68] = Label.AIRWAY
    view = views_of(Volume.from_spacing(hu, SPACING_MM), labels)["axial_carina"]
    assert view.position_mm == pytest.approx(19 * SPACING_MM[0])


def test_stray_voxels_do_not_widen_the_pictures():
    hu, labels = chest()
    clean = views_of(Volume.from_spacing(hu, SPACING_MM), labels)["sagittal_right"]
    labels[0, 59, 0] = Label.RIGHT_LUNG
    stray = views_of(Volume.from_spacing(hu, SPACING_MM), labels)["sagittal_right"]
    assert stray.hu.shape == clean.hu.shape


def test_one_lung_alone_and_no_lung_at_all_are_shown_as_far_as_they_go():
    hu, labels = chest()
    labels[labels == Label.LEFT_LUNG] = 0
    volume = Volume.from_spacing(hu, SPACING_MM)
    assert "sagittal_left" not in views_of(volume, labels)
    assert take_views(volume, np.zeros_like(labels)) == ()
    assert project(volume, np.zeros_like(labels)) == ()


def test_projection_is_the_share_of_low_voxels_along_the_line_of_sight():
    hu, labels = chest()
    hu[5:35, 10:20, 8:32] = -980  # the front quarter of the right lung
    shown = {p.name: p for p in project(Volume.from_spacing(hu, SPACING_MM), labels)}
    coronal = shown["laa950_coronal"].values
    right = coronal[:, : coronal.shape[1] // 2]
    assert np.nanmin(right) == pytest.approx(25)
    assert np.nanmax(right) == pytest.approx(25)
    left = coronal[:, coronal.shape[1] // 2 :]
    assert np.nanmax(left) == pytest.approx(100)
    assert np.nanmin(left) == 0
    side = shown["laa950_sagittal_right"].values
    assert np.nanmean(side[:, :6]) > 90 > 10 > np.nanmean(side[:, -6:])


def test_airless_lung_is_not_part_of_a_projection():
    hu, labels = chest()
    labels[20:, 10:50, 8:32] = Label.RIGHT_LUNG + DENSE
    shown = project(Volume.from_spacing(hu, SPACING_MM), labels * (labels != Label.LEFT_LUNG))
    assert shown[0].values.shape[0] * shown[0].pixel_mm[0] < 40


def test_what_lies_outside_the_scan_is_padding():
    hu, labels = chest()
    rotated = Volume.from_spacing(hu, SPACING_MM)
    c, s = np.cos(0.2), np.sin(0.2)
    axes = rotated.axes_mm @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    view = views_of(Volume(hu, axes, np.zeros(3)), labels)["axial_middle"]
    assert (view.hu == PADDING_HU).any()


def test_labels_of_another_grid_are_refused():
    hu, labels = chest()
    with pytest.raises(ValueError, match="grid"):
        take_views(Volume.from_spacing(hu, SPACING_MM), labels[1:])
