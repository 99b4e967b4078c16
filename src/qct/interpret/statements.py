"""Draft statements: rules from ``statements.toml``, applied to the numbers of one scan."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from qct.findings import Change, Measured, Reference, Statement
from qct.flags import Flag, Status
from qct.interpret.gate import Condition, parse_condition
from qct.regions import LOBES

WITHHELD = "withheld"
"""The one template that speaks of a number that is not shown."""

_Numbers = Mapping[tuple[str, str], Measured]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is said when. Attributes as in ``statements.toml``."""

    key: str
    template: str
    numbers: tuple[tuple[str, str], ...]
    when: tuple[Condition, ...]
    compares: bool
    changes: bool
    only: str
    """The one verdict on a change that it speaks of; empty for any."""


@cache
def load_rules() -> tuple[Rule, ...]:
    """Read the table that ships with qct."""
    text = files("qct.interpret").joinpath("statements.toml").read_text(encoding="utf-8")
    return tuple(_rule(row) for row in tomllib.loads(text)["rule"])


def draft(
    measured: tuple[Measured, ...],
    references: tuple[Reference, ...] = (),
    changes: tuple[Change, ...] = (),
) -> tuple[Statement, ...]:
    """Say what the numbers of one scan say.

    Parameters
    ----------
    measured : tuple of Measured
        As judged.
    references : tuple of Reference
        For the same person.
    changes : tuple of Change
        Against earlier scans of the same person.

    Returns
    -------
    statements : tuple of Statement
        In the order of the table. A number that is withheld makes no other statement than that it is.
    """
    by_place = {(one.region, one.quantity): one for one in measured}
    facts = _facts(by_place)
    drafted = (
        _changed(rule, changes) if rule.changes else _statement(rule, by_place, facts, references)
        for rule in load_rules()
    )
    return tuple(one for one in drafted if one is not None)


def _rule(row: Mapping[str, Any]) -> Rule:
    numbers = tuple((region, quantity) for region, quantity in map(str.split, row["numbers"]))
    return Rule(
        key=row["key"],
        template=row["template"],
        numbers=numbers,
        when=tuple(parse_condition(test) for test in row.get("when", ())),
        compares=row.get("compares", False),
        changes=row.get("changes", False),
        only=row.get("only", ""),
    )


def _facts(by_place: _Numbers) -> dict[str, Any]:
    """Return ``region.quantity`` and ``status.region.quantity`` of every number."""
    facts: dict[str, Any] = {}
    for (region, quantity), one in by_place.items():
        facts[f"{region}.{quantity}"] = _value(one)
        facts[f"status.{region}.{quantity}"] = one.status.value
    return facts


def _value(one: Measured | None) -> float | None:
    shown = one is not None and one.status in (Status.REPORTED, Status.CAVEAT)
    return one.value if one is not None and shown else None


def _statement(
    rule: Rule, by_place: _Numbers, facts: Mapping[str, Any], references: tuple[Reference, ...]
) -> Statement | None:
    numbers = tuple(_place(by_place, *number) for number in rule.numbers)
    if any(place is None for place in numbers) or not all(test.holds(facts) for test in rule.when):
        return None
    places = tuple(place for place in numbers if place is not None)
    if rule.template != WITHHELD and any(_value(by_place.get(at)) is None for at in places):
        return None
    if not rule.compares:
        return Statement(rule.key, rule.template, places)
    usual = _usual(references, *places[0])
    stands = usual.stands if usual and usual.stands else "alone"
    return Statement(rule.key, f"{rule.template}_{stands}", places, usual.key if usual else "")


def _changed(rule: Rule, changes: tuple[Change, ...]) -> Statement | None:
    """Speak of a number against earlier scans, if it was compared and both are there."""
    (place,) = rule.numbers
    one = next((c for c in changes if (c.region, c.quantity) == place), None)
    if one is None or one.points[-1].value is None or one.difference is None:
        return None
    if rule.only not in ("", one.verdict):
        return None
    return Statement(rule.key, f"{rule.template}_{one.verdict.replace(' ', '_')}", rule.numbers)


def _place(by_place: _Numbers, region: str, quantity: str) -> tuple[str, str] | None:
    """Find the region that is meant; None for a lobe that cannot be told, as when a border is not seen."""
    if region not in ("highest_lobe", "lowest_lobe"):
        return region, quantity
    found = [one for lobe in LOBES if (one := by_place.get((lobe.key, quantity))) is not None]
    if any(Flag.FISSURE_NOT_SEEN in one.flags or one.status is Status.WITHHELD for one in found):
        return None
    shown = {one.region: _value(one) for one in found}
    known = {key: value for key, value in shown.items() if value is not None}
    if len(set(known.values())) < 2:
        return None
    pick = max if region == "highest_lobe" else min
    return pick(known, key=lambda key: known[key]), quantity


def _usual(references: tuple[Reference, ...], region: str, quantity: str) -> Reference | None:
    """Return the first reference that says how a number stands."""
    fits = (one for one in references if (one.region, one.quantity) == (region, quantity))
    return next((one for one in fits if not one.refused and one.stands), None)
