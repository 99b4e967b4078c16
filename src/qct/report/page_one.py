"""The first page: who, which CT, is it good enough, the main numbers, what they say, and where."""

from qct.findings import Analysis, Reference, Statement
from qct.flags import Flag, Status
from qct.quantities import CLUSTER_EDGES_MM
from qct.regions import LEFT_LUNG, RIGHT_LUNG, WHOLE_LUNG
from qct.report.borders import unseen
from qct.report.document import (
    Block,
    Box,
    Drafted,
    Facts,
    Figure,
    Heading,
    Slot,
    Table,
)
from qct.report.figures import draw_projections, draw_surfaces
from qct.report.numbers import NONE, UNCONFIRMED, Numbers
from qct.report.person import (
    contrast_in_words,
    earlier_in_words,
    given,
    inspiration_in_words,
    measure,
    person_in_words,
    series_in_words,
)
from qct.report.signed import readable_name
from qct.report.wording import Wording

HEADLINES = ("volume_ml", "mean_hu", "perc15_hu", "laa950_percent", "haa_percent")
"""Read first, for both lungs and each."""

MOST_REASONS = 4
"""More reasons than this go to page two; the worst come first."""

MOST_STATEMENTS = 6

LEAST_PERCENT = 40
"""The map may shrink that far to stay on page one."""


def page_one(analysis: Analysis, drafted: tuple[Drafted, ...], say: Wording) -> list[Block]:
    """Return the blocks of the first page; they fit on one page of paper."""
    return [
        Facts(_who(analysis, say)),
        _gate(analysis, say),
        Heading(say("headings.headline")),
        _headlines(analysis, say),
        Slot("impression", (_impression(drafted, analysis, say),)),
        *_map(analysis, say),
    ]


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
        say(f"verdict.{verdict.overall.value}", what=_concerned(analysis, say)),
        reasons[:MOST_REASONS] or (say("none_found"),),
        say("verdict.more", n=more) if more > 0 else "",
    )


def _concerned(analysis: Analysis, say: Wording) -> str:
    """Name the main numbers of both lungs that are as doubtful as the verdict says."""
    numbers = Numbers(analysis, say)
    found = ((key, numbers.find(WHOLE_LUNG.key, key)) for key in HEADLINES)
    keys = [key for key, one in found if one and one.status is analysis.verdict.overall]
    return ", ".join(numbers.short(key) for key in keys)


def _headlines(analysis: Analysis, say: Wording) -> Table:
    """Lay out the main numbers: here one row per quantity, beside it what is usual."""
    numbers = Numbers(analysis, say)
    sides = (WHOLE_LUNG, RIGHT_LUNG, LEFT_LUNG)
    rows, unconfirmed = [], False
    for key in HEADLINES:
        usual = numbers.usual(WHOLE_LUNG.key, key)
        least = numbers.least_change(WHOLE_LUNG.key, key)
        unconfirmed = unconfirmed or (least is not None and not least.confirmed)
        rows.append(
            (
                numbers.titled(key),
                *(numbers.cell(side.key, key) for side in sides),
                say("words.none") if usual is None or usual.refused else numbers.limits(usual),
                say(f"stands.{usual.stands}")
                if usual and usual.stands
                else say("changes.not_judged"),
                numbers.amount(least) if least else NONE,
                *_over_time(key, analysis, numbers),
            )
        )
    notes = [say("notes.usual", sources=_usual_in_words(numbers, say))]
    if unconfirmed:
        notes.append(say("notes.unconfirmed", mark=UNCONFIRMED))
    if analysis.changes:
        notes.append(_compared(analysis, say))
    last = (_since(analysis), say("words.change")) if analysis.changes else ()
    header = (
        say("words.quantity"),
        *(say.region(side.key) for side in sides),
        *(say(f"words.{key}") for key in ("usual", "stands", "least_change")),
        *last,
    )
    words = frozenset({len(header) - 1} if analysis.changes else ())
    note = numbers.notes(*notes)
    return Table(header, tuple(rows), note, words=words, name=say("headings.headline"))


def _since(analysis: Analysis) -> str:
    baseline = analysis.changes[0].points[0]
    return baseline.date or baseline.name


def _over_time(key: str, analysis: Analysis, numbers: Numbers) -> tuple[str, ...]:
    """Print the baseline with its doubts, and the difference from it, and whether that counts."""
    if not analysis.changes:
        return ()
    one = numbers.change(WHOLE_LUNG.key, key)
    if one is None:
        return NONE, NONE
    baseline = numbers.earlier(key, one.points[0])
    if one.difference is None:
        return baseline, numbers.verdict(one)
    return baseline, f"{numbers.difference(one)}, {numbers.verdict(one)}"


