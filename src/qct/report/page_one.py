"""The first page: who, which CT, is it good enough, the main numbers, what they say, and where."""

from qct.findings import Analysis
from qct.flags import Status
from qct.regions import LOBES, WHOLE_LUNG
from qct.report.borders import explained, unseen
from qct.report.document import Block, Box, Drafted, Facts, Figure, Heading, Plain, Slot
from qct.report.figures import draw_projections, draw_surfaces
from qct.report.headlines import concerned, headlines
from qct.report.person import (
    contrast_in_words,
    earlier_in_words,
    given,
    inspiration_in_words,
    person_in_words,
    series_in_words,
)
from qct.report.room import ABOVE_MAP, LINE, fitting, height
from qct.report.signed import readable_name
from qct.report.wording import Wording

MOST_REASONS, MOST_REASON_LINES = 4, 7
"""More reasons than this go to page two; the worst come first."""

LEAST_STATEMENTS, MOST_STATEMENTS = 3, 6
"""So many stand on page one even if the map does not; no more do."""

LEAST_PERCENT = 60
"""The map may shrink that far to stay on page one: its smallest names are then as high as the notes'."""


def page_one(
    analysis: Analysis, drafted: tuple[Drafted, ...], say: Wording, paper: str
) -> tuple[list[Block], int]:
    """Return the blocks of the first page, and how many of the drafted statements it had room for."""
    main: list[Plain] = [
        Facts(_who(analysis, say)),
        _gate(analysis, say),
        Heading(say("headings.headline")),
        headlines(analysis, say),
    ]
    taken = sum(map(height, (*main, _impression((), analysis, say))))
    items = _items(drafted, say)
    n = fitting(items, ABOVE_MAP[paper] - taken, LEAST_STATEMENTS, MOST_STATEMENTS)
    impression = Slot("impression", (_impression(items, analysis, say, n),))
    return [*main, impression, *_map(analysis, say)], n


def reasons_on_page_one(reasons: tuple[str, ...]) -> int:
    """Return how many reasons of the verdict page one has room for."""
    return fitting(reasons, LINE * MOST_REASON_LINES, 1, MOST_REASONS)


def reasons_in_words(analysis: Analysis, say: Wording) -> tuple[str, ...]:
    """Return every reason of the verdict, once, in its order."""
    told = (say.reason(one.flag, one.says) for one in analysis.verdict.reasons)
    return tuple(dict.fromkeys(told))


def _who(analysis: Analysis, say: Wording) -> tuple[tuple[str, str], ...]:
    patient, study, order = analysis.scan.patient, analysis.scan.study, analysis.order
    rows: list[tuple[str, str | None]] = [
        ("name", readable_name(patient.name) if patient.name else None),
        ("patient_id", patient.patient_id),
        ("age_sex", person_in_words(patient, say)),
        ("date", study.date),
        ("study", given(study.description)),
        ("accession", study.accession),
        ("referrer", given(order.referrer if order and order.referrer else study.referrer)),
        ("series", series_in_words(analysis, say)),
        ("contrast", contrast_in_words(analysis, say)),
        ("inspiration", inspiration_in_words(analysis, say)),
        ("earlier", earlier_in_words(analysis, say)),
    ]
    if order and order.question:
        rows.append(("question", order.question))
    if order and order.indication:
        rows.append(("indication", order.indication))
    return tuple((say(f"facts.{key}"), value or say("not_stated")) for key, value in rows)


def _gate(analysis: Analysis, say: Wording) -> Box:
    verdict = analysis.verdict
    tones = {Status.REPORTED: "good", Status.CAVEAT: "caution", Status.WITHHELD: "stop"}
    reasons = reasons_in_words(analysis, say)
    shown = reasons_on_page_one(reasons)
    more = len(reasons) - shown
    return Box(
        tones[verdict.overall],
        _verdict(analysis, say),
        reasons[:shown] or (say("none_found"),),
        say("verdict.more", n=more) if more > 0 else "",
    )


def _verdict(analysis: Analysis, say: Wording) -> str:
    """Name what is withheld, and what carries a caveat, of the main results; and lobes without a volume."""
    if analysis.verdict.overall is Status.REPORTED:
        return say("verdict.reported")
    hidden = (lobe for lobe in LOBES if analysis.withholds(lobe.key, "volume_ml"))
    told = {
        "withheld": concerned(analysis, Status.WITHHELD, say),
        "caveat": concerned(analysis, Status.CAVEAT, say),
        "lobes": ", ".join(say.within(lobe.key) for lobe in hidden),
    }
    parts = (say(f"verdict.{key}", what=what) for key, what in told.items() if what)
    return say("verdict.quality", parts="; ".join(parts))


def _impression(items: tuple[str, ...], analysis: Analysis, say: Wording, n: int = 0) -> Box:
    """Draft the impression from the first `n` statements; the others stand on the next page."""
    shown = items[:n]
    if not analysis.changes:
        shown = (*shown, say("interpretation.no_earlier"))
    notes = [say("interpretation.never")]
    if len(items) > n:
        notes.append(say("interpretation.more", n=len(items) - n))
    return Box(
        "draft",
        say("interpretation.draft"),
        shown if items else (say("interpretation.nothing"),),
        " ".join(notes),
    )


def _items(drafted: tuple[Drafted, ...], say: Wording) -> tuple[str, ...]:
    """Return the statements for the eye: a caveat is spelt out once."""
    items, told = [], set()
    for one in drafted:
        again = one.caveat in told
        told.add(one.caveat)
        short = say("words.same_caveat")
        items.append(one.text.replace(one.caveat, short) if one.caveat and again else one.text)
    return tuple(items)


def _map(analysis: Analysis, say: Wording) -> list[Block]:
    """Show where low attenuation lies; only the lobes where this scan does not allow its number."""
    dashed = unseen(analysis)
    more = explained(dashed, say)
    if analysis.projections and not analysis.withholds(WHOLE_LUNG.key, "laa950_percent"):
        picture = draw_projections(analysis.projections, say, dashed=dashed)
        caption = say("captions.projection") + more
        return [Figure("projections", picture, caption, least_percent=LEAST_PERCENT)]
    if analysis.surfaces:
        picture = draw_surfaces(analysis.surfaces, say, dashed=dashed)
        caption = say("captions.surfaces_instead") + more
        return [Figure("surfaces", picture, caption, least_percent=LEAST_PERCENT)]
    return []
