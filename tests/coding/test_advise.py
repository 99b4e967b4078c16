"""Decision tables: concurrency, anatomy, modifiers, diagnoses; nothing final without a physician."""

from dataclasses import replace
from datetime import date

import pytest

from qct.acquisition import Acquisition, Patient, Study
from qct.coding import StudyFacts, advise
from qct.coding.checklist import elements
from qct.coding.worksheet import Basis, Level, State
from qct.order import Modifier, Order, Reading, Service, Signer, Smoking
from qct.regions import LOBES

CT = "2026-05-02"
BEFORE, SAME, AFTER = date(2026, 5, 1), date(2026, 5, 2), date(2026, 5, 9)
FACTS = StudyFacts(
    study=Study(date=CT),
    gate="reported",
    software="qct 1",
    lobes_measured=tuple(lobe.key for lobe in LOBES),
)
SIGNED = Order(
    diagnoses=("J43.2",),
    service=Service(concurrent=False, claim="professional"),
    reading=Reading(interpretation="Emphysema of the upper lobes."),
    signer=Signer(name="A. Reader", credentials="MD", signed_on=AFTER),
)


def said(sheet, level=None):
    return " | ".join(one.says for one in sheet.issues if level in (None, one.level))


@pytest.mark.parametrize(
    ("concurrent", "order_date", "analysis_date", "code", "basis"),
    [
        (True, None, None, "0722T", Basis.ATTESTED),
        (False, None, None, "0721T", Basis.ATTESTED),
        (True, AFTER, AFTER, "0722T", Basis.ATTESTED),
        (False, BEFORE, SAME, "0721T", Basis.ATTESTED),
        (None, AFTER, None, "0721T", Basis.DERIVED),
        (None, AFTER, AFTER, "0721T", Basis.DERIVED),
        (None, SAME, SAME, "0722T", Basis.DERIVED),
        (None, BEFORE, None, "0722T", Basis.DERIVED),
        (None, None, AFTER, "0721T", Basis.DERIVED),
        (None, None, SAME, "0722T", Basis.DERIVED),
        (None, BEFORE, AFTER, None, Basis.UNDECIDED),
        (None, SAME, AFTER, None, Basis.UNDECIDED),
        (None, None, None, None, Basis.UNDECIDED),
        (None, None, BEFORE, None, Basis.UNDECIDED),
        (None, AFTER, BEFORE, None, Basis.UNDECIDED),
    ],
)
def test_the_service_follows_concurrency(concurrent, order_date, analysis_date, code, basis):
    order = Order(order_date=order_date, service=Service(concurrent=concurrent))
    sheet = advise(order, replace(FACTS, analysis_date=analysis_date))
    assert (sheet.service.code, sheet.service.basis) == (code, basis)
    assert sheet.service.reason
    assert ("concurrent = true or false" in said(sheet, Level.SETTLE)) == (basis != Basis.ATTESTED)


def test_without_the_day_of_the_ct_dates_choose_nothing():
    sheet = advise(Order(order_date=AFTER), replace(FACTS, study=Study(), analysis_date=AFTER))
    assert sheet.service.code is None


@pytest.mark.parametrize(
    ("concurrent", "order_date", "warned"),
    [(True, AFTER, True), (True, BEFORE, False), (False, BEFORE, True), (False, AFTER, False)],
)
def test_dates_that_speak_against_the_attestation_are_a_warning(concurrent, order_date, warned):
    sheet = advise(Order(order_date=order_date, service=Service(concurrent=concurrent)), FACTS)
    assert ("yet the order" in said(sheet, Level.WARNING)) == warned


@pytest.mark.parametrize(
    ("concurrent", "codes", "level", "words"),
    [
        (False, ("71250",), Level.SETTLE, "same anatomy"),
        (False, ("71260",), Level.SETTLE, "same anatomy"),
        (False, ("71270",), Level.SETTLE, "same anatomy"),
        (False, ("71271",), Level.WARNING, "not found"),
        (False, ("74160",), Level.NOTE, "other anatomy (abdomen)"),
        (False, ("70450",), Level.NOTE, "other anatomy (head)"),
        (True, ("71250",), Level.NOTE, "0722T stands beside 71250"),
        (True, (), Level.SETTLE, "no chest CT code"),
        (True, ("74160",), Level.SETTLE, "no chest CT code"),
        (True, ("71271",), Level.SETTLE, "no chest CT code"),
        (False, ("76377",), Level.WARNING, "twice"),
        (True, ("71250", "76376"), Level.WARNING, "twice"),
        (False, ("77062",), Level.SETTLE, "77012"),
        (False, ("93010",), Level.NOTE, "nothing to do"),
        (False, ("0722T",), Level.SETTLE, "only one of"),
        (False, ("99213",), Level.NOTE, "99213 is unknown"),
    ],
)
def test_codes_beside_the_service(concurrent, codes, level, words):
    service = Service(concurrent=concurrent, other_codes=codes)
    assert words in said(advise(Order(service=service), FACTS), level)


