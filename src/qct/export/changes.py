"""``comparison.json`` and ``comparison.csv``: numbers of several scans side by side."""

import csv
import io
import json
from collections.abc import Sequence

from qct import __version__
from qct.export.tables import change_record
from qct.findings import Change
from qct.quantities import UNIT_WORDS, quantities_of

CSV_COLUMNS = (
    "region",
    "quantity",
    "label",
    "unit",
    "verdict",
    "difference",
    "least_change",
    "slope_per_year",
    "why",
)
"""Before them a row has nothing, after them the value of every scan under its name, the baseline first."""


def comparison_json(changes: Sequence[Change], profile: str) -> str:
    """Return every change, and whose definitions made the numbers of the last scan."""
    record = {
        "schema": {"name": "qct-comparison", "version": "1.0"},
        "qct": __version__,
        "profile": profile,
        "changes": [change_record(one) for one in changes],
    }
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def comparison_csv(changes: Sequence[Change], profile: str) -> str:
    r"""Return one row per region and quantity (RFC 4180, but lines end in ``\n``)."""
    rows = quantities_of(profile)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [point.name for point in changes[0].points] if changes else []
    writer.writerow([*CSV_COLUMNS, *names])
    for one in changes:
        row = rows[one.quantity]
        numbers = (one.difference, one.least_change, one.slope_per_year)
        values = [point.value for point in one.points]
        told = [one.region, one.quantity, row.label, UNIT_WORDS[row.unit], one.verdict]
        writer.writerow([*told, *map(_field, numbers), one.why, *map(_field, values)])
    return text.getvalue()


def _field(value: float | None) -> str:
    return "" if value is None else repr(value)
