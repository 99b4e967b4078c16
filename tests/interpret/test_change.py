from dataclasses import replace

import pytest

from qct.acquisition import Acquisition, KernelFamily
from qct.findings import Measured, Result
from qct.flags import Flag, Status
from qct.interpret import compare
from qct.interpret.change import CHANGED, NOT_COMPARABLE, VOLUME_DIFFERS, WITHIN

SCANNED = Acquisition(
    recon_kernel="B30f",
    kernel_family=KernelFamily.STANDARD,
    is_iterative=False,
    slice_mm=1.0,
    ctdi_vol_mgy=5.0,
    patient_position="HFS",
)


def result(date="2020-01-01", *, laa=5.0, volume=5000.0, pd15=60.0, **other):
    numbers = {
        "laa950_percent": laa,
        "volume_ml": volume,
        "perc15_g_l": pd15,
        "kurtosis": 3.0,
    }
    measured = tuple(Measured("whole_lung", key, value) for key, value in numbers.items())
    fields = {
        "name": date or "undated",
        "date": date,
        "patient_id": "A",
        "version": "0.1.0",
        "profile": "default",
        "segmentation": "surfaces",
        "acquisition": SCANNED,
        "measured": measured,
    }
    return Result(**fields | other)


def by_key(*results):
    return {one.quantity: one for one in compare(results)}


@pytest.mark.parametrize(
    ("laa", "verdict"), [(8.6, WITHIN), (8.7, CHANGED), (1.2, CHANGED), (5.0, WITHIN)]
)
def test_a_difference_counts_from_the_least_detectable_change_on(laa, verdict):
    one = by_key(result(), result("2021-01-01", laa=laa))["laa950_percent"]
    assert (one.verdict, one.why, one.least_change) == (verdict, "", 3.7)
    assert one.difference == pytest.approx(laa - 5)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"recon_kernel": "B60f", "kernel_family": KernelFamily.SHARP}, "kernel B30f"),
        ({"recon_kernel": "X", "kernel_family": KernelFamily.UNKNOWN}, "is not known"),
        ({"is_iterative": True}, "iteratively"),
        ({"slice_mm": 2.0}, "slices of 1 and 2 mm"),
        ({"slice_mm": None}, "slice thickness is not known"),
        ({"ctdi_vol_mgy": 1.5}, "low dose"),
        ({"ctdi_vol_mgy": None}, "dose is not known"),
    ],
)
def test_density_of_scans_made_differently_is_not_compared_and_volume_is(changed, why):
    found = by_key(result(), result("2021-01-01", acquisition=replace(SCANNED, **changed)))
    assert found["laa950_percent"].verdict == NOT_COMPARABLE
    assert why in found["laa950_percent"].why
    assert found["laa950_percent"].difference is None
    assert found["volume_ml"].verdict == WITHIN


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"version": "0.2.0"}, "measured by qct 0.1.0 and 0.2.0"),
        ({"code": "1a2b"}, "two states of qct 0.1.0 (code not told; code 1a2b)"),
        ({"profile": "le"}, "profile default and le"),
        ({"patient_id": "B"}, "patient IDs differ"),
        ({"segmentation": "imported"}, "regions come from surfaces and imported"),
        ({"acquisition": replace(SCANNED, patient_position="HFP")}, "position S and P"),
        ({"flags": frozenset({Flag.EXPIRATION})}, "full inspiration is in doubt"),
    ],
)
def test_nothing_is_compared_across(changed, why):
    for one in compare([result(), result("2021-01-01", **changed)]):
        assert one.verdict == NOT_COMPARABLE
        assert why in one.why
        assert one.difference is None


def test_contrast_in_one_scan_spoils_density_and_in_both_none():
    contrast = {"flags": frozenset({Flag.CONTRAST})}
    one = by_key(result(), result("2021-01-01", **contrast))["laa950_percent"]
    assert "contrast" in one.why
    both = by_key(result(**contrast), result("2021-01-01", **contrast))
    assert both["laa950_percent"].verdict == WITHIN


