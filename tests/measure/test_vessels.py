import numpy as np
import pytest

from qct.findings import Vessels
from qct.flags import Status
from qct.measure import measure_vessels
from qct.quantities import VESSEL_KEYS
from qct.regions import Label


def vessels(**ml):
    """Vessels of so many mL in all, one class of cross-section (mm²) per label."""
    volume_ml = np.zeros((8, 101))
    for name, by_mm2 in ml.items():
        for mm2, value in by_mm2.items():
            volume_ml[Label[name], mm2] = value
    nothing = np.zeros((0, 3), np.float32)
    return Vessels(
        points_mm=nothing,
        axes=nothing,
        area_mm2=np.zeros(0, np.float32),
        volume_ml=volume_ml,
        method={},
    )


def values(found):
    return {(one.region, one.quantity): one.value for one in measure_vessels(found)}


def test_small_vessels_are_those_under_5_and_under_10_mm2():
    found = values(vessels(LEFT_LOWER_LOBE={0: 10.0, 4: 20.0, 5: 5.0, 9: 5.0, 10: 8.0, 100: 2.0}))
    lobe = [found["left_lower_lobe", key] for key in VESSEL_KEYS]
    assert lobe == pytest.approx([50.0, 30.0, 40.0, 60.0])


def test_lungs_are_the_sums_of_their_lobes_and_of_what_has_no_lobe():
    found = values(
        vessels(RIGHT_UPPER_LOBE={3: 10.0}, RIGHT_LUNG={20: 30.0}, LEFT_LOWER_LOBE={3: 60.0})
    )
    assert found["right_lung", "total_vessel_volume_ml"] == 40.0
    assert found["whole_lung", "total_vessel_volume_ml"] == 100.0
    assert found["whole_lung", "bv5_share_percent"] == pytest.approx(70.0)


def test_every_region_has_every_number_and_an_absent_lobe_is_not_measured():
    measured = measure_vessels(vessels(LEFT_LOWER_LOBE={3: 1.0}))
    assert len(measured) == 8 * len(VESSEL_KEYS)
    absent = [one for one in measured if one.region == "right_upper_lobe"]
    assert {(one.value, one.status) for one in absent} == {(None, Status.NOT_MEASURED)}


def test_without_a_lung_nothing_is_measured():
    assert {one.status for one in measure_vessels(None)} == {Status.NOT_MEASURED}
