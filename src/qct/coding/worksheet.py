"""What `advise` hands back: plain frozen values, nothing computed here."""

from dataclasses import dataclass
from enum import StrEnum

from qct.coding.catalogue import Code


class Level(StrEnum):
    """How much an issue weighs."""

    SETTLE = "to settle"
    """The worksheet is not complete until somebody has settled it."""
    WARNING = "warning"
    """Worth a look; blocks nothing."""
    NOTE = "note"


class State(StrEnum):
    """Whether an element of the documentation is there."""

    FOUND = "found"
    MISSING = "missing"
    NOT_NEEDED = "not needed"


class Basis(StrEnum):
    """What the choice between 0721T and 0722T rests on."""

    ATTESTED = "attested"
    DERIVED = "derived from dates"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Issue:
    """One sentence that somebody has to read."""

    level: Level
    topic: str
    says: str


@dataclass(frozen=True, slots=True)
class ServiceChoice:
    """0721T, 0722T or neither, and why."""

    code: str | None
    basis: Basis
    reason: str


@dataclass(frozen=True, slots=True)
class CodeAdvice:
    """One code of the order. `row` is None if the catalogue does not know it."""

    code: str
    row: Code | None
    reason: str | None = None
    """For a modifier: the reason that was given."""
    evidence: tuple[tuple[str, State], ...] = ()
    """For a modifier: what it has to be backed by."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element of the documentation."""

    group: str
    key: str
    label: str
    state: State
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worksheet:
    """The worksheet of one study.

    Attributes
    ----------
    may_be_finalised : bool
        True only with a physician's interpretation, a named signer and nothing to settle.
    standing : str
        The same as a sentence.
    """

    service: ServiceChoice
    modifiers: tuple[CodeAdvice, ...]
    diagnoses: tuple[CodeAdvice, ...]
    related: tuple[CodeAdvice, ...]
    taxonomy: CodeAdvice | None
    checklist: tuple[Element, ...]
    issues: tuple[Issue, ...]
    may_be_finalised: bool
    standing: str
    statements: tuple[str, ...]
