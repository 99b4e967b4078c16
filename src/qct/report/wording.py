"""The sentences of a report, from one data file per language.

English names of regions, quantities and reference populations stand in their own tables; a file of another
language names them anew, in tables of its own.
"""

import re
import string
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from qct.errors import OptionError
from qct.flags import Flag
from qct.quantities import Quantity
from qct.regions import FISSURE_NAMES, REGIONS, Fissure

MINUS = "\N{MINUS SIGN}"
"""As wide as a plus or a digit; a hyphen is easily overlooked."""

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"

SIGNS = {"<=": "≤", ">=": "≥", " x ": " × ", "mm2": "mm²", "mm3": "mm³"}
"""What a table writes, and how it is printed."""

PLACE = re.compile(r"\{([\w.]+)\}")
"""Where a translated reason takes a figure; its names have dots."""

NUMBER = re.compile(r"-?\d+(\.\d+)?")

UNITS = "HU|mm²|mm³|mm|mL|g|%|kVp|keV|mAs|mGy"
"""Stay on the line of their number."""


class Wording:
    """Sentences of one language.

    Parameters
    ----------
    table : dict
        Parsed file of ``report/wordings``.
    """

    def __init__(self, table: dict[str, Any]) -> None:
        self._table = table

    def __call__(self, key: str, **filled: object) -> str:
        """Return one sentence, e.g. ``wording("notes.caveat")``; KeyError if there is none."""
        return str(self._find(key)).format(**filled)

    def list(self, key: str, **filled: object) -> tuple[str, ...]:
        """Return a list of sentences."""
        return tuple(str(one).format(**filled) for one in self._find(key))

    def region(self, key: str) -> str:
        """Return what a region is called."""
        return self._named("regions", key, REGIONS[key].name if key in REGIONS else key)

    def within(self, key: str) -> str:
        """Return what a region is called within a sentence."""
        name = self.region(key)
        stays = key in self._table.get("within", {}).get("as_it_stands", ())
        return name if stays else name[:1].lower() + name[1:]

    def subject(self, key: str) -> str:
        """Return what a drafted statement is about, if it is about one number; else nothing."""
        return str(self._table["subjects"].get(key, ""))

    def fissure(self, fissure: Fissure) -> str:
        """Return what a fissure is called."""
        return self._named("fissures", fissure.value, FISSURE_NAMES[fissure])

    def of_one_lung(self) -> "Wording":
        """Return the same words where "both lungs" are one."""
        return Wording(
            self._table | {"regions": self._table.get("regions", {}) | self._table["one_lung"]}
        )

    def label(self, row: Quantity) -> str:
        """Return what a quantity is called; operator, threshold and unit stay on one line."""
        label = self._named("labels", row.key, row.label)
        if row.label.endswith(" HU)") and "(" not in label:  # the operator depends on the profile
            label += f" ({row.label.partition('(')[2]}"
        to = self("words.range", lower="", upper="")  # as in "-600 to -250 HU"
        return typeset(label.replace(" to ", to))

    def definition(self, row: Quantity) -> str:
        """Return what a quantity means."""
        return typeset(self._named("definitions", row.key, row.definition))

    def reason(self, flag: Flag, english: str) -> str:
        """Return a reason of the verdict; one without a translation (of a site) in English behind its doubt."""
        own = self._refilled("reasons", english)
        if own is not None:
            return typeset(own)
        return self("words.reason", what=self(f"flags.{flag.key}"), english=typeset(english))

    def verdict(self, verdict: str) -> str:
        """Return what a comparison came to."""
        return self(f"changes.{verdict.replace(' ', '_')}")

    def refusal(self, english: str) -> str:
        """Return why a reference does not apply or scans are not compared, part by part."""
        parts = self._table.get("refusals", {})
        for pattern in sorted(parts, key=len, reverse=True):
            english = english.replace(pattern, parts[pattern])
        return typeset(english)

    def population(self, key: str, english: str) -> str:
        """Return who was measured for a reference value, or under which conditions a change was."""
        own = self._refilled("conditions", english)
        return typeset(own or self._named("populations", key, english))

    def profile(self, key: str, english: str) -> str:
        """Return what a profile of definitions means."""
        return self._named("profiles", key, english)

    def limits(self, key: str, english: str) -> str:
        """Return what the limits of a reference are; empty where its source gives none but a prediction."""
        return self._named("limits", key, english)

    def number(self, text: str) -> str:
        """Write a number with the minus and the decimal sign of the language."""
        return text.replace("-", MINUS).replace(".", self("decimal"))

    def _refilled(self, section: str, english: str) -> str | None:
        """Say a sentence with figures by the template of this language; None if it has none."""
        for template, own in self._table.get(section, {}).items():
            filled = _filled_into(template, english)
            if filled is not None:
                parts = PLACE.split(own)  # text and names by turns
                parts[1::2] = (self._term(filled[name]) for name in parts[1::2])
                return "".join(parts)
        return None

    def _term(self, english: str) -> str:
        """Return what was filled into an English sentence: a number, the name of a region or a term."""
        if NUMBER.fullmatch(english):
            return self.number(english)
        names = {one.name.lower(): self.region(key) for key, one in REGIONS.items()}
        names |= {name.lower(): self.fissure(one) for one, name in FISSURE_NAMES.items()}
        if english.lower() in names:
            return names[english.lower()]
        terms, parts = self._table.get("terms", {}), english.split("; ")
        for term, own in terms.items():
            parts = [re.sub(rf"^{re.escape(term)}(?= |$)", own, part) for part in parts]
        return "; ".join(parts)

    def _named(self, section: str, key: str, english: str) -> str:
        return str(self._table.get(section, {}).get(key, english))

    def _find(self, key: str) -> Any:
        found: Any = self._table
        for part in key.split("."):
            found = found[part]
        return found


