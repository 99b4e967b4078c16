"""Numbers as a report prints them: rounded by the dictionary, marked where there is a doubt."""

from collections.abc import Iterable
from dataclasses import replace
from math import isfinite, sqrt
from string import ascii_lowercase

from qct.findings import Analysis, Change, Measured, Point, Reference, Uncertainty
from qct.flags import Flag, Status
from qct.quantities import Quantity, quantities_of
from qct.regions import Region
from qct.report.document import Table
from qct.report.wording import NO_BREAK_SPACE, Wording

LETTERS = (*ascii_lowercase, *(f"{letter}{letter}" for letter in ascii_lowercase))
"""Marks of reasons under a table; more than there are flags."""

UNCONFIRMED = "†"
"""Stands at figures whose printed source was not seen yet."""

LEAST_CHANGE = "least detectable change"

BORDER_ERROR = "border error"
"""Kinds of `Uncertainty` that stand beside a number."""

NONE = "–"

AT_BASELINE = "perc15_baseline_g_l"
"""Made by a comparison, of both lungs only; its doubts are those of `OF_BASELINE`."""

OF_BASELINE = "perc15_g_l"


class Numbers:
    """Finds a number and prints it; remembers what has to be explained under the table."""

    def __init__(self, analysis: Analysis, say: Wording) -> None:
        self._by_key = {(one.region, one.quantity): one for one in analysis.measured}
        self._rows = quantities_of(analysis.options.profile)
        self._analysis = analysis
        self._say = say
        self._letters: dict[Flag | None, str] = {}
        self._has_errors = False
        self.has_spread = False
        """Whether a number was printed with its spread, which is to be explained."""

    def find(self, region: str, quantity: str) -> Measured | None:
        """Return a number; None if it was not asked for."""
        return self._by_key.get((region, quantity))

    def letters(self, region: str, quantity: str) -> tuple[str, ...]:
        """Return the letters of the doubts about a number that is shown; nothing if there are none."""
        one = self.find(region, _doubted(quantity))
        return (self._letters_of(one.flags),) if one and one.status is Status.CAVEAT else ()

    def has(self, quantity: str, regions: tuple[Region, ...]) -> bool:
        """Tell whether a quantity is there for any of the regions, withheld or not."""
        found = (self.find(region.key, quantity) for region in regions)
        return any(one is not None and one.status is not Status.NOT_MEASURED for one in found)

    def row(self, quantity: str) -> Quantity:
        """Return a row of the dictionary."""
        return self._rows[quantity]

    def knows(self, quantity: str) -> bool:
        """Tell whether the dictionary of this profile has a quantity."""
        return quantity in self._rows

    def bare(self, quantity: str, value: float) -> str:
        """Print a value without its unit."""
        return self._say.number(self._rows[quantity].text(value).split(" ")[0])

    def unit(self, quantity: str) -> str:
        """Return the unit as it is printed; empty for a ratio."""
        return self._rows[quantity].text(0.0).partition(" ")[2]

    def cell(self, region: str, quantity: str) -> str:
        """Print a number without its unit, with its error and the letters of its doubts.

        A dash if it was not asked for.
        """
        one = self.find(region, quantity)
        if one is None:
            return NONE
        if one.status is Status.NOT_MEASURED:
            return self._say("words.not_measured")
        if one.status is Status.WITHHELD:
            return f"{self._say('words.withheld')} {self._letters_of(one.flags)}"
        if one.value is None or not isfinite(one.value):
            return self._say("words.not_measured")
        parts = [self.bare(quantity, one.value) + self._error(region, quantity)]
        parts += [self._letters_of(one.flags)] if one.status is Status.CAVEAT else []
        return NO_BREAK_SPACE.join(parts)

    def cell_with_spread(self, region: str, quantity: str) -> str:
        """Print as `cell`, and between number and letters how far a repeat of the scan would move it.

        A least detectable change is that of two scans, whose errors add as squares: one scan has its share of
        1 / sqrt 2 (95 %).
        """
        least, one = self.least_change(region, quantity), self.find(region, quantity)
        shown = self.cell(region, quantity)
        if least is None or one is None or one.value is None:
            return shown
        number, *letters = shown.split(NO_BREAK_SPACE)
        spread = self.amount(replace(least, amount=least.amount / sqrt(2)))
        self.has_spread = True
        return NO_BREAK_SPACE.join((number, spread, *letters))

    def phrase(self, region: str, quantity: str) -> str:
        """Print a number with its unit: for running text."""
        one = self.find(region, quantity)
        if one is None or one.value is None:
            return self._say("words.not_measured")
        shown = f"{self.bare(quantity, one.value)} {self.unit(quantity)}".strip()
        return shown.replace(" ", NO_BREAK_SPACE)

    def caveats(self, numbers: Iterable[tuple[str, str]]) -> str:
        """Name the reasons for the caveats of numbers (region, quantity), each once; empty without any."""
        found = (self.find(region, _doubted(quantity)) for region, quantity in numbers)
        doubted = [one for one in found if one is not None and one.status is Status.CAVEAT]
        if not doubted:
            return ""
        met = frozenset().union(*(one.flags for one in doubted))
        what = ", ".join(self._say(f"flags.{flag.key}") for flag in Flag if flag in met)
        return self._say("words.caveat", what=what or self._say("notes.unknown"))

    def verdict(self, one: Change) -> str:
        """Say whether a difference counts; where nobody has published how far scans differ, that it is open."""
        if one.difference is not None and one.least_change is None:
            return self._say("changes.not_judged")
        return self._say.verdict(one.verdict)

    def short(self, quantity: str) -> str:
        """Return a quantity's name without operator and threshold."""
        return self._say.label(self.row(quantity)).partition(" (")[0]

    def titled(self, quantity: str) -> str:
        """Return a quantity's name with its unit."""
        label, unit = self._say.label(self.row(quantity)), self.unit(quantity)
        return f"{label} [{unit}]" if unit else label

    def usual(self, region: str, quantity: str) -> Reference | None:
        """Return the reference to show: the first that says how the number stands, else the first."""
        rows = [
            one
            for one in self._analysis.references
            if (one.region, one.quantity) == (region, quantity)
        ]
        given = [one for one in rows if not one.refused]
        telling = [one for one in given if one.stands]
        refused = sorted(rows, key=lambda one: len(one.refused))  # the one that asks for least
        return next(iter((*telling, *given, *refused)), None)

    def limits(self, usual: Reference) -> str:
        """Print what is usual, without its unit."""

        def shown(value: float) -> str:
            return self.bare(usual.quantity, value)

        if usual.lower is not None and usual.upper is not None:
            return self._say("words.range", lower=shown(usual.lower), upper=shown(usual.upper))
        if usual.upper is not None:
            return f"≤{NO_BREAK_SPACE}{shown(usual.upper)}"
        if usual.lower is not None:
            return f"≥{NO_BREAK_SPACE}{shown(usual.lower)}"
        if usual.predicted is None:
            return NONE
        return self._say("words.predicted", value=shown(usual.predicted))

    def least_change(self, region: str, quantity: str) -> Uncertainty | None:
        """Return the change that a repeat scan could not explain; None if no source says so."""
        return self._uncertainty(LEAST_CHANGE, region, quantity)

    def amount(self, one: Uncertainty) -> str:
        """Print an uncertainty without its unit, marked if its source was not seen; never as zero."""
        mark = "" if one.confirmed else f"{NO_BREAK_SPACE}{UNCONFIRMED}"
        return self._amount(one) + mark

    def _amount(self, one: Uncertainty) -> str:
        step = 10.0 ** -self.row(one.quantity).decimals
        sign, shown = ("±", one.amount) if one.amount >= step / 2 else ("<", step)
        return f"{sign}{NO_BREAK_SPACE}{self.bare(one.quantity, shown)}"

    def change(self, region: str, quantity: str) -> Change | None:
        """Return how a number stands to earlier scans; None if it was not compared."""
        rows = self._analysis.changes
        return next((one for one in rows if (one.region, one.quantity) == (region, quantity)), None)

    def earlier(self, quantity: str, point: Point) -> str:
        """Print a number of both lungs at an earlier date, with the letters of its doubts."""
        if point.value is None:
            return NONE
        scans = (
            one
            for one in self._analysis.earlier
            if (one.name, one.date) == (point.name, point.date)
        )
        of = _doubted(quantity)
        doubts = next((one.doubts.get(of, frozenset()) for one in scans), frozenset())
        shown = self.bare(quantity, point.value)
        return f"{shown}{NO_BREAK_SPACE}{self._letters_of(doubts)}" if doubts else shown

    def difference(self, one: Change) -> str:
        """Print a difference with its sign, without its unit."""
        if one.difference is None:
            return NONE
        sign = "+" if one.difference > 0 else ""
        return sign + self.bare(one.quantity, one.difference)

    def notes(self, *more: str) -> str:
        """Explain every letter that was set; then `more`."""
        explained = "; ".join(
            f"{letter}: {self._say(f'flags.{flag.key}' if flag else 'notes.unknown')}"
            for flag, letter in self._letters.items()
        )
        marks = (self._say("notes.marks", explained=explained),) if explained else ()
        errors = (self._say("notes.border_error"),) if self._has_errors else ()
        return "\n".join((*marks, *errors, *more))

    def table(
        self, regions: tuple[Region, ...], quantities: tuple[str, ...], name: str, *more: str
    ) -> Table:
        """Lay out quantities over regions; bold where a region has both sides."""
        rows = tuple(
            (self._say.region(one.key), *(self.cell(one.key, key) for key in quantities))
            for one in regions
        )
        strong = frozenset(i for i, region in enumerate(regions) if region.side is None)
        header = (self._say("words.region"), *map(self.titled, quantities))
        return Table(header, rows, self.notes(*more), strong, name=name)

    def _uncertainty(self, kind: str, region: str, quantity: str) -> Uncertainty | None:
        wanted = (kind, region, quantity)
        rows = self._analysis.uncertainties
        return next((one for one in rows if (one.kind, one.region, one.quantity) == wanted), None)

    def _error(self, region: str, quantity: str) -> str:
        """Print how far borders may move a number; empty where they do not."""
        error = self._uncertainty(BORDER_ERROR, region, quantity)
        if error is None:
            return ""
        self._has_errors = True
        return f" {self._amount(error)}"

    def _letters_of(self, flags: frozenset[Flag]) -> str:
        """Return the letters of the reasons for a caveat or for withholding."""
        reasons: list[Flag | None] = [flag for flag in Flag if flag in flags]
        return ",".join(sorted(map(self._letter, reasons or [None])))

    def _letter(self, reason: Flag | None) -> str:
        return self._letters.setdefault(reason, LETTERS[len(self._letters)])


def _doubted(quantity: str) -> str:
    return OF_BASELINE if quantity == AT_BASELINE else quantity
