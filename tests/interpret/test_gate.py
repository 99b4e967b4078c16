import re
import string
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qct.acquisition import Acquisition, KernelFamily, Patient, Study
from qct.errors import OptionError
from qct.findings import FissureFit, Measured, Scan, Segmentation
from qct.flags import Flag, Status, Weight
from qct.interpret import judge
from qct.interpret.facts import header_facts, image_facts, region_facts
from qct.interpret.gate import foresee, load_gate, parse_gate, site_gate
from qct.quantities import HEADLINE, QUANTITIES
from qct.regions import LOBES, REGIONS, Fissure
from qct.volume import Volume

GOOD = Acquisition(
    recon_kernel="B31f",
    kernel_family=KernelFamily.SOFT,
    is_iterative=False,
    slice_mm=1.0,
    has_contrast=False,
    patient_position="HFS",
    kvp=120.0,
    ctdi_vol_mgy=7.0,
)
MEASURED = tuple(
    Measured(region, key, {"median_hu": -860.0, "clipped_percent": 0.5}.get(key, 10.0))
    for region in REGIONS
    for key in QUANTITIES
)
LOW = ("laa970_percent", "laa950_percent", "laa910_percent", "laa856_percent")
EMPTY = np.zeros((2, 2, 2), np.uint8)


def scan(spacing_z_mm=1.0, flags=frozenset(), **acquisition):
    volume = Volume.from_spacing(np.zeros((2, 2, 2), np.int16), (spacing_z_mm, 0.7, 0.7))
    return Scan(
        volume=volume,
        patient=Patient(),
        study=Study(),
        acquisition=replace(GOOD, **acquisition),
        flags=frozenset(flags),
    )


def judged(taken=None, measured=MEASURED, calibration_hu=None, **segmentation):
    """Verdict, and status by (region, quantity)."""
    parts = Segmentation(labels=EMPTY, **segmentation)
    verdict, numbers = judge(taken or scan(), parts, measured, calibration_hu)
    return verdict, {(one.region, one.quantity): one for one in numbers}


def statuses(numbers, region="whole_lung", quantities=tuple(QUANTITIES)):
    return {numbers[region, key].status for key in quantities}


def test_a_good_scan_is_reported_without_a_word():
    verdict, numbers = judged()
    assert (verdict.overall, verdict.reasons) == (Status.REPORTED, ())
    assert {one.status for one in numbers.values()} == {Status.REPORTED}


def test_a_sharp_kernel_withholds_low_attenuation_and_leaves_the_volume():
    verdict, numbers = judged(scan(kernel_family=KernelFamily.SHARP, recon_kernel="B70f"))
    assert verdict.overall is Status.WITHHELD
    assert statuses(numbers, quantities=(*LOW, "perc15_hu")) == {Status.WITHHELD}
    assert numbers["whole_lung", "volume_ml"].status is Status.REPORTED
    assert numbers["whole_lung", "mean_hu"].value == 10.0
    reason, for_airways, for_vessels = verdict.reasons
    assert (reason.flag, reason.source) == (Flag.SHARP_KERNEL, "gierada2010")
    assert "B70f" in reason.says
    assert (for_airways.flag, for_airways.weight) == (Flag.SHARP_KERNEL, Weight.WITHHOLD)
    assert (for_vessels.flag, for_vessels.weight) == (Flag.SHARP_KERNEL, Weight.CAVEAT)
    assert numbers["whole_lung", "bv5_ml"].status is Status.CAVEAT
    assert statuses(numbers, "airway", ("pi10_mm", "segmental_wall_mm")) == {Status.WITHHELD}
    assert numbers["airway", "segmental_lumen_mm"].status is Status.CAVEAT


def test_a_withheld_number_has_no_value():
    _, numbers = judged(scan(kernel_family=KernelFamily.SHARP))
    assert all(one.value is None for one in numbers.values() if one.status is Status.WITHHELD)
    assert all(one.value is not None for one in numbers.values() if one.status is Status.CAVEAT)


