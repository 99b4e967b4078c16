"""Judge what a scan is good enough for: rules from ``gate.toml``, applied number by number."""

import hashlib
import string
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from qct.acquisition import Acquisition, Patient, Study
from qct.errors import OptionError
from qct.findings import Measured, Reason, Scan, Segmentation, Verdict
from qct.flags import Flag, Status, Weight
from qct.interpret.facts import Facts, Words, header_facts, image_facts, region_facts
from qct.interpret.reference import references
from qct.quantities import HEADLINE, QUANTITIES, kin_of
from qct.regions import REGIONS

COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "is": lambda value, wanted: bool(value == wanted),
    "in": lambda value, wanted: value in wanted,
    "above": lambda value, limit: bool(value > limit),
    "below": lambda value, limit: bool(value < limit),
}
"""How a condition compares a fact that is known."""

TLC_ROW = "tlc_ecsc1993"
"""Row of the reference values that predicts total lung capacity."""

SITE_ENTRIES = {"site", "off", "rule", "groups", "regions", "words"}
"""What the file of a site may hold."""

SITE_SAYS = "Judged by the rules of the site ({site}): {changes}."
"""The one reason that is no rule of the table."""

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
    record: Mapping[str, Any] = field(default_factory=dict)
    """What a site changed; empty for the table that ships with qct."""

    def site_reason(self) -> tuple[Reason, ...]:
        """Return the sentence about the site's changes, if there are any."""
        if not self.record:
            return ()
        parts = [
            f"{words} {', '.join(self.record[key])}"
            for key, words in (("replaced", "other rules for"), ("off", "no rules for"))
            if self.record[key]
        ]
        changes = "; ".join(parts) or "other words"
        says = SITE_SAYS.format(site=self.record["site"], changes=changes)
        return (Reason(Flag.SITE_GATE, says, Weight.NOTE, "qct"),)


@cache
def load_gate() -> Gate:
    """Read the table that ships with qct."""
    return parse_gate(_shipped())


def site_gate(file: Path) -> Gate:
    """Read the table that ships with qct, with what a site changes in it.

    The file is a table like the shipped one. Its rules stand in place of all shipped rules of the same
    flag; ``off`` lists flags that the site does not want judged; groups, regions and words that it names
    stand in place of the shipped ones; ``site`` says whose rules they are.

    Raises
    ------
    OptionError
        If there is no such file, or it asks about what is not known, or names what there is not.
    """
    try:
        text = file.read_text(encoding="utf-8")
        table = tomllib.loads(text)
        shipped = tomllib.loads(_shipped())
        gate = _parsed(_with_changes(shipped, table), table)
        _refuse_unknown(gate)
    except (OSError, UnicodeError) as trouble:
        raise OptionError(f"{file} cannot be read", hint="Name the gate's file.") from trouble
    except (ValueError, KeyError, TypeError, AttributeError) as trouble:
        raise OptionError(
            f"{file.name} is no table for the gate: {trouble}",
            hint="See docs/gate.md for what it may hold.",
        ) from trouble
    digest = hashlib.sha256(text.encode()).hexdigest()
    return replace(gate, record={**gate.record, "sha256": digest})


def parse_gate(text: str) -> Gate:
    """Read a table; ValueError or KeyError names what is wrong with it."""
    return _parsed(tomllib.loads(text), {})


def _shipped() -> str:
    return files("qct.interpret").joinpath("gate.toml").read_text(encoding="utf-8")


def _parsed(table: Mapping[str, Any], changes: Mapping[str, Any]) -> Gate:
    rules = tuple(_rule(row, table["groups"], table["regions"]) for row in table["rule"])
    return Gate(rules, table["words"], table["headline_region"], _record(changes))


