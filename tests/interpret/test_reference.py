import re
from pathlib import Path

import pytest

from qct.acquisition import Patient
from qct.findings import Measured
from qct.flags import Flag, Status
from qct.interpret import person, references
from qct.options import Options
from qct.quantities import QUANTITIES

MAN = Patient(sex="M", age_years=60, height_m=1.75, weight_kg=80)
WOMAN = Patient(sex="F", age_years=60, height_m=1.62, weight_kg=60)


def rows(patient, measured=(), flags=()):
    return {row.key: row for row in references(patient, measured, flags)}


@pytest.mark.parametrize(
    ("patient", "key", "predicted"),
    [
        (MAN, "tlc_ecsc1993", 6902.5),  # 7.99 x 1.75 - 7.08 L
        (WOMAN, "tlc_ecsc1993", 4902.0),  # 6.60 x 1.62 - 5.79 L
        (MAN, "volume_cheng2019", 5622.85),  # -10150 + 605.3 + 92.61 x 175 - 12.99 x 80
        (WOMAN, "volume_cheng2019", 4073.42),  # -10150 + 92.61 x 162 - 12.99 x 60
        # 0.2027 + 0.05926 - 0.004111 x 80 + 0.004924 x 175 + 0.0008504 x 60 = 0.845804
        (MAN, "laa950_cheng2019", 0.845804**7.341 - 0.05),
    ],
)
def test_equations_give_what_their_arithmetic_gives(patient, key, predicted):
    assert rows(patient)[key].predicted == pytest.approx(predicted, rel=1e-9)


LITRES = {"M": (7.99, 7.08, 0.70), "F": (6.60, 5.79, 0.60)}
"""Slope per m, constant and residual SD of TLC (L): the former two as open programs have them."""


@pytest.mark.parametrize("sex", ["M", "F"])
@pytest.mark.parametrize("height_m", [1.55, 1.62, 1.75, 1.80])
def test_capacity_agrees_with_the_printed_equation_in_litres(sex, height_m):
    slope, constant, residual = LITRES[sex]
    row = rows(Patient(sex=sex, age_years=40, height_m=height_m))["tlc_ecsc1993"]
    litres = slope * height_m - constant
    printed = (litres - 1.64 * residual, litres, litres + 1.64 * residual)
    told = (row.lower, row.predicted, row.upper)
    assert [round(one / 1000, 2) for one in told] == [round(one, 2) for one in printed]


@pytest.mark.parametrize("sex", ["M", "F"])
@pytest.mark.parametrize(
    ("age", "height_cm", "weight_kg"), [(25, 180, 90), (44, 165, 62), (71, 152, 48)]
)
def test_chinese_adults_agree_with_the_equations_as_printed(sex, age, height_cm, weight_kg):
    told = rows(Patient(sex=sex, age_years=age, height_m=height_cm / 100, weight_kg=weight_kg))
    male = sex == "M"
    volume = -1.015e4 + 605.3 * male + 92.61 * height_cm - 12.99 * weight_kg
    base = 0.2027 + 0.05926 * male - 4.111e-3 * weight_kg + 4.924e-3 * height_cm + 8.504e-4 * age
    row = told["volume_cheng2019"]
    assert (row.lower, row.predicted, row.upper) == pytest.approx(
        (volume - 1766, volume, volume + 1766)
    )
    assert told["laa950_cheng2019"].predicted == pytest.approx(max(base**7.341 - 0.05, 0))


def test_chinese_adults_of_usual_size_have_the_means_that_were_published():
    """Half men, 165 cm, 62 kg: 4468 mL in the people of the equation, 4668 mL in those it was tried on."""
    usual = [
        rows(Patient(sex=sex, age_years=50, height_m=1.65, weight_kg=62)) for sex in ("M", "F")
    ]
    mean_ml = sum(one["volume_cheng2019"].predicted for one in usual) / 2
    assert 4468 * 0.95 < mean_ml < 4668 * 1.05
    laa = sum(one["laa950_cheng2019"].predicted for one in usual) / 2
    assert 0.03 < laa < 0.43  # interquartile range about the median of 0.19


def test_what_abstracts_print_is_what_the_table_has():
    told = rows(Patient(sex="M", age_years=60))
    numbers = {
        key: (told[key].predicted, told[key].lower, told[key].upper)
        for key in ("laa950_zach2012", "laa950_mesa2014", "haa_mesa")
    }
    assert numbers == {
        "laa950_zach2012": (2.0, None, 2.0 + 2.7),
        "laa950_mesa2014": (1.1, 0.5, 2.5),
        "haa_mesa": (4.3, 2.7, 17.8),
    }


