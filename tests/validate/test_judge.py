from pathlib import Path

import pytest

from qct.acquisition import KernelFamily
from qct.quantities import QUANTITIES
from qct.regions import REGIONS
from qct.validate import Row, judge, load_limits, plan
from qct.validate.cases import ACQUISITIONS, EFFECT, JUDGED
from qct.validate.figures import acquisition_effects, effects_of
from qct.validate.judge import error

LIMIT = {
    "quantity": "volume_ml",
    "regions": ["whole_lung"],
    "truth": "sampled",
    "of": "percent",
    "worst": 1.0,
    "reason": "",
}


def row(measured, truth, quantity="volume_ml", case="one", purpose=JUDGED, person="one"):
    known = {"sampled": truth, "imaged": truth}
    return Row(case, purpose, person, "whole_lung", quantity, measured, "reported", known)


def judged(rows, **limit):
    (outcome,) = judge(rows, {"limit": [LIMIT | limit], "airway": [], "effect": []})
    return outcome


def test_bias_and_precision_are_mean_and_spread_of_the_errors_in_percent():
    outcome = judged([row(101.0, 100.0), row(99.5, 100.0)])
    assert outcome.bias == pytest.approx(0.25)
    assert outcome.precision == pytest.approx(0.75)
    assert outcome.mean_absolute == pytest.approx(0.75)
    assert outcome.worst == pytest.approx(1.0)
    assert outcome.passed


def test_one_number_beyond_the_limit_fails_the_worst_and_not_the_mean():
    rows = [row(100.0, 100.0, case=str(k)) for k in range(5)] + [row(102.0, 100.0)]
    assert judged(rows).passed is False
    no_worst = {key: value for key, value in LIMIT.items() if key != "worst"} | {"mean": 1.0}
    (outcome,) = judge(rows, {"limit": [no_worst], "airway": [], "effect": []})
    assert outcome.passed


def test_a_withheld_number_of_a_judged_case_fails():
    outcome = judged([row(100.0, 100.0), row(None, 100.0)])
    assert (outcome.n, outcome.n_missing, outcome.passed) == (1, 1, False)


def test_a_number_that_this_version_does_not_have_is_neither_met_nor_missed():
    assert judged([], quantity="of_tomorrow").passed is None


def test_clusters_are_judged_only_where_there_are_some():
    rows = [row(0.2, 0.1, "laa950_percent"), row(None, 1.0, "laa_cluster_d")]
    assert judged(rows, quantity="laa_cluster_d", where_laa_above=1.0).passed is None
    assert judged(rows, quantity="laa_cluster_d").passed is False


def test_effects_do_not_count_for_limits():
    assert judged([row(100.0, 100.0), row(200.0, 100.0, purpose=EFFECT)]).n == 1


@pytest.mark.parametrize(("moves", "passes"), [("up", True), ("down", False)])
def test_an_effect_passes_if_the_number_moves_the_known_way(moves, passes):
    rows = [
        row(5.0, 5.0, "laa950_percent"),
        row(None, 9.0, "laa950_percent", "one, sharp", EFFECT),
    ]
    known = {"name": "sharp", "quantity": "laa950_percent", "moves": moves, "reason": ""}
    (outcome,) = judge(rows, {"limit": [], "airway": [], "effect": [known]})
    assert outcome.bias == pytest.approx(4.0)
    assert outcome.passed is passes


def test_an_effect_is_the_change_of_a_region_against_the_same_person():
    rows = [
        row(5.0, 5.0, "laa950_percent"),
        row(None, 9.0, "laa950_percent", "one, sharp", EFFECT),
        row(None, 4.0, "laa950_percent", "two, sharp", EFFECT, "two"),
    ]
    assert effects_of(rows) == {"sharp": [(5.0, 4.0)]}
    assert acquisition_effects(rows, load_limits()["published"]).startswith(b"\x89PNG")
    assert acquisition_effects(rows[:1], ()) is None


def test_published_effects_name_acquisitions_that_there_are_and_their_source():
    sources = Path(__file__).parents[2].joinpath("docs/references.md").read_text()
    for one in load_limits()["published"]:
        assert one["name"] in ACQUISITIONS
        assert f"**{one['source']}**" in sources


def test_an_error_is_in_percent_or_in_the_numbers_unit():
    assert error(row(102.0, 100.0), "sampled", "percent") == pytest.approx(2)
    assert error(row(-850.0, -848.0), "sampled", "difference") == -2
    assert error(row(1.0, 1.0), "model", "difference") is None


def test_every_limit_names_what_there_is_and_why():
    later = {"total_vessel_volume_ml"}
    for limit in load_limits()["limit"]:
        assert limit["quantity"] in {*QUANTITIES, *later}
        assert set(limit["regions"]) <= set(REGIONS)
        assert limit["truth"] in ("sampled", "imaged")
        assert {"worst", "mean"} & limit.keys()
        assert len(limit["reason"]) > 20


@pytest.mark.parametrize("full", [False, True])
def test_every_effect_is_of_a_person_that_is_judged(full):
    cases = plan(full=full)
    people = {case.name: case.spec for case in cases if case.purpose == JUDGED}
    assert len({case.name for case in cases}) == len(cases)
    for case in cases:
        assert case.spec.seed == people[case.person].seed
    assert {one.kernel for one in people.values()} == {KernelFamily.STANDARD}
    names = {one["name"] for one in load_limits()["effect"]}
    for name in names:
        assert any(case.name.endswith(name) for case in cases)