def _record(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a site changed; empty if nothing."""
    if not changes:
        return {}
    replaced = {str(row["flag"]).lower() for row in changes.get("rule", ())}
    return {
        "site": str(changes.get("site", "not named")),
        "replaced": sorted(replaced),
        "off": sorted(Flag[name].key for name in changes.get("off", ())),
        "tables": sorted({"groups", "regions", "words"} & changes.keys()),
    }


def _with_changes(shipped: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    unknown = changes.keys() - SITE_ENTRIES
    if unknown:
        msg = f"unknown entries: {', '.join(sorted(unknown))}"
        raise ValueError(msg)
    rules = [{"source": "site", **row} for row in changes.get("rule", ())]
    gone = {row["flag"] for row in rules} | set(changes.get("off", ()))
    kept = [row for row in shipped["rule"] if row["flag"] not in gone]
    tables = {
        name: {**shipped[name], **changes.get(name, {})} for name in ("groups", "regions", "words")
    }
    return {**shipped, **tables, "rule": kept + rules}


def _refuse_unknown(gate: Gate) -> None:
    """Refuse rules about what does not exist: they would never apply, and nobody would notice."""
    known = _foreseen_facts(Acquisition(), Study(), frozenset(), 1.0, gate).keys()
    for rule in gate.rules:
        asked = {test.fact for test in rule.when}
        said = {name for _, name, _, _ in string.Formatter().parse(rule.says) if name}
        for name in sorted((asked | said) - known):
            msg = f"rule {rule.flag.name} speaks of {name!r}, which is no fact"
            raise ValueError(msg)
        for name in sorted((rule.caveat | rule.withhold) - QUANTITIES.keys()):
            msg = f"rule {rule.flag.name} speaks of {name!r}, which is no quantity"
            raise ValueError(msg)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the header alone says of the numbers that a series would give.

    Attributes
    ----------
    overall : Status
        The worst that would happen to a headline number of both lungs.
    reasons : tuple of Reason
        Worst first.
    statuses : mapping
        Status by quantity, for both lungs.
    """

    overall: Status
    reasons: tuple[Reason, ...]
    statuses: Mapping[str, Status]


def foresee(
    acquisition: Acquisition,
    study: Study,
    spacing_z_mm: float,
    flags: frozenset[Flag] = frozenset(),
    gate: Gate | None = None,
) -> Outlook:
    """Judge a series before its pixels are read; what only pixels tell is not in it."""
    gate = gate or load_gate()
    facts = _foreseen_facts(acquisition, study, flags, spacing_z_mm, gate)
    fired = _fired(gate, facts)
    region = gate.headline_region
    blank = tuple(Measured(region, quantity, 0.0) for quantity in QUANTITIES)
    judged = tuple(_judged(one, [rule for rule, _ in fired]) for one in blank)
    return Outlook(
        overall=_overall(judged, region),
        reasons=_worst_first((reason for _, reason in fired), fired) + gate.site_reason(),
        statuses={one.quantity: one.status for one in judged},
    )


def _foreseen_facts(
    acquisition: Acquisition,
    study: Study,
    flags: frozenset[Flag],
    spacing_z_mm: float,
    gate: Gate,
) -> Facts:
    is_lossy = acquisition.is_lossy or Flag.LOSSY_COMPRESSION in flags
    nothing = Segmentation(labels=np.empty((0, 0, 0), np.uint8))
    return (
        header_facts(acquisition, study, is_lossy, spacing_z_mm, gate.words)
        | image_facts()
        | region_facts(gate.headline_region, flags, nothing)
    )


def judge(
    scan: Scan,
    segmentation: Segmentation,
    measured: tuple[Measured, ...],
    calibration_hu: Mapping[str, float] | None = None,
    gate: Gate | None = None,
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
        Measured HU of known substances, by the names in `qct.interpret.facts.CALIBRATED`.
    gate : Gate, optional
        The rules; those that ship with qct if left out.

    Returns
    -------
    verdict : Verdict
        The worst that happens to a headline number of both lungs, and every reason once: what weighs on
        those numbers first, the worst of it at the top.
    judged : tuple of Measured
        In the same order, each with its status and flags. A withheld number has no value.
    """
    gate = gate or load_gate()
    is_lossy = scan.acquisition.is_lossy or Flag.LOSSY_COMPRESSION in scan.flags
    spacing_z_mm = scan.volume.spacing_mm[0]
    whole = header_facts(scan.acquisition, scan.study, is_lossy, spacing_z_mm, gate.words)
    whole |= image_facts(measured, calibration_hu, _predicted_tlc_ml(scan.patient))
    fired = {
        region: _fired(gate, whole | region_facts(region, scan.flags, segmentation, measured))
        for region in dict.fromkeys(one.region for one in measured)
    }
    judged = tuple(_judged(one, [rule for rule, _ in fired[one.region]]) for one in measured)
    reasons = dict.fromkeys(reason for hits in fired.values() for _, reason in hits)
    return (
        Verdict(
            overall=_overall(judged, gate.headline_region),
            reasons=_worst_first(reasons, fired.get(gate.headline_region, [])) + gate.site_reason(),
            calibration_hu=dict(calibration_hu or {}),
            gate=gate.record,
        ),
        judged,
    )


def _predicted_tlc_ml(patient: Patient) -> float | None:
    rows = (row for row in references(patient) if row.key == TLC_ROW)
    return next((row.predicted for row in rows), None)


def _worst_first(
    reasons: Iterable[Reason], of_both: Iterable[tuple[Rule, Reason]]
) -> tuple[Reason, ...]:
    """Sort by what each does to a headline number of both lungs, then by the worst it does to any number."""
    main = {reason: max(map(rule.weight_for, HEADLINE)) for rule, reason in of_both}
    return tuple(sorted(reasons, key=lambda one: (-main.get(one, Weight.NOTE), -one.weight)))


def _fired(gate: Gate, facts: Facts) -> list[tuple[Rule, Reason]]:
    """Return the rules that apply to a region, with their sentences."""
    return [
        (rule, Reason(rule.flag, _filled(rule.says, facts), rule.weight, rule.source))
        for rule in gate.rules
        if facts["region"] in rule.regions and all(test.holds(facts) for test in rule.when)
    ]


class _Sentence(string.Formatter):
    """Fills in facts, whose names have dots; what is not known is called so."""

    def get_field(self, name: str, args: Any, facts: Any) -> tuple[Any, str]:
        return facts.get(name), name

    def format_field(self, value: Any, spec: str) -> str:
        return "unknown" if value is None else str(super().format_field(value, spec))


def _filled(says: str, facts: Facts) -> str:
    return _Sentence().vformat(says, (), facts)


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