@pytest.mark.parametrize(
    ("taken", "flag", "laa950", "volume"),
    [
        ({"slice_mm": 1.5}, None, "reported", "reported"),
        ({"slice_mm": 3.0, "spacing_z_mm": 3.0}, Flag.THICK_SLICES, "caveat", "reported"),
        ({"slice_mm": 5.0, "spacing_z_mm": 5.0}, Flag.THICK_SLICES, "caveat", "reported"),
        ({"slice_mm": 8.0, "spacing_z_mm": 8.0}, Flag.THICK_SLICES, "withheld", "caveat"),
        ({"slice_mm": None}, Flag.UNKNOWN_ACQUISITION, "caveat", "reported"),
        ({"slice_mm": 1.0, "spacing_z_mm": 10.0}, Flag.SPARSE_SLICES, "caveat", "caveat"),
        ({"kernel_family": KernelFamily.UNKNOWN}, Flag.UNKNOWN_KERNEL, "caveat", "reported"),
        ({"is_iterative": True}, Flag.ITERATIVE_KERNEL, "caveat", "reported"),
        ({"has_contrast": True}, Flag.CONTRAST, "caveat", "reported"),
        ({"patient_position": "HFP"}, Flag.NOT_SUPINE, "caveat", "caveat"),
        ({"patient_position": "FFS"}, None, "reported", "reported"),
        ({"ctdi_vol_mgy": 1.2}, Flag.LOW_DOSE, "caveat", "reported"),
        ({"is_lossy": True}, Flag.LOSSY_COMPRESSION, "withheld", "caveat"),
        ({"flags": {Flag.LOSSY_COMPRESSION}}, Flag.LOSSY_COMPRESSION, "withheld", "caveat"),
        ({"series_description": "Thorax EXP 1.0"}, Flag.EXPIRATION, "withheld", "caveat"),
        ({"series_description": "EXPERT protocol"}, None, "reported", "reported"),
        ({"flags": {Flag.UNEVEN_SLICES}}, Flag.UNEVEN_SLICES, "caveat", "caveat"),
        ({"flags": {Flag.HU_OFFSET}}, Flag.HU_OFFSET, "withheld", "reported"),
        ({"flags": {Flag.DUPLICATE_SLICES}}, Flag.DUPLICATE_SLICES, "reported", "reported"),
    ],
)
def test_the_acquisition_decides_what_is_reported(taken, flag, laa950, volume):
    verdict, numbers = judged(scan(**taken))
    assert numbers["whole_lung", "laa950_percent"].status == laa950
    assert numbers["whole_lung", "volume_ml"].status == volume
    assert {reason.flag for reason in verdict.reasons} == ({flag} if flag else set())


@pytest.mark.parametrize(
    ("description", "doubted"),
    [
        ("CHEST W/O CONTRAST", False),
        ("Chest non-contrast 1.25", False),
        ("Thorax mit Kontrastmittel", True),
        ("CT CHEST WITH CONTRAST", True),
        ("chest_CE_CT", True),
        ("CTPA 1.0", True),
        ("LUNG 1.25", False),
    ],
)
def test_contrast_is_read_from_words_only_where_the_header_is_silent(description, doubted):
    silent, _ = judged(scan(has_contrast=None, series_description=description))
    assert (Flag.CONTRAST in {reason.flag for reason in silent.reasons}) is doubted
    plain, _ = judged(scan(has_contrast=False, series_description=description))
    assert not plain.reasons


def test_gaps_withhold_lobes_but_not_lungs():
    _, numbers = judged(scan(slice_mm=1.0, spacing_z_mm=10.0))
    assert statuses(numbers, "right_upper_lobe", HEADLINE) == {Status.WITHHELD}


def test_a_truncated_lung_has_no_volume_and_no_thirds():
    truncated = {"right_lung": frozenset({Flag.TRUNCATED_LUNG})}
    _, numbers = judged(region_flags=truncated)
    for region in ("whole_lung", "right_lung", "right_lower_lobe"):
        assert numbers[region, "volume_ml"].status is Status.WITHHELD
        assert numbers[region, "mean_hu"].status is Status.CAVEAT
    assert statuses(numbers, "upper_third", HEADLINE) == {Status.WITHHELD}
    assert numbers["whole_lung", "laa950_upper_lower_ratio"].status is Status.WITHHELD
    assert statuses(numbers, "left_lung", HEADLINE) == {Status.REPORTED}


def fit(fissure, coverage):
    worst = "population average", "partly supported", "supported"
    support = worst[(coverage >= 0.15) + (coverage >= 0.4)]
    return FissureFit(fissure=fissure, coverage=coverage, prior_distance=1, support=support)


