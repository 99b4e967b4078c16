"""Every row of the design card is there with its verdict; facts that are not sure say so."""

import re

import pytest

from qct.coding.catalogue import FactStatus, Kind, catalogue, data, find, normal

CARD = {
    "right": "26 22 52 J44.9 J43.9 J84.10 R91.1 Z87.891 I50.9 71250 71260 76377 93010 0721T 0722T",
    "corrected": "TC 53 R91.8",
    "not applicable": "80 82 AS",
    "wrong": "TG 207RT0000X 207T00000X 2080P0208X 363L00000X 261QM0800X Z13.0 77062",
    "missing": "J43.1 J43.2 J44.89 J84.112 E88.01 F17.210",
}
ROWS = [(code, verdict) for verdict, codes in CARD.items() for code in codes.split()]

INSTEAD = {
    "207RT0000X": {"2085R0202X"},
    "207T00000X": {"2085R0202X"},
    "2080P0208X": {"207RP1001X", "2080P0214X"},
    "363L00000X": {"291U00000X"},
    "261QM0800X": {"363A00000X", "261QR0200X"},
    "Z13.0": {"Z11.1", "Z13.83", "Z12.2"},
    "77062": {"77012"},
}

LICENSED = (
    "list separately in addition",
    "obtained with",
    "obtained without",
    "concurrent ct examination",
    "previously acquired diagnostic",
    "tissue characterization",
    "computed tomography",
    "concurrent supervision",
    "with contrast material",
    "unspecified",
    "encounter for screening",
    "personal history of",
)
"""Turns of the official texts. Own words do without them."""


@pytest.mark.parametrize(("code", "verdict"), ROWS)
def test_each_row_of_the_card_has_its_verdict(code, verdict):
    assert find(code).verdict == verdict


def test_no_row_but_those_of_the_card_claims_to_be_on_it():
    claimed = {row.code for row in catalogue().values() if row.verdict != "related"}
    assert claimed == {code for code, _ in ROWS}


@pytest.mark.parametrize(("code", "instead"), INSTEAD.items())
def test_a_wrong_row_names_the_right_codes_and_they_exist(code, instead):
    assert set(find(code).instead) == instead
    assert all(find(one).kind == find(code).kind for one in instead)


def test_every_fact_has_a_status_a_source_and_a_day():
    for row in catalogue().values():
        assert row.facts
        for fact in row.facts:
            assert fact.says
            assert fact.source
            assert re.fullmatch(r"\d{4}-\d\d-\d\d", fact.entered)
            assert (fact.source == "No source read") == (fact.status is not FactStatus.VERIFIED)


def test_the_expiry_of_the_service_is_only_recalled_and_payer_policies_were_not_found():
    for code in ("0721T", "0722T"):
        by_status = {fact.status: fact.says for fact in find(code).facts}
        assert "2028" in by_status[FactStatus.RECALLED]
        assert "payer" in by_status[FactStatus.NOT_FOUND]


def test_no_text_is_a_licensed_descriptor_or_speaks_of_money():
    for row in catalogue().values():
        text = " ".join([row.meaning, *(fact.says for fact in row.facts)]).lower()
        assert not [turn for turn in LICENSED if turn in text], row.code
        assert not re.search(r"[$€]|\bpaid\b|reimburs|\bfee\b|\brvu\b", text), row.code
        assert len(row.meaning.split()) <= 20, row.code


def test_needs_of_modifiers_are_elements_of_the_checklist():
    keys = {one["key"] for group in data("checklist.toml")["element"] for one in group["items"]}
    assert {need for row in catalogue().values() for need in row.needs} <= keys


@pytest.mark.parametrize(
    ("typed", "code"),
    [("+0722t", "0722T"), (" j439 ", "J43.9"), ("z87891", "Z87.891"), ("tc", "TC")],
)
def test_a_code_is_found_however_it_is_typed(typed, code):
    assert normal(typed) == code


@pytest.mark.parametrize("code", ["99999", "", "J99", "0723T", "7125", "🫁"])
def test_an_unknown_code_is_not_guessed(code):
    assert find(code) is None


def test_a_code_of_another_kind_is_not_taken_for_the_one_asked():
    assert find("26", Kind.DIAGNOSIS) is None
