"""Small plots as SVG, the same bytes for the same numbers."""

from collections.abc import Sequence
from html import escape

WIDTH_PX, HEIGHT_PX, MARGIN_PX = 360, 220, 46
DOT = '<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="#0072b2" fill-opacity="0.7"/>'
LINE = '<line x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}" stroke="#d55e00" stroke-dasharray="{}"/>'
TEXT = '<text x="{:.0f}" y="{:.0f}" font-size="11" text-anchor="{}">{}</text>'


def scatter(title: str, points: Sequence[tuple[float, float]], lines: Sequence[float] = ()) -> str:
    """Draw points, and horizontal lines at some values."""
    if not points:
        return ""
    xs, ys = [x for x, _ in points], [*(y for _, y in points), *lines]
    dots = [DOT.format(_x(x, xs), _y(y, ys)) for x, y in points]
    rules = [
        LINE.format(MARGIN_PX, WIDTH_PX - 8, _y(y, ys), _y(y, ys), "4" if k else "none")
        for k, y in enumerate(lines)
    ]
    ends = [
        TEXT.format(MARGIN_PX, HEIGHT_PX - 8, "start", f"{min(xs):.4g}"),
        TEXT.format(WIDTH_PX - 8, HEIGHT_PX - 8, "end", f"{max(xs):.4g}"),
    ]
    return _framed(title, dots + rules + ends, ys)


def strips(title: str, pairs: Sequence[tuple[str, float]]) -> str:
    """Draw the values of every group side by side."""
    if not pairs:
        return ""
    groups, ys = sorted({group for group, _ in pairs}), [y for _, y in pairs]
    step = (WIDTH_PX - MARGIN_PX) / len(groups)
    centre = {group: MARGIN_PX + step * (k + 0.5) for k, group in enumerate(groups)}
    dots = [DOT.format(centre[group], _y(y, ys)) for group, y in pairs]
    names = [TEXT.format(centre[g], HEIGHT_PX - 8, "middle", escape(g[:12])) for g in groups]
    return _framed(title, dots + names, ys)


def bland_altman(
    column: str,
    pairs: Sequence[tuple[float, float]],
    bias: float,
    limits: tuple[float, float],
) -> str:
    """Draw difference against mean of two scans, with the bias and the limits of agreement."""
    points = [((first + second) / 2, second - first) for first, second in pairs]
    return scatter(f"{column}: second - first against their mean", points, (bias, *limits))


def _x(value: float, values: Sequence[float]) -> float:
    low, high = min(values), max(values)
    return MARGIN_PX + 6 + (WIDTH_PX - MARGIN_PX - 14) * (value - low) / ((high - low) or 1.0)


def _y(value: float, values: Sequence[float]) -> float:
    low, high = min(values), max(values)
    return HEIGHT_PX - 28 - (HEIGHT_PX - 40) * (value - low) / ((high - low) or 1.0)


def _framed(title: str, marks: Sequence[str], ys: Sequence[float]) -> str:
    scale = [
        TEXT.format(MARGIN_PX - 4, _y(min(ys), ys), "end", f"{min(ys):.4g}"),
        TEXT.format(MARGIN_PX - 4, _y(max(ys), ys) + 8, "end", f"{max(ys):.4g}"),
        f'<path d="M{MARGIN_PX} 8V{HEIGHT_PX - 22}H{WIDTH_PX - 4}" fill="none" stroke="#888"/>',
    ]
    return (
        f'<figure><svg role="img" aria-label="{escape(title)}" width="{WIDTH_PX}" height="{HEIGHT_PX}">'
        f"{''.join([*scale, *marks])}</svg><figcaption>{escape(title)}</figcaption></figure>"
    )
