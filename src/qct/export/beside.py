"""What stands beside a number: what is usual, how far it may move, and how far it has since an earlier scan."""

from collections.abc import Sequence
from typing import TypeVar

from qct.export.shown import is_told
from qct.findings import Analysis, Change, Measured, Reference, Uncertainty
from qct.quantities import Quantity, quantities_of

Row = TypeVar("Row", Reference, Uncertainty, Change)


class Beside:
    """References and uncertainties of one analysis, by number."""

    def __init__(self, analysis: Analysis) -> None:
        self._rows = quantities_of(analysis.options.profile)
        self._references = _by_number(analysis.references)
        self._uncertainties = _by_number(analysis.uncertainties)
        self._changes = _by_number(analysis.changes)

    def references(self, one: Measured) -> tuple[Reference, ...]:
        """Return every reference of a number, those that are refused too, in the order of their table."""
        return tuple(self._references.get(_at(one), ()))

    def usual(self, one: Measured) -> Reference | None:
        """Return the first reference that applies to a number."""
        return next((r for r in self.references(one) if not r.refused), None)

    def uncertainties(self, one: Measured) -> tuple[Uncertainty, ...]:
        """Return what is known of how far a number may move."""
        return tuple(self._uncertainties.get(_at(one), ()))

    def amount(self, one: Measured, kind: str) -> float | None:
        """Return the first uncertainty of one kind."""
        return next((u.amount for u in self.uncertainties(one) if u.kind == kind), None)

    def changes(self, one: Measured) -> tuple[Change, ...]:
        """Return how a number stands to earlier scans, where its repeatability is published."""
        rows = self._changes.get(_at(one), ())
        return tuple(c for c in rows if c.least_change is not None)

    def sentences(self, one: Measured) -> list[str]:
        """Put into words what stands beside a number; nothing of a number that is not told."""
        if not is_told(one):
            return []
        row = self._rows[one.quantity]
        told = [reference_words(usual, row) for usual in self.references(one)]
        told += [uncertainty_words(sure, row) for sure in self.uncertainties(one)]
        return told + [change_words(change, row) for change in self.changes(one)]


def reference_words(one: Reference, row: Quantity) -> str:
    """Put a reference into one sentence; its limits are those of a population, not of health."""
    if one.refused:
        return f"No reference value ({one.population}): {one.refused}."
    parts = [] if one.predicted is None else [f"{one.kind} {row.text(one.predicted)}"]
    if one.lower is not None:
        parts.append(f"lower limit {row.text(one.lower)}")
    if one.upper is not None:
        parts.append(f"upper limit {row.text(one.upper)}")
    if one.percent_predicted is not None:
        parts.append(f"{one.percent_predicted:.0f} % of predicted")
    if one.z_score is not None:
        parts.append(f"z-score {one.z_score:.1f}")
    return f"Reference: {', '.join(parts)} ({one.population}; {one.source})."


def uncertainty_words(one: Uncertainty, row: Quantity) -> str:
    """Put an uncertainty into one sentence."""
    amount = f"{one.amount:.{row.decimals + 1}f} {row.text(0).partition(' ')[2]}".strip()
    doubt = "" if one.confirmed else "; to be confirmed"
    return f"{one.kind.capitalize()}: {amount} ({one.conditions}; {one.source}{doubt})."


def change_words(one: Change, row: Quantity) -> str:
    """Put a difference from the baseline, and whether it counts, into one sentence."""
    since = one.points[0].date or one.points[0].name
    if one.difference is None:
        return f"Not comparable with {since}: {one.why}."
    sign = "+" if one.difference > 0 else ""
    doubt = "" if one.confirmed else "; to be confirmed"
    amount = row.text(one.difference).replace("%", "percentage points")
    return f"Since {since}: {sign}{amount}, {one.verdict} ({one.source}{doubt})."


def _by_number(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for one in rows:
        found.setdefault(_at(one), []).append(one)
    return found


def _at(one: Measured | Reference | Uncertainty | Change) -> tuple[str, str]:
    return one.region, one.quantity
