"""Judge what a scan is good enough for: rules from ``gate.toml``, applied number by number."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from qct.findings import Measured, Reason, Scan, Segmentation, Verdict
from qct.flags import Flag, Status, Weight
from qct.interpret.facts import Facts, Words, region_facts, scan_facts
from qct.quantities import HEADLINE, kin_of
from qct.regions import REGIONS

COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "is": lambda value, wanted: bool(value == wanted),
    "in": lambda value, wanted: value in wanted,
    "above": lambda value, limit: bool(value > limit),
    "below": lambda value, limit: bool(value < limit),
}
"""How a condition compares a fact that is known."""

_STATUS = {
    Weight.NOTE: Status.REPORTED,
    Weight.CAVEAT: Status.CAVEAT,
    Weight.WITHHOLD: Status.WITHHELD,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a fact; `how` is a key of `COMPARE`, or ``missing``."""

    fact: str
    how: str
    against: Any

    def holds(self, facts: Facts) -> bool:
        """Tell whether it holds; a fact that is not known is only ever missing."""
        value = facts.get(self.fact)
        if self.how == "missing":
            return (value is None) is bool(self.against)
        return value is not None and COMPARE[self.how](value, self.against)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What follows from what. Attributes as in ``gate.toml``, with groups spelt out."""

    flag: Flag
    when: tuple[Condition, ...]
    regions: frozenset[str]
    caveat: frozenset[str]
    withhold: frozenset[str]
    says: str
    source: str

    @property
    def weight(self) -> Weight:
        """The worst it does to any number."""
        if self.withhold:
            return Weight.WITHHOLD
        return Weight.CAVEAT if self.caveat else Weight.NOTE

    def weight_for(self, quantity: str) -> Weight:
        """Return what it does to one quantity; one that was asked for is treated as its next of kin."""
        quantity = kin_of(quantity)
        if quantity in self.withhold:
            return Weight.WITHHOLD
        return Weight.CAVEAT if quantity in self.caveat else Weight.NOTE


@dataclass(frozen=True, slots=True)
class Gate:
    """The whole table."""

    rules: tuple[Rule, ...]
    words: Words
    headline_region: str


@cache
def load_gate() -> Gate:
    """Read the table that ships with qct."""
    return parse_gate(files("qct.interpret").joinpath("gate.toml").read_text(encoding="utf-8"))


def parse_gate(text: str) -> Gate:
    """Read a table; ValueError or KeyError names what is wrong with it."""
    table = tomllib.loads(text)
    rules = tuple(_rule(row, table["groups"], table["regions"]) for row in table["rule"])
    return Gate(rules, table["words"], table["headline_region"])


def _rule(
    row: Mapping[str, Any], groups: Mapping[str, list[str]], regions: Mapping[str, list[str]]
) -> Rule:
    unknown = row.keys() - {"flag", "when", "regions", "caveat", "withhold", "says", "source"}
    if unknown:
        msg = f"rule {row['flag']} has unknown entries: {', '.join(sorted(unknown))}"
        raise ValueError(msg)
    return Rule(
        flag=Flag[row["flag"]],
        when=tuple(parse_condition(test) for test in row["when"]),
        regions=_spelt_out(row["regions"], regions) if "regions" in row else frozenset(REGIONS),
        caveat=_spelt_out(row.get("caveat", ()), groups),
        withhold=_spelt_out(row.get("withhold", ()), groups),
        says=row["says"],
        source=row["source"],
    )


def parse_condition(test: Mapping[str, Any]) -> Condition:
    """Read one row of ``when``; ValueError if it compares in no known way."""
    ((how, against),) = ((key, value) for key, value in test.items() if key != "fact")
    if how not in {*COMPARE, "missing"}:
        msg = f"a condition on {test['fact']} compares by {how!r}"
        raise ValueError(msg)
    return Condition(test["fact"], how, against)


def _spelt_out(names: Iterable[str], groups: Mapping[str, list[str]]) -> frozenset[str]:
    return frozenset(member for name in names for member in groups[name])


def judge(
    scan: Scan,
    segmentation: Segmentation,
    measured: tuple[Measured, ...],
    calibration_hu: Mapping[str, float] | None = None,
) -> tuple[Verdict, tuple[Measured, ...]]:
    """Judge the scan, and every number of it.

    Parameters
    ----------
    scan : Scan
        The acquisition, and the doubts of reading.
    segmentation : Segmentation
        The doubts about regions and lobe borders.
    measured : tuple of Measured
        As they come from measuring.
    calibration_hu : mapping, optional
        Measured HU of known substances: ``outside_air``, ``tracheal_air``.

    Returns
    -------
    verdict : Verdict
        The worst that happens to a headline number of both lungs, and every reason once.
    judged : tuple of Measured
        In the same order, each with its status and flags. A withheld number has no value.
    """
    gate = load_gate()
    whole = scan_facts(scan, measured, calibration_hu or {}, gate.words)
    fired = {
        region: _fired(gate, whole | region_facts(region, scan, segmentation, measured))
        for region in dict.fromkeys(one.region for one in measured)
    }
    judged = tuple(_judged(one, [rule for rule, _ in fired[one.region]]) for one in measured)
    reasons = dict.fromkeys(reason for hits in fired.values() for _, reason in hits)
    return (
        Verdict(
            overall=_overall(judged, gate.headline_region),
            reasons=tuple(sorted(reasons, key=lambda reason: -reason.weight)),
            calibration_hu=dict(calibration_hu or {}),
        ),
        judged,
    )


def _fired(gate: Gate, facts: Facts) -> list[tuple[Rule, Reason]]:
    """Return the rules that apply to a region, with their sentences."""
    return [
        (rule, Reason(rule.flag, _filled(rule.says, facts), rule.weight, rule.source))
        for rule in gate.rules
        if facts["region"] in rule.regions and all(test.holds(facts) for test in rule.when)
    ]


def _filled(says: str, facts: Facts) -> str:
    # str.format reads a dot as an attribute, and fact names have dots
    nested: dict[str, Any] = {}
    for name, value in facts.items():
        group, dot, member = name.partition(".")
        if dot:
            nested.setdefault(group, _Named())[member] = value
        else:
            nested[name] = value
    return says.format_map(nested)


class _Named(dict[str, Any]):
    """A group of facts whose members are reached with a dot."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


def _judged(one: Measured, rules: list[Rule]) -> Measured:
    """Give one number its status and flags; what was not measured stays so."""
    if one.status is Status.NOT_MEASURED:
        return one
    touching = [rule for rule in rules if rule.weight_for(one.quantity) > Weight.NOTE]
    worst = max((rule.weight_for(one.quantity) for rule in touching), default=Weight.NOTE)
    return replace(
        one,
        value=None if worst is Weight.WITHHOLD else one.value,
        status=_STATUS[worst],
        flags=one.flags | {rule.flag for rule in touching},
    )


def _overall(judged: tuple[Measured, ...], region: str) -> Status:
    """Return the worst status of a headline number."""
    found = {one.status for one in judged if one.region == region and one.quantity in HEADLINE}
    order = (Status.WITHHELD, Status.CAVEAT)
    return next((status for status in order if status in found), Status.REPORTED)
