import numpy as np
import pytest

from qct.measure import calibrate
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


def test_air_reads_what_was_put_in():
    assert calibrate(*chest()) == {"tracheal_air": -985, "outside_air": -998}


def test_a_trachea_too_narrow_for_a_core_is_left_out():
    assert calibrate(*chest(radius_mm=4)) == {"outside_air": -998}


def test_a_scan_without_airway_has_no_tracheal_air():
    volume, labels = chest()
    assert calibrate(volume, np.zeros_like(labels)).keys() == {"outside_air"}


def test_a_tight_field_of_view_has_no_outside_air():
    volume, labels = chest()
    tight = Volume.from_spacing(np.ascontiguousarray(volume.hu[:, 45:]), SPACING_MM)
    assert calibrate(tight, labels[:, 45:]).keys() == {"tracheal_air"}


def test_labels_on_another_grid_are_refused():
    volume, labels = chest()
    with pytest.raises(ValueError, match="not on the grid"):
        calibrate(volume, labels[1:])
