"""The pages behind the first. A section appears if its numbers are there; none stands empty."""

from collections.abc import Callable, Iterable
from functools import partial

from qct.findings import Analysis, Change, FissureFit
from qct.quantities import PROFILES
from qct.regions import (
    AIRWAY,
    COLOUR_NAMES,
    LEFT_LUNG,
    LOBES,
    REGIONS,
    RIGHT_LUNG,
    THIRDS,
    UPPER_AND_MIDDLE,
    WHOLE_LUNG,
    Fissure,
    Region,
)
from qct.report.borders import explained, unseen
from qct.report.document import Block, Bullets, Facts, Figure, Heading, Paragraph, Table
from qct.report.figures import (
    WINDOW_LEVEL_HU,
    WINDOW_WIDTH_HU,
    abbreviation,
    draw_histogram,
    draw_surfaces,
    draw_views,
)
from qct.report.headlines import HEADLINES
from qct.report.numbers import NONE, UNCONFIRMED, Numbers
from qct.report.page_one import reasons_in_words, reasons_on_page_one
from qct.report.person import order_facts, patient_facts, technique, uids_in_words
from qct.report.wording import NO_BREAK_SPACE, Wording

COLUMNS = (
    "volume_ml",
    "mean_hu",
    "perc15_hu",
    "laa950_percent",
    "laa910_percent",
    "laa856_percent",
    "haa_percent",
)
"""Shown for every lung and lobe."""

THIRD_COLUMNS = ("volume_ml", "mean_hu", "perc15_hu", "laa950_percent")

TARGET_COLUMNS = (
    "volume_ml",
    "laa910_percent",
    "laa950_percent",
    "laa910_heterogeneity_percent",
    "laa950_heterogeneity_percent",
)
"""What planning with valves asks of a lobe; those that are there are shown."""

PATTERN = ("laa950_upper_lower_ratio", "laa_cluster_", "ventilation_heterogeneity")
VESSELS = ("total_vessel_volume_ml", "bv5", "bv10")
PAIRED = ("prm_", "ei_mld", "exp_", "rvc_", "jacobian")
"""Beginnings of the keys that make a section."""

LUNGS_AND_LOBES = (WHOLE_LUNG, RIGHT_LUNG, *LOBES[:3], LEFT_LUNG, *LOBES[3:])

MOST_POINTS = 4
"""Scans that a trend shows side by side: the baseline and the last ones."""

BANDS = (95, 80)
"""Limits of fissure completeness (percent)."""

LOBES_BESIDE = {
    LOBES[0].key: (Fissure.RIGHT_OBLIQUE, Fissure.RIGHT_HORIZONTAL),
    LOBES[1].key: (Fissure.RIGHT_OBLIQUE, Fissure.RIGHT_HORIZONTAL),
    UPPER_AND_MIDDLE.key: (Fissure.RIGHT_OBLIQUE,),
    LOBES[2].key: (Fissure.RIGHT_OBLIQUE,),
    LOBES[3].key: (Fissure.LEFT_OBLIQUE,),
    LOBES[4].key: (Fissure.LEFT_OBLIQUE,),
}
"""Fissures that border a lobe."""


def sections(analysis: Analysis, say: Wording) -> tuple[Callable[[], list[Block]], ...]:
    """Return what makes every section behind the first page, in the order of the report."""
    told = partial(_rows, analysis, say)
    return (
        partial(_clinical, analysis, say),
        partial(_technique, analysis, say),
        partial(_lobes, analysis, say),
        partial(_thirds, analysis, say),
        partial(_images, analysis, say),
        partial(told, "pattern", WHOLE_LUNG, PATTERN),
        partial(_histogram, analysis, say),
        partial(_airways, analysis, say),
        partial(_vessels, analysis, say),
        partial(told, "paired", WHOLE_LUNG, PAIRED),
        partial(_planning, analysis, say),
        partial(_trend, analysis, say),
        partial(_further, analysis, say),
        partial(_references, analysis, say),
        partial(_uncertainties, analysis, say),
        partial(_closing, analysis, say),
    )