def test_lobes_carry_the_confidence_of_their_worst_border():
    fissures = (
        fit(Fissure.RIGHT_OBLIQUE, 0.6),
        fit(Fissure.RIGHT_HORIZONTAL, 0.04),
        fit(Fissure.LEFT_OBLIQUE, 0.2),
    )
    verdict, numbers = judged(fissures=fissures)
    by_lobe = {lobe.key: numbers[lobe.key, "volume_ml"] for lobe in LOBES}
    assert {key: one.status.value for key, one in by_lobe.items()} == {
        "right_upper_lobe": "caveat",
        "right_middle_lobe": "withheld",
        "right_lower_lobe": "reported",
        "left_upper_lobe": "caveat",
        "left_lower_lobe": "caveat",
    }
    assert by_lobe["right_upper_lobe"].flags == {Flag.FISSURE_NOT_SEEN}
    assert by_lobe["left_lower_lobe"].flags == {Flag.FISSURE_PARTLY_SEEN}
    assert verdict.overall is Status.REPORTED
    assert (
        "The right horizontal (minor) fissure was not seen (evidence along 4 % of the border)"
        in " ".join(reason.says for reason in verdict.reasons)
    )


def test_a_lobe_is_withheld_as_far_as_its_borders_are_uncertain():
    errors_ml = {"left_upper_lobe": 1.0, "left_lower_lobe": 2.5, "right_lower_lobe": 4.5}
    verdict, numbers = judged(
        fissures=(fit(Fissure.LEFT_OBLIQUE, 0.5), fit(Fissure.RIGHT_OBLIQUE, 0.5)),
        volume_errors_ml=errors_ml,  # of volumes of 10 mL
    )
    assert statuses(numbers, "left_upper_lobe", HEADLINE) == {Status.REPORTED}
    assert numbers["left_lower_lobe", "volume_ml"].status is Status.WITHHELD
    assert numbers["left_lower_lobe", "mean_hu"].status is Status.REPORTED
    assert statuses(numbers, "right_lower_lobe", HEADLINE) == {Status.WITHHELD}
    assert statuses(numbers, "left_lung", HEADLINE) == {Status.REPORTED}
    assert any("25 % (2 mL, standard deviation)" in reason.says for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("clipped", "perc15"),
    [(4.0, "reported"), (7.0, "caveat"), (10.0, "withheld"), (40.0, "withheld")],
)
def test_a_percentile_at_the_floor_is_withheld_and_low_attenuation_is_not(clipped, perc15):
    measured = tuple(
        replace(one, value=clipped) if one.quantity == "clipped_percent" else one
        for one in MEASURED
    )
    verdict, numbers = judged(measured=measured)
    assert numbers["left_lung", "perc15_hu"].status == perc15
    assert numbers["left_lung", "laa950_percent"].status is Status.REPORTED
    assert len(verdict.reasons) <= 1


def test_lungs_denser_than_in_full_breath_are_doubted():
    measured = tuple(
        replace(one, value=-690.0) if one.quantity == "median_hu" else one for one in MEASURED
    )
    verdict, _ = judged(measured=measured)
    assert verdict.overall is Status.CAVEAT
    assert "-690 HU" in verdict.reasons[0].says


@pytest.mark.parametrize(
    ("calibration_hu", "laa950"),
    [
        ({"outside_air": -995.0, "tracheal_air": -980.0}, "reported"),
        ({"outside_air": -960.0}, "caveat"),
        ({"tracheal_air": -940.0}, "caveat"),
        ({"tracheal_air": -900.0}, "withheld"),
        ({}, "reported"),
    ],
)
def test_air_that_is_not_air_is_seen(calibration_hu, laa950):
    verdict, numbers = judged(calibration_hu=calibration_hu)
    assert numbers["whole_lung", "laa950_percent"].status == laa950
    assert verdict.calibration_hu == calibration_hu


def test_what_was_not_measured_stays_so():
    gone = Measured("right_upper_lobe", "mean_hu", None, Status.NOT_MEASURED, frozenset())
    _, numbers = judged(scan(kernel_family=KernelFamily.SHARP), measured=(gone,))
    assert numbers["right_upper_lobe", "mean_hu"] == gone