def _compared(analysis: Analysis, say: Wording) -> str:
    """Say how the baseline was made, and what keeps its numbers from being compared."""
    since = _since(analysis)
    baseline = next((one for one in analysis.earlier if (one.date or one.name) == since), None)
    known = (
        baseline
        and baseline.recon_kernel
        and say("words.kernel_short", name=baseline.recon_kernel),
        baseline and measure(baseline.slice_mm, "mm", say, 2),
    )
    made = ", ".join(part for part in known if part) or say("not_stated")
    main = [
        one
        for one in analysis.changes
        if one.region == WHOLE_LUNG.key and one.quantity in HEADLINES
    ]
    why = dict.fromkeys(one.why for one in main if one.difference is None and one.why)
    alike = say("notes.unlike", why=say.refusal("; ".join(why))) if why else say("notes.alike")
    return say("notes.baseline", since=since, made=made, alike=alike)


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


def drafted_statements(analysis: Analysis, say: Wording) -> tuple[Drafted, ...]:
    """Put every statement into words."""
    numbers = Numbers(analysis, say)
    return tuple(_in_words(one, analysis, numbers, say) for one in analysis.statements)


def _in_words(one: Statement, analysis: Analysis, numbers: Numbers, say: Wording) -> Drafted:
    filled: dict[str, object] = {}
    for n, (region, quantity) in enumerate(one.numbers, start=1):
        filled[f"value{n}"] = numbers.phrase(region, quantity)
        filled[f"region{n}"] = say.within(region)
        filled[f"label{n}"] = say.label(numbers.row(quantity))
        found = numbers.find(region, quantity)
        if found is not None and found.status is Status.WITHHELD:
            flags = (flag for flag in Flag if flag in found.flags)
            filled["why"] = ", ".join(say(f"flags.{flag.key}") for flag in flags)
        change = numbers.change(region, quantity)
        if change is not None:
            unit = numbers.unit(quantity).replace("%", say("words.points"))
            filled["difference"] = f"{numbers.difference(change)} {unit}"
            filled["since"] = change.points[0].date or change.points[0].name
            filled["reason"] = say.refusal(change.why)
        volume = numbers.change(region, "volume_ml")
        if volume is not None:
            filled["volume"] = f"{numbers.difference(volume)} {numbers.unit('volume_ml')}"
    why = numbers.usual(*one.numbers[0])
    refused = "" if why is None else why.refused
    filled["because"] = say("usual.because", why=say.refusal(refused)) if refused else ""
    usual = next((row for row in analysis.references if row.key == one.reference), None)
    if usual is not None:
        unit = numbers.unit(usual.quantity)
        filled["usual"] = f"{numbers.limits(usual)} {unit}".strip()
    filled["large"] = say.number(f"{CLUSTER_EDGES_MM[-1]:g}")
    filled["subject"] = say.subject(one.key).format(**filled)
    said = say(f"statements.{one.template}", **filled)
    caveats = numbers.caveats(one.numbers) if one.template != "withheld" else ""
    text = f"{said.removesuffix('.')}; {caveats}." if caveats else said
    return Drafted(one.key, text, caveats)


def _impression(drafted: tuple[Drafted, ...], analysis: Analysis, say: Wording) -> Box:
    items = _items(drafted[:MOST_STATEMENTS], say)
    if items and not analysis.changes:
        items = (*items, say("interpretation.no_earlier"))
    notes = [say("interpretation.never")]
    if len(drafted) > MOST_STATEMENTS:
        notes.append(say("interpretation.more", n=len(drafted) - MOST_STATEMENTS))
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
    dashed = unseen(analysis.segmentation.fissures)
    more = f" {say('captions.dashed')}" if dashed else ""
    if analysis.projections and not analysis.withholds(WHOLE_LUNG.key, "laa950_percent"):
        picture = draw_projections(analysis.projections, say, dashed=dashed)
        caption = say("captions.projection") + more
        return [Figure("projections", picture, caption, least_percent=LEAST_PERCENT)]
    if analysis.surfaces:
        picture = draw_surfaces(analysis.surfaces, say, dashed=dashed)
        caption = say("captions.surfaces_instead") + more
        return [Figure("surfaces", picture, caption, least_percent=LEAST_PERCENT)]
    return []