def test_a_withheld_number_says_where():
    withheld = (Measured("whole_lung", "laa950_percent", None, Status.WITHHELD),)
    late = by_key(result(), result("2021-01-01", measured=withheld))["laa950_percent"]
    early = by_key(result(measured=withheld), result("2021-01-01"))["laa950_percent"]
    assert late.why == "withheld in 2021-01-01"
    assert early.why == "withheld in 2020-01-01"


def test_a_number_without_a_published_repeatability_is_shown_and_not_judged():
    one = by_key(result(), result("2021-01-01"))["kurtosis"]
    assert (one.verdict, one.difference) == (NOT_COMPARABLE, 0)
    assert "no published repeatability" in one.why


def test_density_is_set_against_that_at_the_volume_of_the_baseline():
    # the same tissue, blown up by a tenth: the raw density falls, the adjusted one stays
    found = by_key(result(pd15=220.0), result("2021-01-01", volume=5500.0, pd15=200.0))
    assert found["perc15_g_l"].verdict == VOLUME_DIFFERS
    assert "differs by +500 mL (+10 %)" in found["perc15_g_l"].why
    assert found["perc15_baseline_g_l"].difference == pytest.approx(0)
    assert found["perc15_baseline_g_l"].verdict == WITHIN
    assert found["perc15_baseline_g_l"].least_change == 11


@pytest.mark.parametrize("laa", [5.0, 25.0])
@pytest.mark.parametrize("volume", [4500.0, 5500.0])
def test_what_inflation_moves_is_not_judged_where_lung_volume_differs(laa, volume):
    found = by_key(result(), result("2021-01-01", volume=volume, laa=laa))
    assert found["laa950_percent"].verdict == VOLUME_DIFFERS
    assert found["laa950_percent"].difference == laa - 5
    assert found["volume_ml"].verdict == CHANGED
    near = by_key(result(), result("2021-01-01", volume=5400.0, laa=laa))
    assert near["laa950_percent"].verdict == (CHANGED if laa == 25 else WITHIN)


def test_scans_are_put_in_the_order_of_their_dates_and_the_slope_is_per_year():
    late, early, middle = (
        result("2022-01-01", laa=9.0),
        result("2020-01-01", laa=5.0),
        result("2021-01-01", laa=7.0),
    )
    one = by_key(late, early, middle)["laa950_percent"]
    assert [point.value for point in one.points] == [5, 7, 9]
    assert one.slope_per_year == pytest.approx(2.0, rel=0.01)


def test_a_point_that_cannot_be_compared_takes_no_part_in_the_slope():
    odd = result("2021-01-01", laa=40.0, acquisition=replace(SCANNED, slice_mm=5.0))
    one = by_key(result(), odd, result("2022-01-01", laa=7.0))["laa950_percent"]
    assert one.points[1].value == 40
    assert one.points[1].why == "slices of 1 and 5 mm"
    assert one.slope_per_year == pytest.approx(1.0, rel=0.01)
    assert one.verdict == WITHIN


def test_days_or_unknown_dates_make_no_slope():
    assert by_key(result(), result("2020-01-08", laa=6.0))["laa950_percent"].slope_per_year is None
    undated = by_key(result(None), result(None, laa=9.0))["laa950_percent"]
    assert (undated.slope_per_year, undated.verdict) == (None, CHANGED)


def test_one_result_is_no_comparison():
    with pytest.raises(ValueError, match="1 results"):
        compare([result()])


def test_a_scan_is_not_compared_with_itself():
    again = replace(SCANNED, series_uid="1.2.3")
    change = compare([result(acquisition=again), result(acquisition=again)])[0]
    assert (change.verdict, change.why) == (NOT_COMPARABLE, "the same scan again")


def test_two_series_of_one_day_keep_apart():
    names = [point.name for point in compare([result(), result(), result("2021-01-01")])[0].points]
    assert names == ["2020-01-01 (1)", "2020-01-01 (2)", "2021-01-01"]
