import numpy as np
import pytest

from qct.flags import Flag, Status
from qct.measure import Extras, measure
from qct.quantities import PATTERN_KEYS, REGION_KEYS
from qct.regions import AIRWAY, DENSE, LOBES, LUNG_REGIONS, MEASURED_REGIONS, Label
from qct.volume import PADDING_HU, Volume


def blocks(spacing_mm=(2.0, 1.0, 1.0)):
    """Five blocks of 10 x 20 x 20 voxels, one per lobe, 4000 voxels = 8 mL each, stacked headwards.

    Block k is -860 HU, and its first k tenths are emphysema at -980 HU. An airway block lies on top.
    """
    labels = np.repeat([1, 2, 3, 4, 5, Label.AIRWAY], 10).astype(np.uint8)
    labels = np.broadcast_to(labels[:, None, None], (60, 20, 20)).copy()
    hu = np.full(labels.shape, -860, np.int16)
    for k in range(5):
        hu[10 * k : 10 * k + k] = -980
    return Volume.from_spacing(hu, spacing_mm), labels


def found(volume, labels, **settings):
    measured = measure(volume, labels, **settings).measured
    return {(one.region, one.quantity): one for one in measured}


def values(volume, labels, quantity):
    all_found = found(volume, labels)
    keys = ("left_upper_lobe", "left_lower_lobe", "right_upper_lobe", "right_middle_lobe")
    return [all_found[key, quantity].value for key in (*keys, "right_lower_lobe")]


def test_every_row_of_the_dictionary_is_measured_and_nothing_else():
    measured = found(*blocks()).keys()
    assert {quantity for _, quantity in measured} == {*REGION_KEYS, *PATTERN_KEYS}
    in_every_region = {(region.key, key) for region in MEASURED_REGIONS for key in REGION_KEYS}
    assert in_every_region | {(AIRWAY.key, "volume_ml")} == {
        one for one in measured if one[1] not in PATTERN_KEYS
    }


def test_emphysema_of_the_upper_thirds_is_set_against_that_of_the_lower():
    all_found = found(*blocks())
    ratio = all_found["whole_lung", "laa950_upper_lower_ratio"].value
    thirds = [all_found[f"{t}_third", "laa950_percent"].value for t in ("upper", "lower")]
    assert ratio == thirds[0] / thirds[1]
    # four slabs of 0.8, 1.6, 2.4 and 3.2 mL are too few for a line; 15 mm across is 1.8 mL
    assert all_found["whole_lung", "laa_cluster_d"].status is Status.NOT_MEASURED
    whole = {key: all_found["whole_lung", key].value for key in PATTERN_KEYS[:10]}
    assert whole["laa_cluster_large_percent"] == 70
    assert whole["laa_cluster_medium_percent"] == 30
    assert (whole["laa_cluster_count"], whole["laa_cluster_largest_ml"]) == (4, 3.2)


def test_a_lobe_is_set_against_the_other_large_lobe_of_its_lung():
    all_found = found(
        *blocks()
    )  # 0 and 10 % on the left; 20 and 40 % on the right, the middle lobe 30 %
    points = {
        r: one.value for (r, q), one in all_found.items() if q == "laa950_heterogeneity_percent"
    }
    assert points == {
        "right_upper_lobe": -20,
        "right_lower_lobe": 20,
        "left_upper_lobe": -10,
        "left_lower_lobe": 10,
    }


def test_any_threshold_and_percentile_is_measured_where_asked_for():
    all_found = found(*blocks(), extras=Extras((900, 950), (5, 15)))
    assert all_found["left_lower_lobe", "laa900_percent"].value == 10
    assert all_found["right_lower_lobe", "perc5_hu"].value == -980
    whole = [key for region, key in all_found if region == "whole_lung" and key not in PATTERN_KEYS]
    assert whole == [*REGION_KEYS, "laa900_percent", "perc5_hu"]


def test_a_ratio_of_next_to_nothing_is_not_measured():
    _, labels = blocks()
    hu = np.full(labels.shape, -860, np.int16)
    hu[10, 0, :3] = hu[55, 0, :3] = -980
    all_found = found(Volume.from_spacing(hu, (2.0, 1.0, 1.0)), labels)
    assert all_found["whole_lung", "laa950_upper_lower_ratio"].status is Status.NOT_MEASURED


def test_blocks_have_the_emphysema_that_was_put_in():
    assert values(*blocks(), "laa950_percent") == [0, 10, 20, 30, 40]


def test_volume_follows_the_spacing_and_nothing_else_does():
    fine, thick = (blocks(spacing_mm=(dz, 0.3, 0.3)) for dz in (1.0, 5.0))
    assert values(*fine, "volume_ml") == pytest.approx([0.36] * 5)
    assert values(*thick, "volume_ml") == pytest.approx([1.8] * 5)
    assert values(*fine, "mean_hu") == values(*thick, "mean_hu")


