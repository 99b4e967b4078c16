"""The first page: who, which CT, is it good enough, the main numbers, what they say, and where."""

from qct.findings import Analysis
from qct.flags import Status
from qct.regions import LOBES, WHOLE_LUNG
from qct.report.borders import explained, unseen
from qct.report.document import Block, Box, Drafted, Facts, Figure, Heading, Slot
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
from qct.report.signed import readable_name
from qct.report.wording import Wording

MOST_REASONS = 4
"""More reasons than this go to page two; the worst come first."""

MOST_STATEMENTS = 6
"""Fewer by one beside a comparison, which takes room."""

LEAST_PERCENT = 40
"""The map may shrink that far to stay on page one."""


def page_one(analysis: Analysis, drafted: tuple[Drafted, ...], say: Wording) -> list[Block]:
    """Return the blocks of the first page; they fit on one page of paper."""
    return [
        Facts(_who(analysis, say)),
        _gate(analysis, say),
        Heading(say("headings.headline")),
        headlines(analysis, say),
        Slot("impression", (_impression(drafted, analysis, say),)),
        *_map(analysis, say),
    ]


def statements_on_page_one(analysis: Analysis) -> int:
    """Return how many statements page one has room for."""
    return MOST_STATEMENTS - bool(analysis.changes)


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
    more = len(reasons) - MOST_REASONS
    return Box(
        tones[verdict.overall],
        _verdict(analysis, say),
        reasons[:MOST_REASONS] or (say("none_found"),),
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


def _impression(drafted: tuple[Drafted, ...], analysis: Analysis, say: Wording) -> Box:
    room = statements_on_page_one(analysis)
    items = _items(drafted[:room], say)
    if items and not analysis.changes:
        items = (*items, say("interpretation.no_earlier"))
    notes = [say("interpretation.never")]
    if len(drafted) > room:
        notes.append(say("interpretation.more", n=len(drafted) - room))
    return Box(
        "draft",
        say("interpretation.draft"),
        items or (say("interpretation.nothing"),),
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
