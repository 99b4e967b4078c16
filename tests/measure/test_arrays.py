"""Plain arrays: what comes out, and a clear answer to whatever goes in."""

import numpy as np
import pytest

import qct

MM = (1.0, 1.0, 1.0)


def block(value=-850, shape=(10, 10, 10)):
    return np.full(shape, value, np.int16)


def test_a_region_of_one_voxel_has_a_mean_and_no_shape():
    labels = np.zeros((10, 10, 10), int)
    labels[1, 2, 3] = 7
    (number, found), *others = qct.measure_density(block(), labels, spacing_mm=MM).items()
    assert (number, others) == (7, [])
    assert (found["volume_ml"], found["mean_hu"], found["sd_hu"]) == (0.001, -850, 0)
    assert (found["skewness"], found["kurtosis"]) == (None, None)
    assert found["perc15_hu"] == -850


def test_no_label_makes_no_region():
    assert qct.measure_density(block(), np.zeros((10, 10, 10), bool), spacing_mm=MM) == {}


def test_equal_hu_have_no_spread_and_no_shape():
    found = qct.measure_density(block(), block() < 0, spacing_mm=MM)[1]
    assert (found["sd_hu"], found["mode_hu"], found["skewness"]) == (0, -850, None)


def test_volume_is_that_of_flat_voxels():
    found = qct.measure_density(block(), block() < 0, spacing_mm=(5, 0.3, 0.3))[1]
    assert found["volume_ml"] == pytest.approx(1000 * 5 * 0.3 * 0.3 / 1000)


def test_labels_may_have_gaps_and_be_large():
    labels = np.zeros((10, 10, 10), np.int64)
    labels[:3], labels[7:] = 5, 70_000
    found = qct.measure_density(block(), labels, spacing_mm=MM)
    assert {number: values["volume_ml"] for number, values in found.items()} == {
        5: 0.3,
        70_000: 0.3,
    }


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint16, np.float32, np.float64, np.int8])
def test_any_kind_of_number_is_measured_alike(dtype):
    hu = block(100).astype(dtype)
    assert qct.measure_density(hu, hu > 0, spacing_mm=MM)[1]["mean_hu"] == 100


def test_fractions_are_rounded_to_whole_hu():
    hu = block().astype(float) + 0.4
    assert qct.measure_density(hu, hu < 0, spacing_mm=MM)[1]["mean_hu"] == -850


def test_nan_outside_the_labels_is_passed_over_and_within_refused():
    hu = block().astype(float)
    hu[0, 0, :2] = np.nan
    assert qct.measure_density(hu, hu < 0, spacing_mm=MM)[1]["volume_ml"] == pytest.approx(0.998)
    with pytest.raises(ValueError, match="2 labelled voxels hold NaN"):
        qct.measure_density(hu, np.ones(hu.shape, bool), spacing_mm=MM)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"labels": np.ones((9, 10, 10), bool)}, "not on the grid"),
        ({"labels": np.ones((10, 10), bool)}, "labels are 2-D"),
        ({"labels": np.ones((10, 10, 10))}, "expected 3-D whole numbers"),
        ({"labels": np.full((10, 10, 10), -1)}, "label -1 is below 0"),
        ({"labels": np.arange(1000).reshape(10, 10, 10)}, "999 different labels"),
        ({"volume": np.full((10, 10, 10), 40_000)}, "1000 labelled voxels hold"),
        ({"volume": np.full((10, 10, 10), "a")}, "expected numbers"),
        ({"spacing_mm": (1, 1)}, "three positive lengths"),
        ({"spacing_mm": (1, 0, 1)}, "three positive lengths"),
        ({"profile": "mine"}, "none of default"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_both_sides_named(wrong, says):
    fit = {"volume": block(), "labels": np.ones((10, 10, 10), bool), "spacing_mm": MM}
    given = fit | wrong
    with pytest.raises(ValueError, match=says):
        qct.measure_density(given.pop("volume"), given.pop("labels"), **given)


def test_more_thresholds_and_percentiles_are_measured_where_asked_for():
    hu = np.arange(-1000, 0, dtype=np.int16).reshape(10, 10, 10)
    found = qct.measure_density(hu, hu < 0, spacing_mm=MM, laa_hu=[920], percentiles=[5])[1]
    assert found["laa920_percent"] == 8
    assert found["perc5_hu"] == pytest.approx(np.percentile(hu, 5))


def test_a_label_that_is_no_lung_is_refused_by_the_measure_of_lungs():
    with pytest.raises(ValueError, match="label 300 is no region"):
        qct.measure_lungs(block(), np.full((10, 10, 10), 300), spacing_mm=MM)
    with pytest.raises(ValueError, match="label 15 is no region"):
        qct.measure_lungs(block(), np.full((10, 10, 10), 15), spacing_mm=MM)