def _filled_into(template: str, sentence: str) -> dict[str, str] | None:
    """Return what was filled into a template to make a sentence; None if it was made from another.

    >>> _filled_into("{kvp:.0f} kVp, not {usual}.", "100 kVp, not 120.")
    {'kvp': '100', 'usual': '120'}
    """
    parts = list(string.Formatter().parse(template))
    pattern = "".join(
        re.escape(plain) + ("" if name is None else "(.+?)") for plain, name, _, _ in parts
    )
    found = re.fullmatch(pattern, sentence)
    names = (name for _, name, _, _ in parts if name is not None)
    return None if found is None else dict(zip(names, found.groups(), strict=True))


def typeset(text: str) -> str:
    """Set what tables say in plain characters: signs as in print, number and unit on one line.

    >>> typeset("LAA-950 (<= -950 HU), 5 to 10 mm3").replace(NO_BREAK_SPACE, "_")
    'LAA-950 (≤_−950_HU), 5 to 10_mm³'
    """
    for plain, printed in SIGNS.items():
        text = text.replace(plain, printed)
    text = re.sub(r"(?<![\w.])-(?=\d)", MINUS, text)
    text = re.sub(rf"([<>≤≥±]) (?=[{MINUS}\d])", rf"\1{NO_BREAK_SPACE}", text)
    return re.sub(rf"(?<=\d) (?=({UNITS})(?!\w))", NO_BREAK_SPACE, text)


def languages() -> tuple[str, ...]:
    """Return the languages (ISO 639-1) that there are files of."""
    names = (path.name for path in files("qct.report").joinpath("wordings").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def check_language(language: str) -> None:
    """Refuse a language that there are no words in.

    Raises
    ------
    OptionError
    """
    if language not in languages():
        raise OptionError(
            f"there are no words in the language {language!r}",
            hint=f"Known: {', '.join(languages())}.",
        )


@cache
def load_wording(language: str = "en") -> Wording:
    """Load the sentences of a language (ISO 639-1)."""
    text = files("qct.report").joinpath("wordings", f"{language}.toml").read_text("utf-8")
    return Wording(tomllib.loads(text))
