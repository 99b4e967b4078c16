"""What people say about a study: the question, the patient's history, who asked, who reads and signs.

An ``order.toml`` holds what no image can tell. Everything may be missing; what is missing is shown as
missing and never made up. Unknown names are refused, so that a typing error cannot lose a statement.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, datetime
from difflib import get_close_matches
from types import UnionType
from typing import Any, Self, get_args, get_origin, get_type_hints

from qct.errors import IdentityError, OptionError

SMOKING = ("never", "former", "current", "unknown")
"""Words for `Smoking.status`."""

CLAIMS = ("professional", "facility")
"""Who reports the service: a physician or group, or an institution."""

STAGES = ("acquisition", "analysis", "interpretation")
"""The part of the work that a modifier is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoking:
    """Smoking as the referrer gives it."""

    status: str | None = None
    """One of `SMOKING`."""
    pack_years: float | None = None
    quit_year: int | None = None

    def __post_init__(self) -> None:
        _one_of("smoking.status", self.status, SMOKING)
        _between("smoking.pack_years", self.pack_years, 0, 400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spirometry:
    """Lung function as the physician gives it; nothing is computed from it."""

    tested_on: date | None = None
    fev1_l: float | None = None
    fev1_percent: float | None = None
    """Percent of predicted."""
    fvc_l: float | None = None
    fvc_percent: float | None = None
    """Percent of predicted."""
    gold: str | None = None
    """GOLD grade or group in the physician's words."""

    def __post_init__(self) -> None:
        for name, most in (
            ("fev1_l", 12),
            ("fvc_l", 12),
            ("fev1_percent", 250),
            ("fvc_percent", 250),
        ):
            _between(f"spirometry.{name}", getattr(self, name), 0, most)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisualGrades:
    """What the reader saw, in the reader's own grades."""

    reader: str | None = None
    centrilobular: str | None = None
    paraseptal: str | None = None
    panlobular: str | None = None
    airway_disease: str | None = None
    interstitial: str | None = None
    other: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How the quantification stands to the CT, and who reports it."""

    concurrent: bool | None = None
    """True if the CT was taken in the same encounter; None if nobody has said so."""
    anatomy: str | None = None
    """What was quantified; ``chest`` if left out."""
    claim: str | None = None
    """One of `CLAIMS`."""
    other_codes: tuple[str, ...] = ()
    """Procedure codes that are to be reported for the same patient and day."""

    def __post_init__(self) -> None:
        _one_of("service.claim", self.claim, CLAIMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Modifier:
    """One modifier that somebody wants to append, and why."""

    code: str
    reason: str | None = None
    stage: str | None = None
    """One of `STAGES`: what was more, less, or stopped."""

    def __post_init__(self) -> None:
        _one_of("modifiers.stage", self.stage, STAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the physician writes. Never filled in by software."""

    interpretation: str | None = None
    answer: str | None = None
    """Answer to the clinical question."""
    impression: str | None = None
    comparison: str | None = None
    """Prior studies that were looked at, or that there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """The physician who answers for the report."""

    name: str | None = None
    credentials: str | None = None
    taxonomy: str | None = None
    """Health care provider taxonomy code."""
    signed_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Everything that people, not images, say about one study.

    Raises
    ------
    OptionError
        If a value is outside its limits.
    """

    patient_id: str | None = None
    """Whom it is about; an order for another patient than the scan's is refused."""
    question: str | None = None
    """The clinical question."""
    indication: str | None = None
    history: str | None = None
    medications: tuple[str, ...] = ()
    referrer: str | None = None
    facility: str | None = None
    order_number: str | None = None
    order_date: date | None = None
    diagnoses: tuple[str, ...] = ()
    """ICD-10-CM codes, first-listed first."""
    smoking: Smoking = field(default_factory=Smoking)
    spirometry: Spirometry = field(default_factory=Spirometry)
    visual: VisualGrades = field(default_factory=VisualGrades)
    service: Service = field(default_factory=Service)
    modifiers: tuple[Modifier, ...] = ()
    reading: Reading = field(default_factory=Reading)
    signer: Signer = field(default_factory=Signer)

    def check_patient(self, patient_id: str | None, study: str = "scan") -> None:
        """Refuse to go with another patient's study; where one of the two names nobody, nothing can be said.

        Raises
        ------
        IdentityError
            If both name a patient, and not the same.
        """
        if self.patient_id and patient_id and self.patient_id.strip() != patient_id.strip():
            raise IdentityError(
                f"the order is for another patient than the {study}",
                hint="Hand in the order of this examination.",
            )

    @classmethod
    def from_mapping(cls, said: Mapping[str, Any]) -> Self:
        """Build an order from a parsed table.

        Raises
        ------
        OptionError
            If a name is unknown, or a value has the wrong type or is outside its limits.
        """
        order: Self = _build(cls, said, "")
        return order

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Build an order from the text of an ``order.toml``.

        Raises
        ------
        OptionError
            If the text is not TOML, or for the reasons of `from_mapping`.
        """
        try:
            said = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            # The decoder's own words may quote the file, and the file is about a patient.
            line = text.count("\n", 0, getattr(error, "pos", 0)) + 1
            where = f" near line {line}" if hasattr(error, "pos") else ""
            msg = f"the order is not valid TOML{where}"
            raise OptionError(
                msg, hint='Write text in quotes, dates as 2026-05-31, lists as ["a", "b"].'
            ) from None
        return cls.from_mapping(said)


def _build(cls: Any, said: Mapping[str, Any], where: str) -> Any:
    """Make the dataclass `cls` from a table; `where` is the path to it, for messages."""
    kinds = get_type_hints(cls)
    known = [one.name for one in fields(cls)]
    for name in said:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}."
            raise OptionError(f"unknown name {where}{name} in the order", hint=hint)
    values = {name: _value(kinds[name], one, f"{where}{name}") for name, one in said.items()}
    if cls is Modifier and not values.get("code"):
        raise OptionError(f"{where}code is missing", hint='Give each modifier a code = "..".')
    return cls(**values)


def _value(kind: Any, value: Any, where: str) -> Any:
    """Turn a TOML value into `kind`, or say what was expected; never shows the value."""
    if isinstance(kind, UnionType):  # X | None: TOML has no null, so it is X
        kind = get_args(kind)[0]
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise _wrong(where, "a list")
        return tuple(_value(get_args(kind)[0], one, f"{where}[{i}]") for i, one in enumerate(value))
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise _wrong(where, "a table")
        return _build(kind, value, f"{where}.")
    return _plain(kind, value, where)


def _plain(kind: Any, value: Any, where: str) -> Any:
    """Turn a TOML value into text, number, yes/no or date."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is bool and isinstance(value, bool):
        return value
    if kind is float and is_number:
        return float(value)
    if kind is int and is_number and isinstance(value, int):
        return value
    if kind is str and (isinstance(value, str) or (is_number and isinstance(value, int))):
        return str(value).strip() or None
    if kind is date:
        return _date(value, where)
    words = {bool: "true or false", float: "a number", int: "a whole number", str: "text in quotes"}
    raise _wrong(where, words[kind])


def _date(value: Any, where: str) -> date:
    """Turn a TOML date, or an ISO 8601 text, into a date."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise _wrong(where, "a date such as 2026-05-31") from None


def _wrong(where: str, expected: str) -> OptionError:
    return OptionError(f"{where} in the order is not {expected}", hint=f"Write {expected}.")


def _one_of(where: str, value: str | None, words: tuple[str, ...]) -> None:
    """Refuse a word that is none of `words`."""
    if value is not None and value not in words:
        close = get_close_matches(value, words, n=1)
        hint = f"Did you mean {close[0]}?" if close else "Leave it out if nobody has said it."
        raise OptionError(f"{where} in the order is none of {', '.join(words)}", hint=hint)


def _between(where: str, value: float | None, least: float, most: float) -> None:
    """Refuse a number outside its limits, NaN included."""
    if value is not None and not least <= value <= most:
        raise OptionError(
            f"{where} in the order is not between {least} and {most}",
            hint="Check the unit; leave it out if it is not known.",
        )
