"""``measurements.parquet``: the rows of measurements.csv with types."""

import csv
import io

from qct.export.extras import optional
from qct.export.tables import measurements_csv
from qct.findings import Analysis


def measurements_parquet(analysis: Analysis) -> bytes:
    """Return the table; a number that is withheld is null.

    Raises
    ------
    OptionError
        If pyarrow is not installed.
    """
    arrow, parquet = optional("pyarrow"), optional("pyarrow.parquet")
    rows = list(csv.DictReader(io.StringIO(measurements_csv(analysis))))
    columns = {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
    if rows:
        columns["value"] = [float(value) if value else None for value in columns["value"]]
    sink = arrow.BufferOutputStream()
    parquet.write_table(arrow.table(columns), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content