@pytest.mark.parametrize(
    ("code", "contrast", "warned"),
    [
        ("71250", True, True),
        ("71250", False, False),
        ("71250", None, False),
        ("71260", False, True),
        ("71260", True, False),
    ],
)
def test_contrast_in_the_header_is_held_against_the_ct_code(code, contrast, warned):
    facts = replace(FACTS, acquisition=Acquisition(has_contrast=contrast))
    sheet = advise(Order(service=Service(concurrent=True, other_codes=(code,))), facts)
    assert ("contrast" in said(sheet, Level.WARNING)) == warned


@pytest.mark.parametrize(("anatomy", "settle"), [(None, False), ("Chest", False), ("liver", True)])
def test_another_anatomy_has_to_be_settled(anatomy, settle):
    sheet = advise(Order(service=Service(concurrent=False, anatomy=anatomy)), FACTS)
    assert ("not the chest" in said(sheet, Level.SETTLE)) == settle


@pytest.mark.parametrize(
    ("modifiers", "claim", "settle"),
    [
        ([Modifier(code="26")], None, ""),
        ([Modifier(code="TC")], "facility", ""),
        ([Modifier(code="TC", stage="acquisition")], "facility", "CT's own code"),
        ([Modifier(code="22")], None, "22 needs a reason"),
        ([Modifier(code="22", reason="r")], None, ""),
        ([Modifier(code="52", stage="analysis")], None, "52 needs a reason"),
        ([Modifier(code="52", reason="r", stage="analysis")], "facility", ""),
        ([Modifier(code="52", reason="r")], None, "Say under stage"),
        ([Modifier(code="53", stage="analysis")], "professional", "53 needs a reason"),
        ([Modifier(code="53", reason="r", stage="analysis")], "professional", ""),
        ([Modifier(code="53", reason="r", stage="analysis")], "facility", "a facility uses 52"),
        ([Modifier(code="53", reason="r", stage="analysis")], None, "say claim"),
        ([Modifier(code="53", reason="r", stage="acquisition")], "professional", "CT's own code"),
        ([Modifier(code="26"), Modifier(code="TC")], None, "26 and TC exclude"),
        ([Modifier(code="TC"), Modifier(code="53", reason="r")], "professional", "TC and 53"),
        ([Modifier(code="80")], None, "80 does not apply"),
        ([Modifier(code="82")], None, "82 does not apply"),
        ([Modifier(code="AS")], None, "AS does not apply"),
        ([Modifier(code="TG")], None, "TG does not apply"),
        ([Modifier(code="ZZ")], None, "ZZ is unknown"),
    ],
)
def test_modifiers(modifiers, claim, settle):
    service = Service(concurrent=False, claim=claim)
    sheet = advise(replace(SIGNED, modifiers=tuple(modifiers), service=service), FACTS)
    assert settle in said(sheet, Level.SETTLE)
    assert bool(settle) == bool(said(sheet, Level.SETTLE))


def test_26_lacks_evidence_without_a_signed_interpretation():
    order = replace(SIGNED, modifiers=(Modifier(code="26"),), reading=Reading())
    assert "26 lacks evidence: Interpretation" in said(advise(order, FACTS), Level.SETTLE)


def test_a_modifier_that_is_given_twice_is_shown_once():
    order = replace(SIGNED, modifiers=(Modifier(code="26"), Modifier(code="26")))
    sheet = advise(order, FACTS)
    assert len(sheet.modifiers) == 1
    assert "more than once" in said(sheet, Level.WARNING)


