"""A finished batch by covariate, and how well a repeated scan repeats its numbers.

Repeatability after Bland JM, Altman DG. Measuring agreement in method comparison studies. Stat Methods Med Res
1999;8:135-160; interval of the coefficient after Raunig DL et al. Stat Methods Med Res 2015;24:27-67.
"""

import csv
import io
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from qct.batch.drawing import bland_altman, scatter, strips
from qct.batch.store import write_file
from qct.batch.summary import STYLE
from qct.errors import NothingToReadError, OptionError
from qct.quantities import HEADLINE, QUANTITIES

REGIONS = ("whole_lung", "right_lung", "left_lung")
Z95 = 1.959964
"""97.5th percentile of the normal distribution."""
MIN_TREND = 3
"""Fewest studies for a correlation."""
DEFAULT_BY = ("sex", "age_years", "kernel_family", "manufacturer")

GROUP_COLUMNS = ("by", "group", "column", "n", "mean", "sd", "median", "least", "most")
TREND_COLUMNS = ("by", "column", "n", "spearman_rho", "slope", "intercept")
REPEAT_COLUMNS = [
    "column",
    "unit",
    "n_subjects",
    "n_scans",
    "bias",
    "within_sd",
    "repeatability_coefficient",
    "rc_low95",
    "rc_high95",
    "limit_low",
    "limit_high",
]

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeatability:
    """How far two scans of one person lie apart, in the unit of the quantity.

    Attributes
    ----------
    within_sd : float
        Square root of the mean variance within subjects.
    coefficient, low95, high95 : float
        1.96 sqrt(2) `within_sd`, which 95 % of differences stay below, with its 95 % interval.
    bias, limits : float, (float, float)
        Mean of second minus first, and the limits of agreement; of pairs.
    """

    n_subjects: int
    n_scans: int
    within_sd: float
    coefficient: float
    low95: float
    high95: float
    bias: float
    limits: tuple[float, float]


def repeatability(subjects: Sequence[Sequence[float]]) -> Repeatability | None:
    """Return the repeatability of repeated values, None with fewer than two repeated subjects.

    Parameters
    ----------
    subjects : sequence of sequences
        The values of each subject in the order they were taken.
    """
    from scipy.stats import chi2

    repeated = [values for values in subjects if len(values) > 1]
    freedom = sum(len(values) - 1 for values in repeated)
    if len(repeated) < 2:
        return None
    squares = sum((len(v) - 1) * statistics.variance(v) for v in repeated)
    within_sd = sqrt(squares / freedom)
    factor = Z95 * sqrt(2)
    differences = [values[1] - values[0] for values in repeated]
    bias, spread = statistics.fmean(differences), Z95 * statistics.stdev(differences)
    return Repeatability(
        n_subjects=len(repeated),
        n_scans=sum(map(len, repeated)),
        within_sd=within_sd,
        coefficient=factor * within_sd,
        low95=factor * sqrt(squares / float(chi2.ppf(0.975, freedom))),
        high95=factor * sqrt(squares / float(chi2.ppf(0.025, freedom))),
        bias=bias,
        limits=(bias - spread, bias + spread),
    )


def write_cohort(out: Path, by: tuple[str, ...], pairs: str | None) -> Path:
    """Write tables and page beside the results of a batch.

    Raises
    ------
    NothingToReadError
        If there is no ``results.csv``.
    OptionError
        If a column is not in it.
    """
    rows = _read(out / "results.csv")
    known = list(rows[0]) if rows else []
    for name in [*by, *([pairs] if pairs else [])]:
        if name not in known:
            raise OptionError(f"results.csv has no column {name}", hint="See dictionary.csv.")
    columns = [c for r in REGIONS for q in HEADLINE if (c := f"{r}.{q}") in known]
    usual = [name for name in DEFAULT_BY if len({r[name] for r in rows if r.get(name)}) > 1]
    named = by or tuple(usual)
    groups, trends, drawn = [], [], []
    for name in named:
        numeric = _is_numeric(rows, name)
        for column in columns:
            if numeric:
                trends += _trend(rows, name, column)
            else:
                groups += _groups(rows, name, column)
            if column.startswith(REGIONS[0]):
                drawn.append(_figure(rows, name, column, numeric=numeric))
    write_file(out / "cohort_groups.csv", _csv(GROUP_COLUMNS, groups))
    write_file(out / "cohort_trends.csv", _csv(TREND_COLUMNS, trends))
    if pairs:
        repeats, figures = _repeats(rows, pairs, columns)
        write_file(out / "repeatability.csv", _csv(REPEAT_COLUMNS, repeats))
        drawn += [*figures, _html_table(REPEAT_COLUMNS, repeats)]
    drawn += [_html_table(GROUP_COLUMNS, groups), _html_table(TREND_COLUMNS, trends)]
    page = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Cohort</title><style>{STYLE}</style>"
        f"<h1>{len(rows)} studies</h1><p>Research use only.</p>{''.join(drawn)}</html>\n"
    )
    write_file(out / "cohort.html", page.encode())
    return out / "cohort.html"


