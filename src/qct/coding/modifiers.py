"""Modifiers: what each needs, and which exclude each other."""

from collections.abc import Iterator, Mapping
from itertools import combinations

from qct.coding.catalogue import Kind, find, normal, words
from qct.coding.worksheet import CodeAdvice, Element, Issue, Level, State
from qct.order import Modifier, Order

EXCLUSIVE = (
    frozenset({"26", "TC"}),
    frozenset({"22", "52"}),
    frozenset({"22", "53"}),
    frozenset({"52", "53"}),
    frozenset({"TC", "53"}),
)
"""Both parts are the whole service; more is not less; reduced is not stopped; 53 is professional."""

COMPONENTS = frozenset({"26", "TC"})
"""Modifiers that split the service."""


def describe_modifiers(order: Order, elements: Mapping[str, Element]) -> tuple[CodeAdvice, ...]:
    """Return each modifier once, with the evidence that it needs and whether that is there."""
    advice: dict[str, CodeAdvice] = {}
    for one in order.modifiers:
        row = find(one.code, Kind.MODIFIER)
        needs = row.needs if row is not None and row.applies else ()
        evidence = tuple((elements[key].label, elements[key].state) for key in needs)
        code = normal(one.code)
        advice.setdefault(code, CodeAdvice(code, row, one.reason, evidence))
    return tuple(advice.values())


def check_modifiers(order: Order, elements: Mapping[str, Element]) -> Iterator[Issue]:
    """Say what is wrong with, or missing for, the modifiers of the order."""
    codes = [normal(one.code) for one in order.modifiers]
    for one in order.modifiers:
        yield from _check_one(one, order.service.claim, elements)
    for code in dict.fromkeys(codes):
        if codes.count(code) > 1:
            yield Issue(Level.WARNING, "modifier", words("modifier.twice", code=code))
    for first, second in combinations(dict.fromkeys(codes), 2):
        if frozenset({first, second}) in EXCLUSIVE:
            says = words("modifier.pair", first=first, second=second)
            yield Issue(Level.SETTLE, "modifier", says)
    if not COMPONENTS & set(codes):
        yield Issue(Level.NOTE, "modifier", words("modifier.global"))


def _check_one(
    one: Modifier, claim: str | None, elements: Mapping[str, Element]
) -> Iterator[Issue]:
    """Look at one modifier."""
    row = find(one.code, Kind.MODIFIER)
    code = normal(one.code)
    if row is None:
        yield Issue(Level.SETTLE, "modifier", words("modifier.unknown", code=code))
        return
    if not row.applies:
        says = words("modifier.not_applicable", code=code, meaning=row.meaning)
        yield Issue(Level.SETTLE, "modifier", says)
        return
    if row.reason_required and not one.reason:
        yield Issue(Level.SETTLE, "modifier", words("modifier.reason_missing", code=code))
    if row.professional_only and claim != "professional":
        key = "claim_unknown" if claim is None else "facility_53"
        yield Issue(Level.SETTLE, "modifier", words(f"modifier.{key}"))
    yield from _check_stage(code, one)
    lacking = [elements[key].label for key in row.needs if elements[key].state is State.MISSING]
    if lacking:
        says = words("modifier.evidence", code=code, what="; ".join(lacking))
        yield Issue(Level.SETTLE, "modifier", says)


def _check_stage(code: str, one: Modifier) -> Iterator[Issue]:
    """Ask what was reduced, stopped or acquired: the acquisition is no part of this service."""
    if code not in ("52", "53", "22", "TC"):
        return
    if one.stage == "acquisition":
        yield Issue(Level.SETTLE, "modifier", words("modifier.acquisition", code=code))
    elif one.stage is None and code in ("52", "53"):
        yield Issue(Level.SETTLE, "modifier", words("modifier.stage_missing", code=code))