@pytest.mark.parametrize(
    ("codes", "level", "words"),
    [
        ((), Level.SETTLE, "No diagnosis code"),
        (("J43.9", "J44.9"), Level.WARNING, "J43.9 alone"),
        (("J43.2", "J44.89"), Level.WARNING, "J43.9 alone"),
        (("J43.9",), Level.NOTE, "J43.1 or J43.2"),
        (("J44.9",), Level.NOTE, "J44.89"),
        (("J84.10",), Level.NOTE, "J84.112"),
        (("Z13.0",), Level.SETTLE, "Z11.1, Z13.83, Z12.2"),
        (("Z87.891", "F17.210"), Level.WARNING, "recalled, to be confirmed"),
        (("I50.9",), Level.WARNING, "why the lung"),
        (("J43.2", "J43.2"), Level.WARNING, "more than once"),
        (("J43",), Level.SETTLE, "category"),
        (("C34.90",), Level.NOTE, "C34.90 is unknown"),
        (("hello",), Level.SETTLE, "does not have the form"),
    ],
)
def test_diagnoses(codes, level, words):
    assert words in said(advise(Order(diagnoses=codes), FACTS), level)


def test_copd_with_emphysema_is_warned_of_and_not_blocked():
    sheet = advise(replace(SIGNED, diagnoses=("J43.9", "J44.9")), FACTS)
    assert sheet.may_be_finalised


@pytest.mark.parametrize(
    ("status", "code", "warned"),
    [
        ("former", "F17.210", True),
        ("current", "Z87.891", True),
        ("former", "Z87.891", False),
        ("current", "F17.210", False),
        (None, "F17.210", False),
    ],
)
def test_smoking_in_the_order_is_held_against_the_diagnosis(status, code, warned):
    order = Order(smoking=Smoking(status=status), diagnoses=("J43.2", code))
    assert ("The order says" in said(advise(order, FACTS), Level.WARNING)) == warned


@pytest.mark.parametrize(
    ("taxonomy", "words"),
    [
        ("207RT0000X", "2085R0202X"),
        ("207T00000X", "2085R0202X"),
        ("2080P0208X", "207RP1001X"),
        ("363L00000X", "291U00000X"),
        ("261QM0800X", "261QR0200X"),
        ("291U00000X", "physician"),
    ],
)
def test_a_wrong_taxonomy_code_is_corrected(taxonomy, words):
    sheet = advise(replace(SIGNED, signer=Signer(taxonomy=taxonomy)), FACTS)
    assert words in said(sheet, Level.SETTLE)


@pytest.mark.parametrize(
    ("order", "final"),
    [
        (SIGNED, True),
        (replace(SIGNED, reading=Reading(impression="machine text")), False),
        (replace(SIGNED, signer=Signer()), False),
        (replace(SIGNED, signer=Signer(name="A. Reader", credentials="MD")), False),
        (replace(SIGNED, service=Service()), False),
        (Order(), False),
    ],
)
def test_nothing_is_final_without_interpretation_and_signer(order, final):
    sheet = advise(order, FACTS)
    assert sheet.may_be_finalised == final
    assert sheet.standing.startswith("Draft") != final


def test_every_element_is_found_or_missing_once():
    keys = [key for _, key, _ in elements()]
    assert [one.key for one in advise(Order(), StudyFacts()).checklist] == keys
    assert len(set(keys)) == len(keys)


def test_an_empty_study_has_nothing_but_the_status_line():
    sheet = advise(Order(), StudyFacts())
    found = {one.key for one in sheet.checklist if one.state is State.FOUND}
    assert found == {"fda_status"}


def test_what_is_there_is_found_with_its_text():
    facts = replace(
        FACTS,
        patient=Patient(name="X", patient_id="7", age_years=61.24),
        acquisition=Acquisition(kvp=120.0, slice_mm=0.625, has_contrast=False),
    )
    values = {one.key: one.value for one in advise(SIGNED, facts).checklist}
    assert values["age"] == "61 years"
    assert values["kvp"] == "120 kV"
    assert values["slice"] == "0.62 mm"
    assert values["contrast"] == "not given"
    assert values["attestation"] == "not concurrent"
    assert values["signer"] == "A. Reader, MD, 2026-05-09"


@pytest.mark.parametrize(
    ("change", "words"),
    [({"gate": "withheld"}, "withholds numbers"), ({"lobes_measured": ()}, "0 of 5 lobes")],
)
def test_numbers_that_are_withheld_are_a_warning_to_the_coder(change, words):
    assert words in said(advise(SIGNED, replace(FACTS, **change)), Level.WARNING)
    assert words not in said(advise(SIGNED, FACTS))


def test_missing_elements_are_named_even_if_nothing_has_to_be_settled():
    sheet = advise(SIGNED, FACTS)
    assert sheet.may_be_finalised
    assert "Indication" in said(sheet, Level.WARNING)
