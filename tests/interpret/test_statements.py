from dataclasses import replace

import pytest
from tests.report.sample import PATIENT, measured

from qct.findings import Change, Point
from qct.flags import Flag, Status
from qct.interpret import draft, references
from qct.interpret.change import CHANGED, NOT_COMPARABLE, VOLUME_DIFFERS, WITHIN
from qct.interpret.statements import load_rules
from qct.report.wording import languages, load_wording


def changed(values):
    """Return the numbers of the sample with some of them changed: (region, quantity) to value."""
    return tuple(
        replace(one, value=values.get((one.region, one.quantity), one.value)) for one in measured()
    )


def keys(numbers, usual=()):
    return [one.key for one in draft(numbers, usual)]


def test_keys_of_rules_are_unique():
    names = [rule.key for rule in load_rules()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("language", languages())
def test_every_template_has_its_words(language):
    say = load_wording(language)
    more = dict.fromkeys(
        (
            "usual",
            "why",
            "difference",
            "since",
            "reason",
            "subject",
            "large",
            "because",
            "volume",
            "percent",
        ),
        "x",
    )
    filled = {f"{name}{n}": "x" for name in ("value", "region", "label") for n in (1, 2, 3)}
    for rule in load_rules():
        stands = ("below", "within", "above", "alone") if rule.compares else ("",)
        if rule.changes:
            verdicts = (
                [rule.only] if rule.only else [CHANGED, WITHIN, VOLUME_DIFFERS, NOT_COMPARABLE]
            )
            stands = tuple(one.replace(" ", "_") for one in verdicts)
        for one in stands:
            key = f"statements.{rule.template}" + (f"_{one}" if one else "")
            assert say(key, **more, **filled)


@pytest.mark.parametrize("language", languages())
def test_every_statement_about_one_number_says_what_it_is_about(language):
    say = load_wording(language)
    about_one = {"value", "change", "volume_change", "withheld"}
    for rule in load_rules():
        assert bool(say.subject(rule.key)) == (rule.template in about_one), rule.key


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(3.0, "upper_predominance"), (0.3, "lower_predominance"), (1.0, None)],
)
def test_the_ratio_of_thirds_chooses_the_words(ratio, expected):
    found = keys(changed({("whole_lung", "laa950_upper_lower_ratio"): ratio}))
    assert {"upper_predominance", "lower_predominance"} & set(found) == ({expected} - {None})


def test_the_lobe_that_stands_out_is_named():
    numbers = changed({("left_upper_lobe", "laa950_percent"): 40.0})
    (one,) = (one for one in draft(numbers) if one.key == "lobes")
    assert one.numbers[0] == ("left_upper_lobe", "laa950_percent")


def test_lobes_are_not_ranked_while_a_border_is_not_seen():
    numbers = changed({("left_upper_lobe", "laa950_percent"): 40.0})
    assert "lobes" in keys(numbers)
    doubted = tuple(
        replace(one, flags=frozenset({Flag.FISSURE_NOT_SEEN}))
        if one.region == "right_middle_lobe"
        else one
        for one in numbers
    )
    assert "lobes" not in keys(doubted)


@pytest.mark.parametrize(
    "quantity", ["laa950_percent", "perc15_hu", "haa_percent", "mean_hu", "volume_ml"]
)
def test_every_main_result_that_is_withheld_is_named(quantity):
    numbers = tuple(
        replace(one, status=Status.WITHHELD)
        if (one.region, one.quantity) == ("whole_lung", quantity)
        else one
        for one in measured()
    )
    named = [one.numbers for one in draft(numbers) if one.template == "withheld"]
    assert named == [(("whole_lung", quantity),)]


def test_lobes_that_are_all_alike_are_not_ranked():
    assert "lobes" not in keys(measured())


def test_a_number_is_set_against_the_reference_that_applies():
    numbers = measured()
    by_key = {one.key: one for one in draft(numbers, references(PATIENT, numbers))}
    assert by_key["low_attenuation"].template == "value_above"
    assert by_key["low_attenuation"].reference == "laa950_zach2012"
    assert {one.template for one in draft(numbers)} >= {"value_alone"}


def test_a_withheld_number_makes_one_statement_that_it_is_withheld():
    hidden = tuple(
        replace(one, value=None) if one.status is Status.WITHHELD else one
        for one in measured(status=Status.WITHHELD)
    )
    about = [one.key for one in draft(hidden) if any(q == "laa950_percent" for _, q in one.numbers)]
    assert about == ["withheld"]


def test_nothing_is_said_of_nothing():
    assert draft(()) == ()


@pytest.mark.parametrize(
    ("verdict", "template"),
    [
        (CHANGED, "change_changed"),
        (WITHIN, "change_within_repeatability"),
        (VOLUME_DIFFERS, "change_lung_volume_differs"),
    ],
)
def test_a_change_is_told_with_its_verdict(verdict, template):
    points = (Point("a", "2022-03-05", 8.0), Point("b", "2024-03-05", 12.34))
    change = Change(
        region="whole_lung",
        quantity="laa950_percent",
        points=points,
        difference=4.34,
        verdict=verdict,
    )
    told = {one.key: one.template for one in draft(measured(), (), (change,))}
    assert told["change_low_attenuation"] == template