def test_limits_lie_around_the_prediction():
    row = rows(MAN)["tlc_ecsc1993"]
    assert (row.lower, row.upper) == pytest.approx((6902.5 - 1148, 6902.5 + 1148))


@pytest.mark.parametrize(
    ("patient", "key", "reason"),
    [
        (Patient(sex="M", height_m=1.75), "tlc_ecsc1993", "age not known"),
        (Patient(age_years=60, height_m=1.75), "tlc_ecsc1993", "sex not known"),
        (Patient(sex="O", age_years=60, height_m=1.75), "tlc_ecsc1993", "sex not known"),
        (Patient(sex="F", age_years=60), "volume_cheng2019", "height and weight not known"),
        (Patient(), "volume_cheng2019", "sex and age and height and weight not known"),
        (Patient(sex="M", age_years=80, height_m=1.75), "tlc_ecsc1993", "age 80 years is outside"),
        (Patient(sex="F", age_years=60, height_m=1.9), "tlc_ecsc1993", "height 190 cm is outside"),
        (Patient(sex="F", age_years=30), "laa950_mets2012", "not for this sex"),
        (Patient(sex="M", age_years=60), "laa950_mets2012", "age 60 years is outside"),
        (Patient(age_years=40), "laa950_mesa2014", "age 40 years is outside"),
    ],
)
def test_a_row_is_refused_rather_than_extrapolated(patient, key, reason):
    row = rows(patient)[key]
    assert reason in row.refused
    assert (row.predicted, row.lower, row.upper) == (None, None, None)


def test_groups_are_given_as_they_were_published():
    mesa = rows(Patient(age_years=60))["laa950_mesa2014"]
    assert (mesa.predicted, mesa.lower, mesa.upper, mesa.refused) == (1.1, 0.5, 2.5, "")
    young = rows(Patient(sex="M", age_years=30))
    assert young["laa950_mets2012"].upper == 2.73
    assert young["perc15_mets2012"].lower == -936


def test_a_predicted_share_is_never_below_zero():
    light = Patient(sex="F", age_years=18, height_m=1.3, weight_kg=120)
    assert rows(light)["laa950_cheng2019"].predicted == 0.0


def test_every_row_is_about_a_quantity_and_has_a_source():
    page = Path(__file__).parents[2] / "docs" / "references.md"
    entries = set(re.findall(r"^- \*\*(\w+)\*\*", page.read_text(), re.MULTILINE))
    for row in references(MAN):
        assert row.quantity in QUANTITIES
        assert row.source in entries


def test_a_volume_is_placed_among_its_people():
    volume = (Measured("whole_lung", "volume_ml", 6902.5 - 1.64 * 700),)
    row = rows(MAN, volume)["tlc_ecsc1993"]
    assert row.z_score == pytest.approx(-1.64)
    assert row.percentile == pytest.approx(5.05, abs=0.01)  # of the normal distribution
    assert row.percent_predicted == pytest.approx(100 * row.value / 6902.5)


@pytest.mark.parametrize(
    ("laa", "stands"), [(0.4, "below"), (0.5, "within"), (2.5, "within"), (2.6, "above")]
)
def test_a_share_stands_to_the_limits_and_has_no_z_score(laa, stands):
    row = rows(MAN, (Measured("whole_lung", "laa950_percent", laa),))["laa950_mesa2014"]
    assert (row.stands, row.z_score, row.percentile) == (stands, None, None)


def test_a_withheld_number_is_not_compared():
    withheld = (Measured("whole_lung", "laa950_percent", None, Status.WITHHELD),)
    row = rows(MAN, withheld)["laa950_mesa2014"]
    assert (row.value, row.stands, row.predicted) == (None, "", 1.1)


@pytest.mark.parametrize("flag", [Flag.CONTRAST, Flag.NOT_SUPINE, Flag.EXPIRATION])
def test_a_scan_unlike_those_of_the_populations_is_not_compared(flag):
    measured = (Measured("whole_lung", "laa950_percent", 5.0),)
    for row in references(MAN, measured, {flag}):
        assert row.refused
        assert (row.predicted, row.value, row.stands) == (None, None, "")


def test_what_is_said_of_a_person_stands_over_the_header():
    said = Options(age_years=61, sex="F", height_cm=170)
    assert person(MAN, said) == Patient(sex="F", age_years=61, height_m=1.7, weight_kg=80)


@pytest.mark.parametrize("flag", [Flag.SINGLE_LUNG, Flag.TRUNCATED_LUNG])
def test_the_volume_of_less_than_two_whole_lungs_is_not_compared(flag):
    man = Patient(sex="M", age_years=60, height_m=1.75, weight_kg=76)
    for one in references(man, (Measured("whole_lung", "volume_ml", 2550.0),), {flag}):
        assert bool(one.refused) or one.quantity != "volume_ml"
