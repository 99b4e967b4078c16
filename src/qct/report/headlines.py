"""The table of the main numbers: what was measured, what is usual, how sure, and what changed."""

from qct.findings import Analysis, Change, Reference
from qct.flags import Status
from qct.regions import LEFT_LUNG, RIGHT_LUNG, WHOLE_LUNG, Region
from qct.report.document import Table
from qct.report.numbers import AT_BASELINE, NONE, UNCONFIRMED, Numbers
from qct.report.person import kernel_in_words, measure
from qct.report.wording import NO_BREAK_SPACE, Wording

HEADLINES = ("volume_ml", "mean_hu", "perc15_hu", "laa950_percent", "haa_percent")
"""Read first, for both lungs and each."""

SIDES = (WHOLE_LUNG, RIGHT_LUNG, LEFT_LUNG)

VOLUME_DIFFERS = "lung volume differs"
"""Verdict on a number that inflation moves."""


def headlines(analysis: Analysis, say: Wording) -> Table:
    """Lay out the main numbers: here one row per quantity, beside it what is usual."""
    numbers = Numbers(analysis, say)
    rows = [_row(key, analysis, numbers, say) for key in HEADLINES]
    adjusted = numbers.change(WHOLE_LUNG.key, AT_BASELINE)
    if adjusted and any(one.verdict == VOLUME_DIFFERS for one in _main(analysis)):
        rows.append(_adjusted_row(adjusted, numbers, say))
    columns = [say(f"words.{key}") for key in ("usual", "stands", "least_change")]
    if analysis.changes:
        columns += [_since(analysis), say("words.change")]
    header = (say("words.quantity"), *(say.region(one.key) for one in _sides(analysis)), *columns)
    words = frozenset({len(header) - 1} if analysis.changes else ())
    note = numbers.notes(*_notes(analysis, numbers, say))
    return Table(header, tuple(rows), note, words=words, name=say("headings.headline"))


def concerned(analysis: Analysis, status: Status, say: Wording) -> str:
    """Name the main numbers of both lungs that have a status; empty if none has."""
    numbers = Numbers(analysis, say)
    found = ((key, numbers.find(WHOLE_LUNG.key, key)) for key in HEADLINES)
    return ", ".join(numbers.short(key) for key, one in found if one and one.status is status)


def _sides(analysis: Analysis) -> tuple[Region, ...]:
    """Show both lungs and each; beside a comparison there is room for both lungs only."""
    return SIDES[:1] if analysis.changes else SIDES


def _row(key: str, analysis: Analysis, numbers: Numbers, say: Wording) -> tuple[str, ...]:
    usual = numbers.usual(WHOLE_LUNG.key, key)
    least = numbers.least_change(WHOLE_LUNG.key, key)
    stands = say("changes.not_judged")
    if usual and usual.stands:
        doubts = numbers.letters(WHOLE_LUNG.key, key)
        stands = " ".join((say(f"stands.{usual.stands}"), *doubts))
    return (
        numbers.titled(key),
        numbers.cell_with_spread(WHOLE_LUNG.key, key),
        *(numbers.cell(side.key, key) for side in _sides(analysis)[1:]),
        say("words.none") if usual is None or usual.refused else numbers.limits(usual),
        stands,
        numbers.amount(least) if least else NONE,
        *_over_time(key, analysis, numbers),
    )


def _adjusted_row(one: Change, numbers: Numbers, say: Wording) -> tuple[str, ...]:
    """Show density at the lung volume of the baseline: the number to compare where volumes differ."""
    value = one.points[-1].value
    shown = NONE if value is None else numbers.bare(one.quantity, value)
    marks = numbers.letters(WHOLE_LUNG.key, one.quantity)
    least = NONE if one.least_change is None else numbers.bare(one.quantity, one.least_change)
    unsure = () if one.confirmed or one.least_change is None else (UNCONFIRMED,)
    return (
        numbers.titled(one.quantity),
        NO_BREAK_SPACE.join((shown, *marks)),
        *(say("words.none"), say("changes.not_judged")),
        NO_BREAK_SPACE.join(("±", least, *unsure)),
        *_compared(one, numbers),
    )


