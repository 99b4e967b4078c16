"""Whatever an analysis.json lacks, the rest is read."""

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report.sample import make_analysis

from qct.coding import StudyFacts, advise
from qct.coding.facts import day
from qct.coding.show import worksheet_text
from qct.coding.worksheet import State
from qct.export import analysis_json
from qct.order import Modifier, Order
from qct.signature import Signature

NAMES = st.sampled_from(
    [
        "patient",
        "study",
        "acquisition",
        "verdict",
        "regions",
        "software",
        "options",
        "segmentation",
        "volume",
        "name",
        "date",
        "time",
        "age_years",
        "has_contrast",
        "kvp",
        "overall",
        "reasons",
        "says",
        "value",
        "status",
        "region",
        "fissures",
        "support",
        "method",
        "right_upper_lobe",
        "spacing_mm",
        "profile",
        "views",
        "limitations",
        "addenda",
        "analysed_at",
    ]
)
PLAIN = (
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.sampled_from(["", "x", "2026-05-02"])
)
JSON = st.recursive(PLAIN, lambda inside: st.lists(inside) | st.dictionaries(NAMES, inside))

LOBE = {"mean_hu": {"value": -850.0, "status": "reported"}}


@pytest.mark.parametrize(
    "document",
    [{}, {"patient": None}, {"regions": 3}, {"verdict": "good"}, {"software": []}, {"options": 1}],
)
def test_a_document_without_anything_gives_empty_facts(document):
    facts = StudyFacts.from_analysis(document)
    assert facts.study_date is None
    assert facts.lobes_measured == ()


@pytest.mark.parametrize(
    "regions",
    [
        {"right_upper_lobe": LOBE},
        {"right_upper_lobe": {"mean_hu": -850.0}},
        {"right_upper_lobe": {"quantities": LOBE}},
        [{"region": "right_upper_lobe", "quantity": "mean_hu", "value": -850.0}],
        [{"key": "right_upper_lobe", "quantities": [{"quantity": "mean_hu", "value": -850.0}]}],
    ],
)
def test_lobes_are_found_in_any_layout(regions):
    assert StudyFacts.from_analysis({"regions": regions}).lobes_measured == ("right_upper_lobe",)


def test_a_withheld_lobe_is_not_measured():
    regions = {"right_upper_lobe": {"mean_hu": {"value": -850.0, "status": "withheld"}}}
    assert StudyFacts.from_analysis({"regions": regions}).lobes_measured == ()


def test_reference_and_uncertainty_are_found_beside_numbers():
    row = {"value": 1.0, "z_score": -2.0, "least_detectable_change": 0.3}
    facts = StudyFacts.from_analysis({"regions": {"whole_lung": {"laa950_percent": row}}})
    assert facts.has_reference
    assert facts.has_uncertainty


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-05-02", date(2026, 5, 2)),
        ("2026-05-02T10:11:12+00:00", date(2026, 5, 2)),
        ("20260502", date(2026, 5, 2)),
        ("2026", None),
        ("", None),
        (None, None),
    ],
)
def test_dates_are_read_or_left_out(text, read):
    assert day(text) == read


def test_the_day_of_the_acquisition_goes_before_that_of_the_study():
    document = {"study": {"date": "2026-05-02"}, "acquisition": {"date": "2026-05-03"}}
    assert StudyFacts.from_analysis(document).study_date == date(2026, 5, 3)


def test_the_day_of_the_analysis_is_found_under_software():
    facts = StudyFacts.from_analysis({"software": {"analysed_at": "2026-05-09T08:00:00Z"}})
    assert facts.analysis_date == date(2026, 5, 9)


@given(document=st.dictionaries(NAMES, JSON))
def test_no_document_however_odd_breaks_the_worksheet(document):
    text = worksheet_text(advise(Order(), StudyFacts.from_analysis(document)))
    assert "Draft" in text


SIGNATURE = Signature(
    interpretation="Emphysema.",
    impression="Emphysema.",
    signer="Roe, Jane",
    credentials="MD",
    signed_at=datetime(2026, 5, 3, tzinfo=UTC),
    digests={},
)


def test_a_signed_report_is_the_evidence_for_the_professional_part():
    order = Order(modifiers=(Modifier(code="26"),))
    facts = StudyFacts.from_analysis({}, signature=SIGNATURE)
    for known, state in ((facts, State.FOUND), (StudyFacts(), State.MISSING)):
        found = {one.key: one.state for one in advise(order, known).checklist}
        assert {found[key] for key in ("interpretation", "impression", "signer")} == {state}


def test_addenda_are_counted():
    amended = SIGNATURE.with_addendum(
        "More.", author="Poe", credentials="MD", written_at=SIGNATURE.signed_at
    )
    assert StudyFacts.from_analysis({}, signature=amended).addenda == 1


def test_a_result_as_it_is_written_now_leaves_nothing_of_the_method_missing():
    record = json.loads(analysis_json(make_analysis(), started="2026-05-02T10:00:00+00:00"))
    facts = StudyFacts.from_analysis(record, n_key_images=4)
    assert facts.analysis_date == date(2026, 5, 2)
    missing = {one.key for one in advise(Order(), facts).checklist if one.state is State.MISSING}
    assert not missing & {
        "software",
        "parameters",
        "thresholds",
        "segmentation",
        "confidence",
        "lobe_results",
        "reference",
        "uncertainty",
        "key_images",
        "limitations",
        "spacing",
        "kvp",
        "recon_kernel",
        "quality",
    }


def test_a_reference_that_does_not_apply_is_no_reference():
    refused = {"references": [{"key": "x", "refused": "age not known"}]}
    assert not StudyFacts.from_analysis(refused).has_reference
