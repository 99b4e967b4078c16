"""0721T or 0722T, and the procedure codes beside it."""

from collections.abc import Iterator
from datetime import date

from qct.coding.catalogue import CardVerdict, Code, Kind, find, normal, words
from qct.coding.facts import StudyFacts
from qct.coding.worksheet import Basis, Issue, Level, ServiceChoice
from qct.flags import Status
from qct.order import Order
from qct.regions import LOBES

EARLIER_CT = "0721T"
SAME_ENCOUNTER = "0722T"
PRIMARY = ("71250", "71260", "71270")
"""Chest CT codes that 0722T stands beside and that 0721T must not (AAPC 2022)."""
CHEST = ("chest", "thorax", "lung", "lungs")
"""Words for the anatomy that is measured here."""


def choose_service(order: Order, facts: StudyFacts) -> ServiceChoice:
    """Choose by concurrency: what somebody attests goes before dates; dates that disagree choose nothing."""
    said = order.service.concurrent
    if said is not None:
        key = "attested_yes" if said else "attested_no"
        code = SAME_ENCOUNTER if said else EARLIER_CT
        return ServiceChoice(code, Basis.ATTESTED, words(f"service.{key}"))
    code_, key = _by_dates(facts.study_date, order.order_date, facts.analysis_date)
    basis = Basis.DERIVED if code_ else Basis.UNDECIDED
    return ServiceChoice(code_, basis, words(f"service.{key}", **_dates(order, facts)))


def _by_dates(
    study: date | None, order: date | None, analysis: date | None
) -> tuple[str | None, str]:
    """Return the code and the name of the sentence that says why."""
    if study is None:
        return None, "no_study_date"
    if analysis is not None and analysis < study:
        return None, "impossible"
    if order is not None and order > study:
        return EARLIER_CT, "order_later"
    later = analysis is not None and analysis > study
    if order is not None:
        return (None, "split") if later else (SAME_ENCOUNTER, "order_before")
    if analysis is None:
        return None, "only_study_date"
    return (EARLIER_CT, "analysis_later") if later else (SAME_ENCOUNTER, "analysis_same")


def check_service(order: Order, facts: StudyFacts, choice: ServiceChoice) -> Iterator[Issue]:
    """Say what has to be confirmed about the choice."""
    if choice.basis is not Basis.ATTESTED:
        key = "ask" if choice.code is None else "confirm"
        yield Issue(Level.SETTLE, "service", words(f"service.{key}"))
    elif order.order_date and facts.study_date:
        later = order.order_date > facts.study_date
        if later == order.service.concurrent:
            key = "attested_against_yes" if later else "attested_against_no"
            yield Issue(Level.WARNING, "service", words(f"service.{key}", **_dates(order, facts)))
    if not is_chest(order.service.anatomy):
        yield Issue(Level.SETTLE, "service", words("service.anatomy"))
    if facts.gate == Status.WITHHELD:
        yield Issue(Level.WARNING, "service", words("service.withheld"))
    n = len(facts.lobes_measured)
    if n < len(LOBES):
        yield Issue(Level.WARNING, "service", words("service.lobes", n=n, all=len(LOBES)))


def is_chest(anatomy: str | None) -> bool:
    """Whether the stated anatomy is what is measured here; nothing stated means the chest."""
    return anatomy is None or anatomy.strip().lower() in CHEST


def check_related(order: Order, facts: StudyFacts, choice: ServiceChoice) -> Iterator[Issue]:
    """Look for conflicts between the service and the other procedure codes."""
    codes = list(dict.fromkeys(normal(code) for code in order.service.other_codes))
    for code in codes:
        row = find(code, Kind.PROCEDURE)
        if row is None:
            yield Issue(Level.NOTE, "related", words("related.unknown", code=code))
        else:
            yield from _check_one(row, choice, facts)
    if choice.code == SAME_ENCOUNTER:
        primary = [code for code in codes if code in PRIMARY]
        if primary:
            says = words("related.primary_found", code=", ".join(primary))
            yield Issue(Level.NOTE, "related", says)
        else:
            yield Issue(Level.SETTLE, "related", words("related.primary_missing"))


def _check_one(row: Code, choice: ServiceChoice, facts: StudyFacts) -> Iterator[Issue]:
    """Look at one known code beside the service."""
    if row.code in (EARLIER_CT, SAME_ENCOUNTER):
        yield Issue(Level.SETTLE, "related", words("related.both_services", code=row.code))
    elif row.verdict is CardVerdict.WRONG:
        yield Issue(Level.SETTLE, "related", correction("related.wrong", row))
    elif row.role == "rendering":
        yield Issue(Level.WARNING, "related", words("related.rendering", code=row.code))
    elif row.role == "ct":
        yield from _check_ct(row, choice, facts)
    else:
        yield Issue(Level.NOTE, "related", words("related.unrelated", code=row.code))


def _check_ct(row: Code, choice: ServiceChoice, facts: StudyFacts) -> Iterator[Issue]:
    """Look at the code of a CT."""
    contrast = facts.acquisition.has_contrast
    if row.anatomy != "chest":
        says = words("related.other_anatomy", code=row.code, anatomy=row.anatomy)
        yield Issue(Level.NOTE, "related", says)
    elif choice.code == EARLIER_CT and row.code in PRIMARY:
        yield Issue(Level.SETTLE, "related", words("related.same_anatomy", code=row.code))
    elif row.code not in PRIMARY and choice.code is not None:
        key = "screening_ct" if choice.code == EARLIER_CT else "primary_unsure"
        yield Issue(Level.WARNING, "related", words(f"related.{key}", code=row.code))
    elif choice.code == SAME_ENCOUNTER and contrast and row.code == "71250":
        yield Issue(Level.WARNING, "related", words("related.contrast_yes", code=row.code))
    elif choice.code == SAME_ENCOUNTER and contrast is False and row.code == "71260":
        yield Issue(Level.WARNING, "related", words("related.contrast_no", code=row.code))


def correction(key: str, row: Code) -> str:
    """Say what a wrong row means and what to use instead."""
    return words(key, code=row.code, meaning=row.meaning, instead=", ".join(row.instead))


def _dates(order: Order, facts: StudyFacts) -> dict[str, object]:
    return {"study": facts.study_date, "order": order.order_date, "analysis": facts.analysis_date}