def _over_time(key: str, analysis: Analysis, numbers: Numbers) -> tuple[str, ...]:
    """Print the baseline with its doubts, and the difference from it, and whether that counts."""
    if not analysis.changes:
        return ()
    one = numbers.change(WHOLE_LUNG.key, key)
    return (NONE, NONE) if one is None else _compared(one, numbers)


def _compared(one: Change, numbers: Numbers) -> tuple[str, str]:
    baseline = numbers.earlier(one.quantity, one.points[0])
    if one.difference is None:
        return baseline, numbers.verdict(one)
    return baseline, f"{numbers.difference(one)}, {numbers.verdict(one)}"


# --- under the table ------------------------------------------------------------------------------


def _notes(analysis: Analysis, numbers: Numbers, say: Wording) -> list[str]:
    notes = [say("notes.usual", sources=_usual_in_words(numbers, say))]
    least = (numbers.least_change(WHOLE_LUNG.key, key) for key in HEADLINES)
    known = [one for one in least if one is not None]
    if numbers.has_spread:
        notes.append(say("notes.spread"))
    if known:
        notes.append(say("notes.detectable"))
    if any(not one.confirmed for one in known):
        notes.append(say("notes.unconfirmed", mark=UNCONFIRMED))
    if analysis.changes:
        notes.append(_baseline(analysis, say))
    return notes


def _main(analysis: Analysis) -> list[Change]:
    return [
        one
        for one in analysis.changes
        if one.region == WHOLE_LUNG.key and one.quantity in HEADLINES
    ]


def _since(analysis: Analysis) -> str:
    baseline = analysis.changes[0].points[0]
    return baseline.date or baseline.name


def _baseline(analysis: Analysis, say: Wording) -> str:
    """Say how the baseline was made, and what keeps its numbers from being compared."""
    since, main = _since(analysis), _main(analysis)
    baseline = next((one for one in analysis.earlier if (one.date or one.name) == since), None)
    known = (
        baseline and kernel_in_words(baseline.recon_kernel, say),
        baseline and measure(baseline.slice_mm, "mm", say, 2),
        _inflation(analysis, say),
    )
    made = ", ".join(part for part in known if part) or say("not_stated")
    why = dict.fromkeys(one.why for one in main if one.difference is None and one.why)
    differs = any(one.verdict == VOLUME_DIFFERS for one in main)
    made_alike = say("notes.alike_but_inflation" if differs else "notes.alike")
    alike = say("notes.unlike", why=say.refusal("; ".join(why))) if why else made_alike
    told = say("notes.baseline", since=since, made=made, alike=alike)
    open_ = any(one.difference is not None and one.least_change is None for one in main)
    return f"{told} {say('notes.not_judged')}" if open_ else told


def _inflation(analysis: Analysis, say: Wording) -> str:
    """Say how full the lungs of the baseline were against what is predicted; empty where nothing tells."""
    volume = next((one for one in _main(analysis) if one.quantity == "volume_ml"), None)
    rows = (one for one in analysis.references if one.quantity == "volume_ml")
    predicted = next((one.predicted for one in rows if one.percent_predicted), None)
    if volume is None or volume.points[0].value is None or not predicted:
        return ""
    return say("words.of_tlc", value=f"{100 * volume.points[0].value / predicted:.0f}")


def _usual_in_words(numbers: Numbers, say: Wording) -> str:
    """Say who was measured to know what is usual; why there is nothing is said once for all it concerns."""
    labels: dict[str, list[str]] = {}
    for key in HEADLINES:
        source = _source(numbers.usual(WHOLE_LUNG.key, key), say)
        labels.setdefault(source, []).append(numbers.short(key))
    return "; ".join(f"{', '.join(named)}: {source}" for source, named in labels.items())


def _source(usual: Reference | None, say: Wording) -> str:
    if usual is None:
        return say("usual.none")
    if usual.refused:
        return say("usual.refused", why=say.refusal(usual.refused))
    return say.population(usual.key, usual.population)
