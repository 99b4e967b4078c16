"""What a run found, as tables. The same ledger gives the same bytes: sorted, and no times in them."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from qct.batch.store import write_file
from qct.quantities import QUANTITIES
from qct.regions import REGIONS
from qct.worklist import Entry, State, Worklist

FACT_UNITS = {"age_years": "a", "height_m": "m", "kvp": "kV", "slice_mm": "mm"}
"""UCUM units of the facts that have one."""

LONG_COLUMNS = ("study", "region", "quantity", "value", "unit", "status", "flags")
REFUSED_COLUMNS = ("study", "source", "kind", "message", "hint")
DICTIONARY_COLUMNS = ("column", "unit", "label", "region", "decimals", "definition", "source")
COST_COLUMNS = ("study", "wall_s", "cpu_s", "peak_bytes", "bytes_in", "bytes_out")


def write_tables(out: Path, worklist: Worklist) -> None:
    """Write results, long form, dictionary, refusals and costs; Parquet too where pyarrow is installed."""
    done = list(worklist.planned(State.DONE))
    refused = list(worklist.planned(State.REFUSED))
    wide, long = wide_rows(done), long_rows(done)
    write_file(out / "results.csv", _csv(wide))
    write_file(out / "long.csv", _csv(long))
    write_file(out / "dictionary.csv", _csv(dictionary_rows(wide[0])))
    write_file(out / "refused.csv", _csv(refused_rows(refused)))
    write_file(out / "costs.csv", _csv(cost_rows([*done, *refused])))
    for name, rows in (("results", wide), ("long", long)):
        content = _parquet(rows)
        if content is not None:
            write_file(out / f"{name}.parquet", content)


def wide_rows(done: Iterable[Entry]) -> list[list[Any]]:
    """Return the heading and one row per study, a column ``region.quantity`` for every number."""
    done = list(done)
    columns = number_columns(done)
    covariates = sorted({name for one in done for name in one.covariates} - {"study"})
    facts = list(dict.fromkeys(name for one in done for name in one.record["facts"]))
    facts = [name for name in facts if name not in covariates]
    rows: list[list[Any]] = [
        ["study", "source", *covariates, *facts, *(f"{r}.{q}" for r, q in columns)]
    ]
    for one in done:
        numbers = one.record["numbers"]
        rows.append(
            [one.key, one.source, *(one.covariates.get(name, "") for name in covariates)]
            + [one.record["facts"].get(name) for name in facts]
            + [numbers.get(r, {}).get(q, {}).get("value") for r, q in columns]
        )
    return rows


def number_columns(done: Iterable[Entry]) -> list[tuple[str, str]]:
    """Return every (region, quantity) that was measured anywhere, in the order of the report."""
    met = {(r, q) for one in done for r, row in one.record["numbers"].items() for q in row}
    regions, quantities = list(REGIONS), list(QUANTITIES)

    def place(pair: tuple[str, str]) -> tuple[int, str, int, str]:
        region, quantity = pair
        return (
            regions.index(region) if region in REGIONS else len(regions),
            region,
            quantities.index(quantity) if quantity in QUANTITIES else len(quantities),
            quantity,
        )

    return sorted(met, key=place)


def long_rows(done: Iterable[Entry]) -> list[list[Any]]:
    """Return the heading and one row per study, region and quantity."""
    done = list(done)
    columns, rows = number_columns(done), [list[Any](LONG_COLUMNS)]
    for one in done:
        for region, quantity in columns:
            number = one.record["numbers"].get(region, {}).get(quantity)
            if number is not None:
                flags = " ".join(number.get("flags", ()))
                told = [number.get("value"), number.get("unit"), number.get("status"), flags]
                rows.append([one.key, region, quantity, *told])
    return rows


def dictionary_rows(heading: Iterable[str]) -> list[list[Any]]:
    """Return the heading and one row per column of the results: its unit and meaning."""
    rows = [list[Any](DICTIONARY_COLUMNS)]
    for column in heading:
        region, _, quantity = column.partition(".")
        row = QUANTITIES.get(quantity)
        if row is None:
            rows.append([column, FACT_UNITS.get(column, ""), column, "", "", "", ""])
        else:
            name = REGIONS[region].name if region in REGIONS else region
            rows.append(
                [column, row.unit, row.label, name, row.decimals, row.definition, row.source]
            )
    return rows


def refused_rows(refused: Iterable[Entry]) -> list[list[Any]]:
    """Return the heading and one row per study without a result."""
    rows = [list[Any](REFUSED_COLUMNS)]
    for one in refused:
        told = one.record
        rows.append([one.key, one.source, told["kind"], told["message"], told.get("hint", "")])
    return rows


def cost_rows(entries: Iterable[Entry]) -> list[list[Any]]:
    """Return the heading and what each study took, with a result or without."""
    ordered = sorted(entries, key=lambda entry: entry.key)
    costs = ([one.key, *(one.cost.get(name) for name in COST_COLUMNS[1:])] for one in ordered)
    return [list(COST_COLUMNS), *costs]


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow(["" if cell is None else _cell(cell) for cell in row])
    return text.getvalue().encode()


def _cell(cell: Any) -> str:
    if isinstance(cell, Mapping | list):
        return json.dumps(cell, ensure_ascii=False, sort_keys=True)
    return repr(cell) if isinstance(cell, float) else str(cell)


def _parquet(rows: list[list[Any]]) -> bytes | None:
    """Return the table as Parquet, None where pyarrow is not installed."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        return None
    heading, *body = rows
    columns = {name: [row[k] for row in body] for k, name in enumerate(heading)}
    plain = {name: _of_one_kind(cells) for name, cells in columns.items()}
    sink = io.BytesIO()
    parquet.write_table(pa.table(plain), sink)
    return sink.getvalue()


def _of_one_kind(cells: list[Any]) -> list[Any]:
    """Make numbers of a column of numbers, and text of anything else."""
    if all(cell is None or isinstance(cell, int | float) for cell in cells):
        return [None if cell is None else float(cell) for cell in cells]
    return [None if cell is None else _cell(cell) for cell in cells]
