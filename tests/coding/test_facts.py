"""Whatever an analysis.json lacks, the rest is read."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qct.coding import StudyFacts, advise
from qct.coding.facts import day
from qct.coding.show import worksheet_text
from qct.order import Order

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
