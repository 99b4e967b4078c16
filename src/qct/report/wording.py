"""The sentences of a report, from one data file per language.

English names of regions, quantities and reference populations stand in their own tables; a file of another
language names them anew, in tables of its own.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from qct.errors import OptionError
from qct.flags import Flag
from qct.quantities import Quantity
from qct.regions import AIRWAY, FISSURE_NAMES, REGIONS, Fissure

MINUS = "\N{MINUS SIGN}"
"""As wide as a plus or a digit; a hyphen is easily overlooked."""

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


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
        return name if key == AIRWAY.key else name[:1].lower() + name[1:]

    def fissure(self, fissure: Fissure) -> str:
        """Return what a fissure is called."""
        return self._named("fissures", fissure.value, FISSURE_NAMES[fissure])

    def label(self, row: Quantity) -> str:
        """Return what a quantity is called; operator, threshold and unit stay on one line."""
        label = self._named("labels", row.key, row.label)
        if "(" in row.label and "(" not in label:  # the operator depends on the profile
            label += f" ({row.label.partition('(')[2]}"
        return unbroken(label)

    def definition(self, row: Quantity) -> str:
        """Return what a quantity means."""
        return unbroken(self._named("definitions", row.key, row.definition))

    def reason(self, flag: Flag, english: str) -> str:
        """Return a reason of the verdict; another language says the doubt, then the English figures."""
        return self("words.reason", what=self(f"flags.{flag.key}"), english=english)

    def verdict(self, verdict: str) -> str:
        """Return what a comparison came to."""
        return self(f"changes.{verdict.replace(' ', '_')}")

    def refusal(self, english: str) -> str:
        """Return why a reference does not apply, word by word where the language has the words."""
        for pattern, words in self._table.get("refusals", {}).items():
            english = english.replace(pattern, words)
        return english

    def population(self, key: str, english: str) -> str:
        """Return who was measured for a reference value, or under which conditions a change was."""
        return self._named("populations", key, english)

    def number(self, text: str) -> str:
        """Write a number with the minus and the decimal sign of the language."""
        return text.replace("-", MINUS).replace(".", self("decimal"))

    def _named(self, section: str, key: str, english: str) -> str:
        return str(self._table.get(section, {}).get(key, english))

    def _find(self, key: str) -> Any:
        found: Any = self._table
        for part in key.split("."):
            found = found[part]
        return found


def unbroken(label: str) -> str:
    """Keep an operator, its threshold and the unit on one line."""
    for broken in ("< ", "<= ", "> ", " HU"):
        label = label.replace(broken, broken.replace(" ", NO_BREAK_SPACE))
    for before in (NO_BREAK_SPACE, "to ", "("):
        label = label.replace(f"{before}-", f"{before}{MINUS}")
    return label


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