def test_reasons_come_worst_first_and_once():
    verdict, _ = judged(
        scan(kernel_family=KernelFamily.SHARP, flags={Flag.DUPLICATE_SLICES}, has_contrast=True)
    )
    weights = [reason.weight for reason in verdict.reasons]
    assert list(dict.fromkeys(weights)) == [Weight.WITHHOLD, Weight.CAVEAT, Weight.NOTE]
    assert len(set(verdict.reasons)) == len(verdict.reasons)


@pytest.mark.parametrize(
    ("slice_mm", "total", "small"),
    [
        (1.5, Status.REPORTED, Status.REPORTED),
        (2.0, Status.REPORTED, Status.CAVEAT),
        (2.5, Status.CAVEAT, Status.WITHHELD),
        (5.0, Status.WITHHELD, Status.WITHHELD),
    ],
)
def test_small_vessels_need_thinner_slices_than_all_vessels(slice_mm, total, small):
    numbers = judged(scan(slice_mm=slice_mm))[1]
    assert numbers["whole_lung", "total_vessel_volume_ml"].status is total
    assert numbers["whole_lung", "bv5_ml"].status is small
    assert numbers["whole_lung", "bv5_share_percent"].status is small


def test_vessels_of_a_lung_that_was_not_imaged_whole_keep_their_share_only():
    numbers = judged(scan(flags=frozenset({Flag.TRUNCATED_LUNG})))[1]
    assert numbers["whole_lung", "bv5_ml"].status is Status.WITHHELD
    assert numbers["whole_lung", "bv5_share_percent"].status is Status.CAVEAT


def test_pi10_needs_ten_airways_and_a_line():
    def with_line(n_airways, r_squared):
        values = {"pi10_airways": n_airways, "pi10_r_squared": r_squared, "pi10_mm": 2.5}
        measured = tuple(Measured("airway", key, value) for key, value in values.items())
        return judged(measured=measured)[1]["airway", "pi10_mm"].status

    assert with_line(10.0, 0.3) is Status.REPORTED
    assert with_line(9.0, 0.9) is Status.WITHHELD
    assert with_line(40.0, 0.2) is Status.WITHHELD


def test_walls_of_airways_need_thin_slices_but_the_tree_is_counted():
    _, numbers = judged(scan(slice_mm=2.0))
    assert statuses(numbers, "airway", ("pi10_mm", "pi10_airways")) == {Status.WITHHELD}
    assert numbers["airway", "airway_branches"].status is Status.CAVEAT


@pytest.mark.parametrize(("kvp", "mean"), [(80, "caveat"), (120, "reported"), (140, "caveat")])
def test_the_tube_voltage_is_judged(kvp, mean):
    _, numbers = judged(scan(kvp=float(kvp)))
    assert statuses(numbers, quantities=("mean_hu",)) == {mean}


@pytest.mark.parametrize(
    ("noise_sd", "laa950"), [(15, "reported"), (34, "reported"), (46, "caveat"), (48, "withheld")]
)
def test_noise_is_judged_by_what_it_does_to_normal_lung(noise_sd, laa950):
    _, numbers = judged(calibration_hu={"noise_sd": float(noise_sd)})
    assert statuses(numbers, quantities=("laa950_percent",)) == {laa950}


@pytest.mark.parametrize(
    ("kev", "laa950"),
    [(70.0, "caveat"), (40.0, "withheld"), (140.0, "withheld"), (None, "withheld")],
)
def test_a_virtual_energy_is_judged(kev, laa950):
    verdict, numbers = judged(scan(is_monoenergetic=True, monoenergetic_kev=kev))
    assert statuses(numbers, quantities=("laa950_percent",)) == {laa950}
    assert ("unknown keV" in verdict.reasons[-1].says) is (kev is None) or len(verdict.reasons) > 1


@pytest.mark.parametrize(
    "description",
    [
        "Chest EXP 1.0",
        "Thorax Exspiration",
        "Ausatmung",
        "thorax expiration forcée",
        "TORAX ESPIRACION",
        "Torace in espirazione",
        "uitademing",
        "wydech",
        "výdech",
        "utandning",
        "ekspiryum",
        "на выдохе",
        "胸部 呼气末",
        "胸部呼気",
        "흉부 호기",
    ],
)
def test_the_phase_is_read_in_many_languages(description):
    _, numbers = judged(scan(series_description=description))
    assert statuses(numbers, quantities=("laa950_percent",)) == {"withheld"}


