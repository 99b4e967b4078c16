import numpy as np
import pytest

from qct.measure import calibrate, measure_noise
from qct.regions import Label
from qct.volume import PADDING_HU, Volume

SPACING_MM = (2.0, 1.0, 1.0)


def chest(trachea_hu=-985, outside_hu=-998, radius_mm=10):
    """A box of tissue, air in front of it, a round trachea whose outermost 2 mm are wall; corners padded."""
    hu = np.full((40, 120, 120), outside_hu, np.int16)
    hu[:, 40:] = 30
    y, x = np.mgrid[:120, :120]
    from_axis_mm = np.hypot(y - 70, x - 60)
    labels = np.zeros(hu.shape, np.uint8)
    labels[:, from_axis_mm < radius_mm] = Label.AIRWAY
    hu[:, from_axis_mm < radius_mm] = 20
    hu[:, from_axis_mm < radius_mm - 2] = trachea_hu
    hu[:, np.hypot(y - 59.5, x - 59.5) > 60] = PADDING_HU
    return Volume.from_spacing(hu, SPACING_MM), labels


def measured(volume, labels):
    return calibrate(volume, labels, measure_noise(volume, labels))


def test_air_reads_what_was_put_in():
    assert measured(*chest()) == {"tracheal_air": -985, "outside_air": -998, "noise_sd": 0}


def test_noise_is_that_of_tracheal_air():
    volume, labels = chest()
    hu = volume.hu + np.random.default_rng(1).normal(0, 25, volume.shape).astype(np.int16)
    assert measured(Volume.from_spacing(hu, SPACING_MM), labels)["noise_sd"] == pytest.approx(
        25, abs=1
    )


def test_what_lies_between_the_bronchi_and_below_is_no_tracheal_air():
    volume, labels = chest()
    hu = volume.hu.copy()
    below = slice(
        0, 34
    )  # the airway is followed far down: the trachea parts above a third of its height
    labels[below], hu[below, 40:] = 0, 30
    y, x = np.mgrid[:120, :120]
    for centre in (48, 72):
        from_axis_mm = np.hypot(y - 70, x - centre)
        labels[below][:, from_axis_mm < 14] = Label.AIRWAY
        hu[below][:, from_axis_mm < 10] = -900
    found = measured(Volume.from_spacing(hu, SPACING_MM), labels)
    assert (found["tracheal_air"], found["noise_sd"]) == (-985, 0)


def test_a_drift_along_the_trachea_is_no_noise():
    volume, labels = chest()
    hu = volume.hu + np.arange(40, dtype=np.int16)[:, None, None]
    assert measured(Volume.from_spacing(hu, SPACING_MM), labels)["noise_sd"] == 0


def test_muscle_beside_the_spine_reads_what_was_put_in():
    hu = np.full((40, 160, 200), -100, np.int16)  # fat
    hu[:, 20:100, 20:180] = 40
    hu[:, 85:120, 60:140] = 55  # muscle of the back
    hu[:, 80:120, 92:108] = 400  # spine
    labels = np.zeros(hu.shape, np.uint8)
    labels[:, 30:90, 30:90] = Label.RIGHT_LUNG
    labels[:, 30:90, 110:170] = Label.LEFT_LUNG
    hu[labels > 0] = -850
    assert measured(Volume.from_spacing(hu, SPACING_MM), labels)["muscle"] == 55


def test_a_trachea_too_narrow_for_a_core_is_left_out():
    assert measured(*chest(radius_mm=4)) == {"outside_air": -998}


def test_a_scan_without_airway_has_no_tracheal_air():
    volume, labels = chest()
    assert measured(volume, np.zeros_like(labels)).keys() == {"outside_air"}


def test_a_tight_field_of_view_has_no_outside_air():
    volume, labels = chest()
    tight = Volume.from_spacing(np.ascontiguousarray(volume.hu[:, 45:]), SPACING_MM)
    assert measured(tight, labels[:, 45:]).keys() == {"tracheal_air", "noise_sd"}


def test_labels_on_another_grid_are_refused():
    volume, labels = chest()
    with pytest.raises(ValueError, match="not on the grid"):
        calibrate(volume, labels[1:], None)