def _clinical(analysis: Analysis, say: Wording) -> list[Block]:
    rows = order_facts(analysis.order, say) if analysis.order else ()
    if not rows:
        return []
    return [Heading(say("headings.clinical")), Facts(rows), Paragraph(say("notes.clinical"))]


def _technique(analysis: Analysis, say: Wording) -> list[Block]:
    blocks: list[Block] = [
        Heading(say("headings.technique")),
        Facts((*patient_facts(analysis, say), *technique(analysis, say))),
    ]
    uids = uids_in_words(analysis, say)
    if uids:
        blocks.append(Paragraph(uids))
    reasons = reasons_in_words(analysis, say)
    further = reasons[reasons_on_page_one(reasons) :]
    if further:
        blocks += [Heading(say("headings.quality")), Bullets(further)]
    return blocks


def _images(analysis: Analysis, say: Wording) -> list[Block]:
    """Show the key images; low attenuation only where its number is shown, too."""
    if not analysis.views:
        return []
    withheld = analysis.withholds(WHOLE_LUNG.key, "laa950_percent")
    caption = say(
        "captions.views",
        legend=_legend(say),
        level=say.number(str(WINDOW_LEVEL_HU)),
        width=WINDOW_WIDTH_HU,
        low=say("captions.low_withheld" if withheld else "captions.low"),
    )
    dashed = unseen(analysis)
    picture = draw_views(analysis.views, say, marks_low=not withheld, dashed=dashed)
    caption += explained(dashed, say)
    return [Heading(say("headings.images")), Figure("views", picture, caption, 88)]


def _legend(say: Wording) -> str:
    return ", ".join(
        f"{abbreviation(lobe)} {say.region(lobe.key)} ({say(f'colours.{_colour_key(lobe)}')})"
        for lobe in LOBES
    )


def _colour_key(region: Region) -> str:
    return COLOUR_NAMES[region.colour].replace(" ", "_")


def _lobes(analysis: Analysis, say: Wording) -> list[Block]:
    numbers = Numbers(analysis, say)
    if not numbers.has("volume_ml", LUNGS_AND_LOBES):
        return []
    whole = numbers.find(WHOLE_LUNG.key, "volume_ml")
    rows = []
    shown = _there(_with_pair(LUNGS_AND_LOBES, analysis), numbers)
    for region in shown:
        one = numbers.find(region.key, "volume_ml")
        share = NONE
        if one and whole and one.value is not None and whole.value:
            share = f"{100 * one.value / whole.value:.0f}{NO_BREAK_SPACE}%"
        cells = (numbers.cell(region.key, key) for key in COLUMNS)
        rows.append((say.region(region.key), share, *cells))
    header = (say("words.region"), say("words.share"), *map(numbers.titled, COLUMNS))
    lobar = (*LOBES, UPPER_AND_MIDDLE)
    strong = frozenset(i for i, region in enumerate(shown) if region not in lobar)
    name = say("headings.regions")
    table = Table(header, tuple(rows), numbers.notes(say("notes.share")), strong, name=name)
    return [Heading(name), table]


def _with_pair(regions: tuple[Region, ...], analysis: Analysis) -> tuple[Region, ...]:
    """Put the upper and middle lobe together behind them, where the fissure between them is not well seen."""
    fits = {one.fissure: one.support for one in analysis.segmentation.fissures}
    if fits.get(Fissure.RIGHT_HORIZONTAL, "supported") == "supported":
        return regions
    at = regions.index(LOBES[1]) + 1
    return (*regions[:at], UPPER_AND_MIDDLE, *regions[at:])


def _there(regions: tuple[Region, ...], numbers: Numbers) -> tuple[Region, ...]:
    """Return the regions that this scan shows: one whose volume is withheld is among them."""
    return tuple(region for region in regions if numbers.has("volume_ml", (region,)))