def in_study(series, study):
    taken = scan(series_description=series)
    return replace(taken, study=Study(description=study))


@pytest.mark.parametrize(
    ("series", "laa950"),
    [
        ("INSP 1.0 B31f", "reported"),
        ("EXP 1.0 B31f", "withheld"),
        ("1.0 B31f", "caveat"),
        ("Inspiration, RV/LV", "reported"),
    ],
)
def test_the_description_of_the_series_comes_before_that_of_the_study(series, laa950):
    _, numbers = judged(in_study(series, "HRCT CHEST INSP/EXP"))
    assert statuses(numbers, quantities=("laa950_percent",)) == {laa950}


@pytest.mark.parametrize(("volume_ml", "status"), [(3000.0, "caveat"), (6000.0, "reported")])
def test_a_small_breath_is_seen_by_the_predicted_capacity(volume_ml, status):
    man = replace(scan(), patient=Patient(sex="M", age_years=60.0, height_m=1.80))  # TLC 7.3 L
    measured = tuple(
        replace(one, value=volume_ml) if one.quantity == "volume_ml" else one for one in MEASURED
    )
    verdict, numbers = judged(man, measured)
    assert statuses(numbers, quantities=("mean_hu",)) == {status}
    if status == "caveat":
        assert "41 %" in verdict.reasons[0].says


# --- before the pixels --------------------------------------------------------------------------


def test_a_verdict_is_foreseen_from_the_header():
    outlook = foresee(replace(GOOD, kernel_family=KernelFamily.SHARP), Study(), 1.0)
    assert outlook.overall is Status.WITHHELD
    assert outlook.statuses["laa950_percent"] is Status.WITHHELD
    assert outlook.statuses["volume_ml"] is Status.REPORTED
    assert {reason.flag for reason in outlook.reasons} == {Flag.SHARP_KERNEL}
    assert foresee(GOOD, Study(), 1.0).overall is Status.REPORTED


# --- a site's own rules -------------------------------------------------------------------------

SITE = """
site = "Example Hospital"
off = ["CONTRAST"]
[[rule]]
flag = "THICK_SLICES"
when = [{ fact = "slice_mm", above = 0.9 }]
withhold = ["low"]
says = "Slices are {slice_mm:.2f} mm thick, dose {ctdi_vol_mgy:.1f}."
"""


def site(tmp_path, text=SITE):
    file = tmp_path / "gate.toml"
    file.write_text(text)
    return site_gate(file)


def test_a_site_replaces_rules_and_it_is_said_and_stored(tmp_path):
    taken = scan(has_contrast=True, ctdi_vol_mgy=None)
    empty = Segmentation(labels=EMPTY)
    verdict, numbers = judge(taken, empty, MEASURED, gate=site(tmp_path))
    by_key = {(one.region, one.quantity): one for one in numbers}
    assert by_key["whole_lung", "laa950_percent"].status is Status.WITHHELD
    assert by_key["whole_lung", "mean_hu"].status is Status.REPORTED  # contrast is off
    assert verdict.reasons[0].says == "Slices are 1.00 mm thick, dose unknown."
    assert "Example Hospital" in verdict.reasons[-1].says
    assert verdict.gate["replaced"] == ["thick_slices"]
    assert verdict.gate["off"] == ["contrast"]
    assert len(verdict.gate["sha256"]) == 64


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('slice_mm", above', 'slice_thickness", above'),
        ("{slice_mm", "{slice"),
        ('"low"', '"lowest"'),
        ("THICK_SLICES", "FAT_SLICES"),
        ('off = ["CONTRAST"]', 'off = ["NOTHING"]'),
        ("above", "over"),
        ("site =", "sight ="),
        ("[[rule]]", "[[rule"),
    ],
)
def test_a_faulty_table_of_a_site_is_refused_in_words(tmp_path, before, after):
    with pytest.raises(OptionError, match=r"gate\.toml") as refusal:
        site(tmp_path, SITE.replace(before, after, 1))
    assert refusal.value.hint


def test_a_table_of_a_site_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(OptionError, match="cannot be read"):
        site_gate(tmp_path / "nowhere.toml")


# --- the table itself ---------------------------------------------------------------------------


