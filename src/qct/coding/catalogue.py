"""The catalogue: every code, its verdict against the design card, and how sure each fact is."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any


class Kind(StrEnum):
    """What sort of code."""

    PROCEDURE = "procedure"
    MODIFIER = "modifier"
    DIAGNOSIS = "diagnosis"
    TAXONOMY = "taxonomy"


class CardVerdict(StrEnum):
    """How the design card's row stands against the official meaning."""

    RIGHT = "right"
    WRONG = "wrong"
    CORRECTED = "corrected"
    """Right code; the card's use or wording of it is wrong."""
    NOT_APPLICABLE = "not applicable"
    """The code means something, but not for an interpretation."""
    MISSING = "missing"
    """The card lacks it and should have it."""
    RELATED = "related"
    """Not on the card; a rule or a correction needs it."""


class FactStatus(StrEnum):
    """How sure a fact is; the value is what a reader sees."""

    VERIFIED = "verified"
    RECALLED = "recalled, to be confirmed"
    NOT_FOUND = "not found"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact, where it is from, and the day it was entered."""

    says: str
    status: FactStatus
    source: str
    entered: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One row of the catalogue.

    Attributes
    ----------
    meaning : str
        Own plain words, never a licensed descriptor.
    role : str
        What a rule needs to know: ``ct``, ``rendering``, ``lung disease``, ...
    instead : tuple of str
        What to use where the card's row is wrong.
    more_specific : tuple of str
        Codes that say more than this one.
    needs : tuple of str
        Elements of the checklist that a modifier has to be backed by.
    """

    code: str
    kind: Kind
    verdict: CardVerdict
    meaning: str
    facts: tuple[Fact, ...]
    role: str = ""
    anatomy: str = ""
    instead: tuple[str, ...] = ()
    more_specific: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    applies: bool = True
    reason_required: bool = False
    professional_only: bool = False

    @property
    def is_sure(self) -> bool:
        """Whether every fact of the row was read in a source."""
        return all(fact.status is FactStatus.VERIFIED for fact in self.facts)


STATUSES = {
    "verified": FactStatus.VERIFIED,
    "recalled": FactStatus.RECALLED,
    "not found": FactStatus.NOT_FOUND,
}
"""Words of the data file."""


def data(name: str) -> dict[str, Any]:
    """Read one data file of this package."""
    return tomllib.loads(files(__package__).joinpath(name).read_text(encoding="utf-8"))


@cache
def catalogue() -> Mapping[str, Code]:
    """Return every row by its code."""
    table = data("catalogue.toml")
    rows = (_row(row, table["sources"], table["entered"]) for row in table["code"])
    return MappingProxyType({row.code: row for row in rows})


def normal(code: str) -> str:
    """Write a code the way the catalogue does: upper case, no blanks, no leading ``+``, ICD with point."""
    plain = code.strip().upper().lstrip("+").replace(" ", "")
    known = catalogue()
    if plain not in known and len(plain) > 3 and f"{plain[:3]}.{plain[3:]}" in known:
        return f"{plain[:3]}.{plain[3:]}"
    return plain


def find(code: str, kind: Kind | None = None) -> Code | None:
    """Return the row of a code, or None if it is unknown (or of another kind); nothing is guessed."""
    row = catalogue().get(normal(code))
    return row if row is not None and kind in (None, row.kind) else None


def close_codes(code: str) -> list[str]:
    """Codes that are spelt alike; a hint for typing errors, not a meaning."""
    return get_close_matches(normal(code), catalogue(), n=3, cutoff=0.75)


@cache
def _wording() -> dict[str, Any]:
    return data("wording.toml")


def words(key: str, **filled: object) -> str:
    """Return the sentence ``section.name`` of ``wording.toml`` with its names filled in."""
    section, name = key.split(".")
    return str(_wording()[section][name]).format(**filled)


def _row(row: Mapping[str, Any], sources: Mapping[str, str], entered: str) -> Code:
    plain: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in row.items()
        if key not in ("kind", "verdict", "fact")
    }
    facts = tuple(
        Fact(one["says"], STATUSES[one["status"]], sources[one["source"]], entered)
        for one in row["fact"]
    )
    return Code(kind=Kind(row["kind"]), verdict=CardVerdict(row["verdict"]), facts=facts, **plain)