def _thirds(analysis: Analysis, say: Wording) -> list[Block]:
    """Show thirds and whatever other parts of the lungs were measured, one table each."""
    known = {*LUNGS_AND_LOBES, UPPER_AND_MIDDLE, AIRWAY}
    others = tuple(one for one in REGIONS.values() if one not in known and one not in THIRDS)
    blocks: list[Block] = []
    for key, regions in (("thirds", THIRDS), ("parts", others)):
        numbers = Numbers(analysis, say)
        shown = tuple(one for one in regions if numbers.has("volume_ml", (one,)))
        if shown:
            name = say(f"headings.{key}")
            table = numbers.table(shown, THIRD_COLUMNS, name, say(f"notes.{key}"))
            blocks += [Heading(name), table]
    return blocks


def _keys(analysis: Analysis, region: Region, beginnings: Iterable[str]) -> tuple[str, ...]:
    """Return the quantities of a region whose keys begin so, in the order in which they came."""
    return tuple(
        one.quantity
        for one in analysis.measured
        if one.region == region.key and one.quantity.startswith(tuple(beginnings))
    )


def _rows(
    analysis: Analysis, say: Wording, name: str, region: Region, beginnings: tuple[str, ...]
) -> list[Block]:
    """Show quantities of one region, one row each, with what they mean."""
    return _listed(analysis, say, name, region, _keys(analysis, region, beginnings))


def _listed(
    analysis: Analysis, say: Wording, name: str, region: Region, keys: tuple[str, ...]
) -> list[Block]:
    numbers = Numbers(analysis, say)
    shown = [key for key in keys if numbers.knows(key) and numbers.has(key, (region,))]
    if not shown:
        return []
    rows = tuple(
        (numbers.titled(key), numbers.cell(region.key, key), say.definition(numbers.row(key)))
        for key in shown
    )
    heading = say(f"headings.{name}")
    header = (say("words.quantity"), say.region(region.key), say("words.definition"))
    table = Table(header, rows, numbers.notes(), words=frozenset({2}), name=heading)
    return [Heading(heading), table]


def _airways(analysis: Analysis, say: Wording) -> list[Block]:
    keys = _keys(analysis, AIRWAY, ("",))
    own = tuple(key for key in keys if key not in ("volume_ml", "dense_percent"))
    return _listed(analysis, say, "airways", AIRWAY, own)


def _vessels(analysis: Analysis, say: Wording) -> list[Block]:
    keys = _keys(analysis, WHOLE_LUNG, VESSELS)
    numbers = Numbers(analysis, say)
    if not any(numbers.has(key, LUNGS_AND_LOBES) for key in keys):
        return []
    name = say("headings.vessels")
    shown = tuple(one for one in LUNGS_AND_LOBES if numbers.has(keys[0], (one,)))
    return [Heading(name), numbers.table(shown, keys, name), Paragraph(say("captions.vessels"))]


def _histogram(analysis: Analysis, say: Wording) -> list[Block]:
    if not analysis.histograms:
        return []
    picture, caption = draw_histogram(analysis.histograms, say), say("captions.histogram")
    return [Heading(say("headings.distribution")), Figure("histogram", picture, caption, 70)]


# --- planning -------------------------------------------------------------------------------------


def _planning(analysis: Analysis, say: Wording) -> list[Block]:
    """Show what planning with valves asks for: lobes as candidates, their borders, their surface."""
    blocks: list[Block] = []
    if analysis.surfaces:
        dashed = unseen(analysis)
        picture = draw_surfaces(analysis.surfaces, say, dashed=dashed)
        caption = say("captions.surfaces", legend=_legend(say)) + explained(dashed, say)
        blocks.append(Figure("surfaces", picture, caption, 80))
    fits = analysis.segmentation.fissures
    if fits:
        targets, borders = _targets(analysis, say), _borders(fits, say)
        blocks += [Heading(targets.name), targets, Heading(borders.name), borders]
    return [Heading(say("headings.planning")), *blocks] if analysis.surfaces else blocks


