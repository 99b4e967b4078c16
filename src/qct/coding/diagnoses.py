"""Diagnosis codes as given in the order, and the signer's taxonomy code. No code is ever added."""

import re
from collections.abc import Iterator

from qct.coding.catalogue import CardVerdict, Code, Kind, catalogue, find, normal, words
from qct.coding.service import correction
from qct.coding.worksheet import CodeAdvice, Issue, Level
from qct.order import Order

ICD_FORM = re.compile(r"[A-Z]\d[0-9A-Z](\.?[0-9A-Z]{1,4})?")
"""Form of an ICD-10-CM code."""

ANSWERS_WHY = ("lung disease", "finding", "cause", "screening")
"""Roles that by themselves say why the lung is looked at."""


def describe_codes(codes: tuple[str, ...], kind: Kind) -> tuple[CodeAdvice, ...]:
    """Return each code once, with its row if the catalogue knows it."""
    return tuple(CodeAdvice(code, find(code, kind)) for code in dict.fromkeys(map(normal, codes)))


def check_diagnoses(order: Order) -> Iterator[Issue]:
    """Warn of wrong, unspecific and mutually excluding codes; unknown ones are said to be unknown."""
    codes = list(map(normal, order.diagnoses))
    if not codes:
        yield Issue(Level.SETTLE, "diagnosis", words("diagnosis.none"))
        return
    for code in dict.fromkeys(codes):
        if codes.count(code) > 1:
            yield Issue(Level.WARNING, "diagnosis", words("diagnosis.twice", code=code))
        row = find(code, Kind.DIAGNOSIS)
        yield from _check_unknown(code) if row is None else _check_known(row, codes)
    yield from _check_together(codes, order.smoking.status)


def _check_unknown(code: str) -> Iterator[Issue]:
    """Say what can be said of a code that the catalogue does not hold: its form, and no more."""
    if not ICD_FORM.fullmatch(code):
        yield Issue(Level.SETTLE, "diagnosis", words("diagnosis.malformed", code=code))
    elif any(one.startswith(f"{code}.") for one in catalogue()):
        yield Issue(Level.SETTLE, "diagnosis", words("diagnosis.category", code=code))
    else:
        yield Issue(Level.NOTE, "diagnosis", words("diagnosis.unknown", code=code))


def _check_known(row: Code, codes: list[str]) -> Iterator[Issue]:
    """Look at one known code."""
    if row.verdict is CardVerdict.WRONG:
        yield Issue(Level.SETTLE, "diagnosis", correction("diagnosis.wrong", row))
    elif row.more_specific and not set(row.more_specific) & set(codes):
        instead = " or ".join(row.more_specific)
        says = words("diagnosis.unspecific", code=row.code, instead=instead)
        yield Issue(Level.NOTE, "diagnosis", says)


def _check_together(codes: list[str], smoking: str | None) -> Iterator[Issue]:
    """Look at codes that do not go together, with each other or with the order."""

    def has(start: str) -> bool:
        return any(code.startswith(start) for code in codes)

    rows = [row for code in codes if (row := find(code, Kind.DIAGNOSIS))]
    checks = {
        "excludes2": has("J43") and has("J44"),
        "nicotine": has("Z87.891") and has("F17"),
        "smoking_former": has("F17") and smoking == "former",
        "smoking_current": has("Z87.891") and smoking == "current",
        "no_lung": not any(
            row.role in ANSWERS_WHY and row.verdict is not CardVerdict.WRONG for row in rows
        ),
    }
    for key, applies in checks.items():
        if applies:
            yield Issue(Level.WARNING, "diagnosis", words(f"diagnosis.{key}"))


def check_taxonomy(order: Order) -> Iterator[Issue]:
    """Correct the signer's taxonomy code where the card's row is wrong."""
    if order.signer.taxonomy is None:
        return
    code = normal(order.signer.taxonomy)
    row = find(code, Kind.TAXONOMY)
    if row is None:
        yield Issue(Level.NOTE, "taxonomy", words("taxonomy.unknown", code=code))
    elif row.verdict is CardVerdict.WRONG:
        yield Issue(Level.SETTLE, "taxonomy", correction("taxonomy.wrong", row))
    elif row.role != "physician":
        says = words("taxonomy.not_physician", code=code, meaning=row.meaning)
        yield Issue(Level.SETTLE, "taxonomy", says)