def _read(table: Path) -> list[Row]:
    if not table.is_file():
        raise NothingToReadError(f"there is no {table}", hint="Run qct batch first.")
    with table.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _pairs_of(rows: Iterable[Row], name: str, column: str) -> list[tuple[str, float]]:
    return [(row[name], float(row[column])) for row in rows if row[name] and row[column]]


def _is_numeric(rows: Iterable[Row], name: str) -> bool:
    try:
        numbers = {float(row[name]) for row in rows if row[name]}
    except ValueError:
        return False
    return len(numbers) > 2  # 0/1 is a group


def _groups(rows: Sequence[Row], name: str, column: str) -> list[list[Any]]:
    by_group: dict[str, list[float]] = {}
    for group, value in _pairs_of(rows, name, column):
        by_group.setdefault(group, []).append(value)
    return [
        [
            name,
            group,
            column,
            len(v),
            statistics.fmean(v),
            _sd(v),
            statistics.median(v),
            min(v),
            max(v),
        ]
        for group, v in sorted(by_group.items())
    ]


def _sd(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def _trend(rows: Sequence[Row], name: str, column: str) -> list[list[Any]]:
    from scipy.stats import rankdata

    pairs = [(float(x), y) for x, y in _pairs_of(rows, name, column)]
    xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
    if len(pairs) < MIN_TREND or len(set(xs)) < 2 or len(set(ys)) < 2:
        return []
    rho = statistics.correlation(rankdata(xs).tolist(), rankdata(ys).tolist())
    slope, intercept = statistics.linear_regression(xs, ys)
    return [[name, column, len(pairs), rho, slope, intercept]]


def _repeats(
    rows: Sequence[Row], subject: str, columns: Sequence[str]
) -> tuple[list[list[Any]], list[str]]:
    table, figures = [], []
    for column in columns:
        by_subject: dict[str, list[float]] = {}
        for who, value in _pairs_of(rows, subject, column):
            by_subject.setdefault(who, []).append(value)
        subjects = list(by_subject.values())
        one = repeatability(subjects)
        if one is None:
            continue
        unit = QUANTITIES[column.partition(".")[2]].unit
        table.append(
            [
                *(column, unit, one.n_subjects, one.n_scans, one.bias, one.within_sd),
                *(one.coefficient, one.low95, one.high95, *one.limits),
            ]
        )
        pairs = [(v[0], v[1]) for v in subjects if len(v) > 1]
        figures.append(bland_altman(column, pairs, one.bias, one.limits))
    return table, figures


def _figure(rows: Sequence[Row], name: str, column: str, *, numeric: bool) -> str:
    pairs = _pairs_of(rows, name, column)
    if numeric:
        return scatter(f"{column} by {name}", [(float(x), y) for x, y in pairs])
    return strips(f"{column} by {name}", pairs)


def _csv(heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([heading, *rows])
    return text.getvalue().encode()


def _html_table(heading: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    from html import escape

    if not rows:
        return ""
    shown = [
        [f"{c:.4g}" if isinstance(c, float) else escape(str(c or "")) for c in r] for r in rows
    ]
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in shown)
    return f"<table><tr>{''.join(f'<th>{h}</th>' for h in heading)}</tr>{body}</table>"