def _targets(analysis: Analysis, say: Wording) -> Table:
    numbers = Numbers(analysis, say)
    keys = tuple(key for key in TARGET_COLUMNS if numbers.knows(key) and numbers.has(key, LOBES))
    fits = {fit.fissure: fit for fit in analysis.segmentation.fissures}
    rows = []
    for lobe in _there(_with_pair(LOBES, analysis), numbers):
        beside = [fits[one] for one in LOBES_BESIDE[lobe.key] if one in fits]
        cells = (numbers.cell(lobe.key, key) for key in keys)
        rows.append((say.region(lobe.key), *cells, _least_band(beside, say)))
    header = (say("words.lobe"), *map(numbers.titled, keys), say("words.least_complete"))
    note = numbers.notes(say("notes.targets"))
    return Table(header, tuple(rows), note, name=say("headings.targets"))


def _least_band(fits: list[FissureFit], say: Wording) -> str:
    """Return the band of the border that is least seen; unknown if one of them is."""
    known = [fit.completeness_percent for fit in fits if fit.completeness_percent is not None]
    return _band(min(known), say) if known and len(known) == len(fits) else say("bands.unknown")


def _band(percent: float, say: Wording) -> str:
    complete, partly = BANDS
    return say(
        f"bands.{'high' if percent >= complete else 'middle' if percent >= partly else 'low'}"
    )


def _borders(fits: tuple[FissureFit, ...], say: Wording) -> Table:
    rows = tuple(
        (
            say.fissure(one.fissure),
            say(f"support.{one.support.replace(' ', '_')}"),
            f"{100 * one.coverage:.0f}{NO_BREAK_SPACE}%",
            *(
                (NONE, say("bands.unknown"))
                if one.completeness_percent is None
                else (
                    f"{one.completeness_percent:.0f}{NO_BREAK_SPACE}%",
                    _band(one.completeness_percent, say),
                )
            ),
            NONE if one.error_mm is None else f"{one.error_mm:.0f}{NO_BREAK_SPACE}mm",
        )
        for one in fits
    )
    keys = ("fissure", "confidence", "coverage", "completeness", "band", "error")
    header = tuple(say(f"words.{key}") for key in keys)
    return Table(header, rows, say("notes.completeness"), name=say("headings.borders"))


# --- over time ------------------------------------------------------------------------------------


def _trend(analysis: Analysis, say: Wording) -> list[Block]:
    """Show the numbers of both lungs over earlier scans: baseline and the last ones."""
    numbers = Numbers(analysis, say)
    shown = [
        one
        for one in analysis.changes
        if one.region == WHOLE_LUNG.key
        and numbers.knows(one.quantity)
        and (one.least_change is not None or one.quantity in HEADLINES)
    ]
    if not shown:
        return []
    kept = [0, *range(1, len(shown[0].points))[-(MOST_POINTS - 1) :]]
    rows = tuple(_trend_row(one, kept, numbers, say) for one in shown)
    days = (shown[0].points[k].date or shown[0].points[k].name for k in kept)
    keys = ("difference", "least_change", "verdict", "per_year")
    header = (say("words.quantity"), *days, *(say(f"words.{key}") for key in keys))
    why = dict.fromkeys(say.refusal(one.why) for one in shown if one.why)
    name = say("headings.trend")
    note = "\n".join((say("notes.change"), *why))
    words = frozenset({len(kept) + 3})
    return [Heading(name), Table(header, rows, note, words=words, name=name)]


def _trend_row(one: Change, kept: list[int], numbers: Numbers, say: Wording) -> tuple[str, ...]:
    values = (one.points[k].value for k in kept)
    least = NONE if one.least_change is None else numbers.bare(one.quantity, one.least_change)
    mark = "" if one.confirmed or one.least_change is None else f"{NO_BREAK_SPACE}{UNCONFIRMED}"
    slope = one.slope_per_year
    return (
        numbers.titled(one.quantity),
        *(NONE if value is None else numbers.bare(one.quantity, value) for value in values),
        numbers.difference(one),
        least + mark,
        numbers.verdict(one),
        NONE if slope is None else numbers.bare(one.quantity, slope),
    )