def test_lungs_are_the_sum_of_their_lobes_without_the_airway():
    all_found = found(*blocks())
    assert all_found["whole_lung", "volume_ml"].value == pytest.approx(40)
    assert all_found["right_lung", "volume_ml"].value == pytest.approx(24)
    assert all_found["airway", "volume_ml"].value == pytest.approx(8)
    assert all_found["whole_lung", "laa950_percent"].value == 20


def test_airless_lung_counts_for_volume_and_not_for_density():
    volume, labels = blocks()
    hu = volume.hu.copy()
    hu[:5], labels[:5] = 40, Label.LEFT_UPPER_LOBE + DENSE
    all_found = found(Volume.from_spacing(hu, (2.0, 1.0, 1.0)), labels)
    lobe = {key: all_found["left_upper_lobe", key].value for key in REGION_KEYS}
    assert (lobe["volume_ml"], lobe["dense_percent"], lobe["mean_hu"]) == (8, 50, -860)


def test_padding_never_counts():
    volume, labels = blocks()
    hu = volume.hu.copy()
    hu[:, :10] = PADDING_HU
    padded = Volume.from_spacing(hu, (2.0, 1.0, 1.0))
    assert values(padded, labels, "volume_ml") == [4] * 5
    assert values(padded, labels, "mean_hu") == values(volume, labels, "mean_hu")


def test_thirds_of_each_lung_have_equal_volume():
    all_found = found(*blocks())
    for prefix, ml in (("", 40 / 3), ("right_", 8), ("left_", 16 / 3)):
        thirds = [
            all_found[f"{prefix}{t}_third", "volume_ml"].value for t in ("lower", "middle", "upper")
        ]
        assert thirds == pytest.approx([ml] * 3, abs=0.81)  # one slice of one lung
        assert sum(thirds) == pytest.approx(3 * ml)


def test_a_small_region_keeps_its_volume_only():
    volume, labels = blocks()
    labels[labels == Label.RIGHT_MIDDLE_LOBE] = Label.RIGHT_UPPER_LOBE
    labels[25, 3, 3] = Label.RIGHT_MIDDLE_LOBE
    all_found = found(volume, labels)
    assert all_found["right_middle_lobe", "volume_ml"].value == pytest.approx(0.002)
    mean = all_found["right_middle_lobe", "mean_hu"]
    assert (mean.value, mean.status, mean.flags) == (
        None,
        Status.NOT_MEASURED,
        frozenset({Flag.TOO_FEW_VOXELS}),
    )


def test_an_absent_region_is_not_measured_and_not_doubted():
    volume, labels = blocks()
    labels[(labels >= 3) & (labels <= 5)] = Label.RIGHT_LUNG
    all_found = found(volume, labels)
    for region in LOBES[:3]:
        assert {all_found[region.key, key].status for key in REGION_KEYS} == {Status.NOT_MEASURED}
        assert not all_found[region.key, "volume_ml"].flags
    assert all_found["right_lung", "volume_ml"].value == pytest.approx(24)


def test_no_labels_measure_nothing():
    volume, labels = blocks()
    measurements = measure(volume, np.zeros_like(labels))
    assert {one.value for one in measurements.measured} == {None}
    assert measurements.histograms == ()


def test_equal_hu_have_a_mean_but_no_skewness():
    _, labels = blocks()
    flat = Volume.from_spacing(np.full(labels.shape, -800, np.int16), (1.0, 1.0, 1.0))
    all_found = found(flat, labels)
    assert all_found["whole_lung", "mean_hu"].value == -800
    assert all_found["whole_lung", "sd_hu"].value == 0
    assert all_found["whole_lung", "skewness"].status is Status.NOT_MEASURED


def test_histograms_hold_every_aerated_voxel_of_their_region():
    volume, labels = blocks()
    histograms = {h.region: h for h in measure(volume, labels).histograms}
    assert histograms.keys() == {region.key for region in LUNG_REGIONS}
    assert histograms["whole_lung"].counts.sum() == np.count_nonzero((labels > 0) & (labels < 6))
    lobe = histograms["right_lower_lobe"]
    assert lobe.counts[-980 - lobe.lowest_hu] == 1600


def test_a_mirrored_scan_has_mirrored_lobes():
    volume, labels = blocks()
    mirrored = Volume.from_spacing(np.ascontiguousarray(volume.hu[:, :, ::-1]), (2.0, 1.0, 1.0))
    assert (
        measure(mirrored, np.ascontiguousarray(labels[:, :, ::-1])).measured
        == measure(volume, labels).measured
    )


@pytest.mark.parametrize("number", [9, 15, AIRWAY.labels[0] + DENSE, 32, 255])
def test_a_number_that_is_no_label_is_refused(number):
    volume, labels = blocks()
    labels[3, 3, 3] = number
    with pytest.raises(ValueError, match=f"label {number} is no region"):
        measure(volume, labels)


def test_labels_on_another_grid_are_refused():
    volume, labels = blocks()
    with pytest.raises(ValueError, match="are not on the grid"):
        measure(volume, labels[1:])


def test_an_unknown_profile_is_refused():
    with pytest.raises(KeyError, match="home-made"):
        measure(*blocks(), profile="home-made")