def all_facts():
    calibration_hu = {"outside_air": -1000.0, "tracheal_air": -990.0}
    segmentation = Segmentation(labels=EMPTY, fissures=(fit(Fissure.LEFT_OBLIQUE, 0.5),))
    whole = header_facts(GOOD, Study(), False, 1.0, load_gate().words)
    whole |= image_facts(MEASURED, calibration_hu)
    return whole | region_facts("left_upper_lobe", frozenset(), segmentation, MEASURED)


def test_every_rule_asks_and_says_only_what_is_known():
    known = all_facts().keys()
    for rule in load_gate().rules:
        asked = {test.fact for test in rule.when}
        said = {name for _, name, _, _ in string.Formatter().parse(rule.says) if name}
        assert asked | said <= known, rule.flag


def test_every_rule_is_about_measured_quantities_and_regions():
    for rule in load_gate().rules:
        assert rule.caveat | rule.withhold <= QUANTITIES.keys(), rule.flag
        assert rule.regions <= REGIONS.keys(), rule.flag


def test_the_groups_hold_every_quantity_but_the_clipped_share():
    rules = load_gate().rules
    touched = frozenset().union(*(rule.caveat | rule.withhold for rule in rules))
    assert touched == QUANTITIES.keys() - {"clipped_percent"}
    uneven = next(rule for rule in rules if rule.flag is Flag.UNEVEN_SLICES)
    assert uneven.caveat == touched  # the group "everything"


def test_every_doubt_has_a_rule():
    # a region that is too small is marked where it is measured; a site's own rules where they are read
    assert {rule.flag for rule in load_gate().rules} == set(Flag) - {
        Flag.TOO_FEW_VOXELS,
        Flag.SITE_GATE,
    }


def test_every_rule_has_a_source_among_the_references():
    page = Path(__file__).parents[2] / "docs" / "references.md"
    entries = set(re.findall(r"^- \*\*(\w+)\*\*", page.read_text(), re.MULTILINE))
    assert {rule.source for rule in load_gate().rules} <= entries


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ('flag = "NO_SUCH"\nwhen = []', KeyError),
        ('flag = "CONTRAST"\nwhen = [{ fact = "kvp", near = 3 }]', ValueError),
        ('flag = "CONTRAST"\nwhen = []\nwithold = []', ValueError),
        ('flag = "CONTRAST"\nwhen = []\ncaveat = ["no_group"]', KeyError),
    ],
)
def test_a_faulty_table_is_refused(row, error):
    text = f'[groups]\n[regions]\n[words]\n[[rule]]\n{row}\nsays = ""\nsource = "qct"\n'
    with pytest.raises(error):
        parse_gate(text)


def test_a_lung_that_a_label_map_covers_in_part_has_no_volume_and_the_other_keeps_its_own():
    parts = {
        "method": {"right_left_out_ml": 400.4, "right_left_out_percent": 21.0},
        "region_flags": {"right_lung": frozenset({Flag.LABELS_PARTIAL})},
    }
    verdict, numbers = judged(**parts)
    for region in ("whole_lung", "right_lung", "upper_third", "right_upper_third"):
        assert numbers[region, "volume_ml"].status is Status.WITHHELD, region
    assert numbers["right_lung", "laa950_percent"].status is Status.CAVEAT
    assert numbers["right_upper_lobe", "volume_ml"].status is Status.CAVEAT
    for region in ("left_lung", "left_upper_lobe", "left_upper_third"):
        assert numbers[region, "volume_ml"].status is Status.REPORTED, region
    assert "400 mL that read like lung" in verdict.reasons[0].says
    assert "(21 % of that lung)" in verdict.reasons[0].says


def test_lobes_that_leave_a_part_of_their_lung_have_a_caveat_and_the_lung_has_none():
    parts = {
        "method": {"left_in_no_lobe_percent": 12.0},
        "region_flags": {"left_lung": frozenset({Flag.LOBES_PARTIAL})},
    }
    verdict, numbers = judged(**parts)
    assert numbers["left_upper_lobe", "volume_ml"].status is Status.CAVEAT
    assert numbers["left_lung", "volume_ml"].status is Status.REPORTED
    assert numbers["right_upper_lobe", "volume_ml"].status is Status.REPORTED
    assert "12 % belong to none" in verdict.reasons[0].says
