"""``summary.html``: distributions, outliers, quality, failures by kind, links. One file, no script."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape

from qct.quantities import HEADLINE, QUANTITIES
from qct.worklist import Entry

REGION = "whole_lung"

OUTLIER_Z = 3.5
"""Modified z-score beyond which a value is shown as unusual (Iglewicz and Hoaglin 1993)."""

MAD_TO_SD = 1.4826
"""Median absolute deviation to standard deviation of a normal distribution."""

N_BINS, BAR_PX, HEIGHT_PX = 24, 14, 90

MAX_LINKS = 2000
"""Studies that are listed one by one; more make a page that no browser likes."""

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;color:#222}"
    "table{border-collapse:collapse;margin:.6rem 0}td,th{padding:.2rem .8rem .2rem 0;text-align:left;"
    "border-bottom:1px solid #ddd;vertical-align:top}figure{display:inline-block;margin:0 2rem 1rem 0}"
    "figcaption{font-size:13px;color:#555}"
)


def summary_html(done: Sequence[Entry], refused: Sequence[Entry]) -> str:
    """Return the page."""
    parts = [
        f"<h1>{len(done)} studies measured, {len(refused)} refused</h1>",
        "<p>Research use only: not a cleared medical device.</p>",
        "<h2>Distributions, both lungs</h2>",
        *(_distribution(quantity, done) for quantity in HEADLINE),
        "<h2>Unusual values</h2>",
        _table(("Study", "Quantity", "Value", "Modified z"), _outliers(done)),
        "<h2>Quality</h2>",
        _counted("Verdict", (one.record["facts"].get("overall") or "unknown" for one in done)),
        _counted(
            "Flag", (f for one in done for f in (one.record["facts"].get("flags") or "").split())
        ),
        "<h2>Refused, by kind</h2>",
        _counted("Kind", (one.record["kind"] for one in refused)),
        _table(
            ("Study", "Kind", "Reason"),
            (
                [escape(e.source), escape(e.record["kind"]), escape(e.record["message"])]
                for e in refused
            ),
        ),
        "<h2>Studies</h2>",
        _table(("Study", "Source"), ([_link(e.key), escape(e.source)] for e in done[:MAX_LINKS])),
    ]
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>Batch</title><style>{STYLE}</style>"
    return head + "\n".join(parts) + "</html>\n"


def values_of(
    done: Iterable[Entry], quantity: str, region: str = REGION
) -> list[tuple[str, float]]:
    """Return key and value of every study that has one."""
    pairs = (
        (one.key, one.record["numbers"].get(region, {}).get(quantity, {}).get("value"))
        for one in done
    )
    return [(key, value) for key, value in pairs if value is not None]


def modified_z(values: Sequence[float]) -> list[float]:
    """Return how far each value lies from the median, in robust standard deviations.

    >>> modified_z([1.0, 2.0, 3.0])[1]
    0.0
    """
    middle = statistics.median(values)
    spread = MAD_TO_SD * statistics.median(abs(value - middle) for value in values)
    return [(value - middle) / spread if spread else 0.0 for value in values]


def _outliers(done: Sequence[Entry]) -> list[list[str]]:
    rows = []
    for quantity in HEADLINE:
        pairs = values_of(done, quantity)
        if pairs:
            for (key, value), z in zip(pairs, modified_z([v for _, v in pairs]), strict=True):
                if abs(z) > OUTLIER_Z:
                    row = QUANTITIES[quantity]
                    rows.append([_link(key), escape(row.label), row.text(value), f"{z:+.1f}"])
    return rows


def _distribution(quantity: str, done: Sequence[Entry]) -> str:
    """Draw a histogram as SVG."""
    row = QUANTITIES[quantity]
    values = [value for _, value in values_of(done, quantity)]
    if not values:
        return f"<p>{escape(row.label)}: no value.</p>"
    low, high = min(values), max(values)
    step = (high - low) / N_BINS or 1.0
    counts = Counter(min(int((value - low) / step), N_BINS - 1) for value in values)
    most = max(counts.values())
    bars = "".join(
        f'<rect x="{k * BAR_PX}" y="{HEIGHT_PX * (1 - n / most):.1f}" width="{BAR_PX - 2}" '
        f'height="{HEIGHT_PX * n / most:.1f}" fill="#0072b2"/>'
        for k, n in sorted(counts.items())
    )
    says = f"{row.label}: median {row.text(statistics.median(values))}, {row.text(low)} to {row.text(high)}"
    return (
        f'<figure><svg role="img" aria-label="{escape(says)}" width="{N_BINS * BAR_PX}" '
        f'height="{HEIGHT_PX}">{bars}</svg><figcaption>{escape(says)} (n = {len(values)})</figcaption></figure>'
    )


def _counted(heading: str, words: Iterable[str]) -> str:
    counts = sorted(Counter(words).items(), key=lambda pair: (-pair[1], pair[0]))
    return _table((heading, "Studies"), ([escape(word), str(n)] for word, n in counts))


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    if not body:
        return "<p>None.</p>"
    return f"<table><tr>{''.join(f'<th>{h}</th>' for h in headings)}</tr>{body}</table>"


def _link(key: str) -> str:
    return f'<a href="studies/{escape(key)}/report.html">{escape(key)}</a>'
