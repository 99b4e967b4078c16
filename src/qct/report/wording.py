"""The sentences of a report, from one data file per language."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


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

    def _find(self, key: str) -> Any:
        found: Any = self._table
        for part in key.split("."):
            found = found[part]
        return found


@cache
def load_wording(language: str = "en") -> Wording:
    """Load the sentences of a language (ISO 639-1)."""
    text = files("qct.report").joinpath("wordings", f"{language}.toml").read_text("utf-8")
    return Wording(tomllib.loads(text))