# --- what the numbers rest on ---------------------------------------------------------------------


def _further(analysis: Analysis, say: Wording) -> list[Block]:
    """Show every number of both lungs that no section before has shown."""
    shown = {*COLUMNS, *_keys(analysis, WHOLE_LUNG, (*PATTERN, *VESSELS, *PAIRED))}
    keys = (one.quantity for one in analysis.measured if one.region == WHOLE_LUNG.key)
    return _listed(
        analysis, say, "further", WHOLE_LUNG, tuple(key for key in keys if key not in shown)
    )


def _references(analysis: Analysis, say: Wording) -> list[Block]:
    numbers = Numbers(analysis, say)
    rows = []
    for one in analysis.references:
        if numbers.knows(one.quantity):
            value = NONE if one.value is None else numbers.bare(one.quantity, one.value)
            unit = numbers.unit(one.quantity)
            usual = say.refusal(one.refused) if one.refused else f"{numbers.limits(one)} {unit}"
            who = f"{say.population(one.key, one.population)} [{one.source}]"
            rows.append((numbers.titled(one.quantity), value, usual.strip(), who))
    if not rows:
        return []
    name = say("headings.references")
    keys = ("quantity", "result", "usual", "population")
    header = tuple(say(f"words.{key}") for key in keys)
    words = frozenset({2, 3})
    return [
        Heading(name),
        Table(header, tuple(rows), say("notes.references"), words=words, name=name),
    ]


def _uncertainties(analysis: Analysis, say: Wording) -> list[Block]:
    """Show how sure the numbers of both lungs are; those of the parts stand in analysis.json."""
    numbers = Numbers(analysis, say)
    of_both = (one for one in analysis.uncertainties if one.region == WHOLE_LUNG.key)
    known = [one for one in of_both if numbers.knows(one.quantity)]
    if not known:
        return []
    rows = tuple(
        (
            numbers.titled(one.quantity),
            say(f"uncertainty.{one.kind.replace(' ', '_')}"),
            numbers.amount(one),
            f"{say.population(one.key, one.conditions)} [{one.source}]",
        )
        for one in known
    )
    name = say("headings.uncertainty")
    header = tuple(say(f"words.{key}") for key in ("quantity", "kind", "amount", "conditions"))
    unsure = any(not one.confirmed for one in known)
    notes = [say("notes.uncertainty")]
    if unsure:
        notes.append(say("notes.unconfirmed", mark=UNCONFIRMED))
    words = frozenset({1, 3})
    return [Heading(name), Table(header, rows, "\n".join(notes), words=words, name=name)]


def _closing(analysis: Analysis, say: Wording) -> list[Block]:
    profile = analysis.options.profile
    versions = ", ".join(f"{name} {version}" for name, version in analysis.software.items())
    method = say.list(
        "method.text",
        version=analysis.software.get("qct", ""),
        profile=profile,
        meaning=say.profile(profile, PROFILES[profile].meaning).rstrip("."),
        segmenter=analysis.options.segmenter,
        versions=versions,
    )
    numbers = Numbers(analysis, say)
    keys = [key for key in COLUMNS if numbers.has(key, LUNGS_AND_LOBES)]
    glossary = (
        *(
            f"{say.label(row)}: {say.definition(row)} [{row.source}]"
            for row in map(numbers.row, keys)
        ),
        *say.list("glossary.text"),
    )
    return [
        Heading(say("headings.method")),
        *(Paragraph(text) for text in method),
        Heading(say("headings.limitations")),
        Bullets(say.list("limitations.text")),
        Heading(say("headings.glossary")),
        Bullets(glossary),
    ]
