"""Tables that a site or a licensee brings along: payer rows, descriptor texts. Both empty by default."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from qct.coding.catalogue import normal
from qct.errors import OptionError

DESCRIPTOR_COLUMNS = ("code", "text")
"""Columns of a licensee's descriptor file."""

PAYER_COLUMNS = ("payer", "code", "requirement", "source", "checked")
"""Columns of a site's payer file; none for money."""


@dataclass(frozen=True, slots=True)
class PayerRow:
    """One line that a site has written about one payer; passed on, not judged."""

    payer: str
    code: str
    requirement: str
    source: str
    checked: str


def descriptors(text: str) -> dict[str, str]:
    """Return code to text from a licensee's CSV with the columns of `DESCRIPTOR_COLUMNS`."""
    return {
        normal(row["code"]): row["text"] for row in _rows(text, DESCRIPTOR_COLUMNS, "descriptor")
    }


def payer_rows(text: str) -> tuple[PayerRow, ...]:
    """Return a site's rows from a CSV with the columns of `PAYER_COLUMNS`."""
    rows = _rows(text, PAYER_COLUMNS, "payer")
    return tuple(PayerRow(**row | {"code": normal(row["code"])}) for row in rows)


def _rows(text: str, columns: tuple[str, ...], what: str) -> Iterator[dict[str, str]]:
    """Read a CSV whose header holds exactly `columns`, in any order.

    Raises
    ------
    OptionError
        If a column is unknown or missing, or a line has too many or too few cells.
    """
    reader = csv.DictReader(text.removeprefix("\ufeff").splitlines(), restkey="", restval=None)
    header = list(reader.fieldnames or ())
    expected = f"The first line is: {','.join(columns)}"
    for name in header:
        if name not in columns:
            close = get_close_matches(name, columns, n=1)
            hint = f"Did you mean {close[0]}? {expected}" if close else expected
            raise OptionError(f"unknown column {name!r} in the {what} file", hint=hint)
    if missing := [name for name in columns if name not in header]:
        raise OptionError(f"the {what} file lacks {', '.join(missing)}", hint=expected)
    for row in reader:
        if "" in row or None in row.values():
            msg = f"line {reader.line_num} of the {what} file has not {len(columns)} cells"
            raise OptionError(msg, hint="Put text that holds a comma in double quotes.")
        yield {name: row[name].strip() for name in columns}
