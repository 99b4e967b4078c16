"""From an `Analysis` to a `Document`: what is said, in which order. No sentence stands here."""

from collections.abc import Iterable
from math import isfinite
from string import ascii_lowercase

from qct import __version__
from qct.findings import Analysis, Measured
from qct.flags import Flag, Status
from qct.quantities import PROFILES, Quantity, quantities_of
from qct.regions import (
    COLOUR_NAMES,
    FISSURE_NAMES,
    LEFT_LUNG,
    LOBES,
    RIGHT_LUNG,
    THIRDS,
    WHOLE_LUNG,
    Region,
)
from qct.report.document import (
    Blank,
    Block,
    Box,
    Bullets,
    Document,
    Facts,
    Figure,
    Heading,
    Paragraph,
    Table,
)
from qct.report.figures import (
    WINDOW_LEVEL_HU,
    WINDOW_WIDTH_HU,
    abbreviation,
    draw_histogram,
    draw_projections,
    draw_views,
)
from qct.report.wording import Wording, load_wording

HEADLINES = ("volume_ml", "mean_hu", "perc15_hu", "laa950_percent", "haa_percent")
"""Read first, for both lungs and each."""

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

MINUS = "\N{MINUS SIGN}"
"""As wide as a plus or a digit; a hyphen is easily overlooked."""

LETTERS = (*ascii_lowercase, *(f"{letter}{letter}" for letter in ascii_lowercase))
"""Marks of reasons under a table; more than there are flags."""

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"

THIRD_COLUMNS = ("volume_ml", "mean_hu", "perc15_hu", "laa950_percent")
PATTERN = ("laa950_upper_lower_ratio", "laa_cluster_d", "laa_cluster_large_percent")


def build(analysis: Analysis, *, language: str = "en") -> Document:
    """Lay out the report of one analysis.

    Parameters
    ----------
    analysis : Analysis
    language : str
        ISO 639-1; there has to be a file of that name in ``report/wordings``.

    Returns
    -------
    Document
    """
    say = load_wording(language)
    blocks: list[Block] = [
        Heading(say("headings.patient")),
        Facts(_patient(analysis, say)),
        Heading(say("headings.technique")),
        Facts(_technique(analysis, say)),
        Heading(say("headings.quality")),
        _quality(analysis, say),
        Heading(say("headings.headline")),
        _numbers(analysis, say, (WHOLE_LUNG, RIGHT_LUNG, LEFT_LUNG), HEADLINES),
        *_images(analysis, say),
        *_regions(analysis, say),
        *_borders(analysis, say),
        *_pattern(analysis, say),
        *_closing(analysis, say),
    ]
    return Document(
        title=say("title"),
        language=language,
        banner=say("banner"),
        footer=say("footer", version=__version__),
        identity=_identity(analysis),
        blocks=tuple(blocks),
    )


# --- who and how ----------------------------------------------------------------------------------


def _facts(rows: Iterable[tuple[str, str | None]], say: Wording) -> tuple[tuple[str, str], ...]:
    return tuple((say(f"facts.{key}"), value or say("not_stated")) for key, value in rows)


def _measure(value: float | None, unit: str, decimals: int = 0) -> str | None:
    return None if value is None else f"{value:.{decimals}f} {unit}"


def _patient(analysis: Analysis, say: Wording) -> tuple[tuple[str, str], ...]:
    patient, study = analysis.scan.patient, analysis.scan.study
    sexes = {"M": "male", "F": "female", "O": "other"}
    sex = sexes.get(patient.sex or "")
    age = patient.age_years
    return _facts(
        (
            ("name", _readable(patient.name)),
            ("patient_id", patient.patient_id),
            ("birth_date", patient.birth_date),
            ("sex", say(f"words.{sex}") if sex else None),
            ("age", None if age is None else say("words.years", value=f"{age:.0f}")),
            ("height", _measure(patient.height_m, "m", 2)),
            ("weight", _measure(patient.weight_kg, "kg")),
            ("study", study.description),
            ("date", study.date),
            ("accession", study.accession),
            ("referrer", _readable(study.referrer)),
            ("institution", study.institution),
        ),
        say,
    )


def _identity(analysis: Analysis) -> str:
    """Say whose report this is, for the head of every page: loose pages must not be mixed up."""
    patient, study = analysis.scan.patient, analysis.scan.study
    known = (_readable(patient.name), patient.patient_id, study.date, study.accession)
    return " · ".join(part for part in known if part)


def _readable(name: str | None) -> str | None:
    """Turn a DICOM person name into words: the first group, family name first."""
    if not name:
        return None
    family, _, rest = name.split("=")[0].partition("^")
    return ", ".join(part for part in (family, " ".join(rest.split("^")).strip()) if part) or None


def _technique(analysis: Analysis, say: Wording) -> tuple[tuple[str, str], ...]:
    made, volume = analysis.scan.acquisition, analysis.scan.volume
    dz, dy, dx = volume.spacing_mm
    scanner = " ".join(part for part in (made.manufacturer, made.model) if part)
    number = None if made.series_number is None else str(made.series_number)
    series = " ".join(part for part in (number, made.series_description) if part)
    slices = say(
        "words.slices",
        n=volume.shape[0],
        thickness=_measure(made.slice_mm, "mm", 2) or say("not_stated"),
        spacing=f"{dz:.2f} mm",
    )
    return _facts(
        (
            ("scanner", scanner),
            ("series", series),
            ("kvp", _measure(made.kvp, "kV")),
            ("exposure", _measure(made.exposure_mas, "mAs")),
            ("dose", _measure(made.ctdi_vol_mgy, "mGy", 1)),
            ("kernel", _kernel(analysis, say)),
            ("slices", slices),
            ("pixel", say("words.pixel", x=f"{dx:.2f}", y=f"{dy:.2f}")),
            ("contrast", _contrast(analysis, say)),
            ("position", made.patient_position),
            ("calibration", _calibration(analysis, say)),
        ),
        say,
    )


def _kernel(analysis: Analysis, say: Wording) -> str | None:
    made = analysis.scan.acquisition
    if not made.recon_kernel:
        return None
    shown = say("words.kernel", name=made.recon_kernel, family=made.kernel_family.value)
    return shown + (say("words.iterative") if made.is_iterative else "")


def _contrast(analysis: Analysis, say: Wording) -> str | None:
    made = analysis.scan.acquisition
    if made.has_contrast is None:
        return None
    if not made.has_contrast:
        return say("words.contrast_no")
    if made.contrast_agent:
        return say("words.contrast_yes", agent=made.contrast_agent)
    return say("words.contrast_yes_unnamed")


def _calibration(analysis: Analysis, say: Wording) -> str | None:
    read = analysis.verdict.calibration_hu
    keys = [key for key in ("outside_air", "tracheal_air") if key in read]
    return (
        ", ".join(say(f"words.{key}", value=f"{read[key]:.0f}".replace("-", MINUS)) for key in keys)
        or None
    )


def _quality(analysis: Analysis, say: Wording) -> Box:
    verdict = analysis.verdict
    tones = {Status.REPORTED: "good", Status.CAVEAT: "caution", Status.WITHHELD: "stop"}
    items = tuple(reason.says for reason in verdict.reasons) or (say("none_found"),)
    return Box(tones[verdict.overall], say(f"verdict.{verdict.overall.value}"), items)


# --- numbers --------------------------------------------------------------------------------------


class _Numbers:
    """Finds a number and prints it; remembers what has to be explained under the table."""

    def __init__(self, analysis: Analysis, say: Wording) -> None:
        self._by_key = {(one.region, one.quantity): one for one in analysis.measured}
        self._rows = quantities_of(analysis.options.profile)
        self._say = say
        self._letters: dict[Flag | None, str] = {}

    def find(self, region: Region, quantity: str) -> Measured | None:
        return self._by_key.get((region.key, quantity))

    def row(self, quantity: str) -> Quantity:
        return self._rows[quantity]

    def cell(self, region: Region, quantity: str) -> str:
        one = self.find(region, quantity)
        if one is None or one.status is Status.NOT_MEASURED:
            return self._say("words.not_measured")
        if one.status is Status.WITHHELD:
            return self._say("words.withheld") + self._mark(one)
        if one.value is None or not isfinite(one.value):
            return self._say("words.not_measured")
        bare = self._rows[quantity].text(one.value).split(" ")[0].replace("-", MINUS)
        return bare + (self._mark(one) if one.status is Status.CAVEAT else "")

    def header(self, quantities: tuple[str, ...]) -> tuple[str, ...]:
        rows = [self._rows[key] for key in quantities]
        units = [row.text(0.0).partition(" ")[2] for row in rows]
        titled = (
            f"{_unbroken(row.label)} [{unit}]" if unit else row.label
            for row, unit in zip(rows, units, strict=True)
        )
        return (self._say("words.region"), *titled)

    def notes(self, *more: str) -> str:
        """Explain every letter that was set; then `more`, by their keys."""
        explained = "; ".join(
            f"{letter} {self._say(f'flags.{flag.key}' if flag else 'notes.unknown')}"
            for flag, letter in self._letters.items()
        )
        marks = (self._say("notes.marks", explained=explained),) if explained else ()
        return " ".join((*marks, *(self._say(f"notes.{key}") for key in more)))

    def _mark(self, one: Measured) -> str:
        """Return the letters of the reasons for a caveat or for withholding."""
        reasons: list[Flag | None] = [flag for flag in Flag if flag in one.flags]
        return NO_BREAK_SPACE + ",".join(sorted(map(self._letter, reasons or [None])))

    def _letter(self, reason: Flag | None) -> str:
        return self._letters.setdefault(reason, LETTERS[len(self._letters)])


def _unbroken(label: str) -> str:
    """Keep an operator, its threshold and the unit on one line."""
    for broken in ("< ", "<= ", "> ", " HU"):
        label = label.replace(broken, broken.replace(" ", NO_BREAK_SPACE))
    for before in (NO_BREAK_SPACE, "to ", "("):
        label = label.replace(f"{before}-", f"{before}{MINUS}")
    return label


def _numbers(
    analysis: Analysis,
    say: Wording,
    regions: tuple[Region, ...],
    quantities: tuple[str, ...],
    *more: str,
) -> Table:
    numbers = _Numbers(analysis, say)
    rows = tuple(
        (region.name, *(numbers.cell(region, key) for key in quantities)) for region in regions
    )
    strong = frozenset(i for i, region in enumerate(regions) if region.side is None)
    return Table(numbers.header(quantities), rows, numbers.notes(*more), strong)


def _regions(analysis: Analysis, say: Wording) -> list[Block]:
    numbers = _Numbers(analysis, say)
    regions = (WHOLE_LUNG, RIGHT_LUNG, *LOBES[:3], LEFT_LUNG, *LOBES[3:])
    whole = numbers.find(WHOLE_LUNG, "volume_ml")
    rows = []
    for region in regions:
        one = numbers.find(region, "volume_ml")
        share = "–"
        if one and whole and one.value is not None and whole.value:
            share = f"{100 * one.value / whole.value:.0f} %"
        rows.append((region.name, share, *(numbers.cell(region, key) for key in COLUMNS)))
    header = numbers.header(COLUMNS)
    strong = frozenset(i for i, region in enumerate(regions) if region not in LOBES)
    table = Table(
        (header[0], say("words.share"), *header[1:]), tuple(rows), numbers.notes("share"), strong
    )
    return [
        Heading(say("headings.regions")),
        table,
        Heading(say("headings.thirds")),
        _numbers(analysis, say, THIRDS, THIRD_COLUMNS, "thirds"),
    ]


def _borders(analysis: Analysis, say: Wording) -> list[Block]:
    if not analysis.segmentation.fissures:
        return []
    rows = tuple(
        (
            FISSURE_NAMES[one.fissure],
            one.support,
            f"{100 * one.coverage:.0f} %",
            "–" if one.completeness_percent is None else f"{one.completeness_percent:.0f} %",
            "–" if one.error_mm is None else f"{one.error_mm:.0f} mm",
        )
        for one in analysis.segmentation.fissures
    )
    keys = ("fissure", "confidence", "coverage", "completeness", "error")
    header = tuple(say(f"words.{key}") for key in keys)
    return [Heading(say("headings.borders")), Table(header, rows, say("notes.completeness"))]


def _pattern(analysis: Analysis, say: Wording) -> list[Block]:
    numbers = _Numbers(analysis, say)
    known = [key for key in PATTERN if numbers.find(WHOLE_LUNG, key)]
    rows = tuple(
        (numbers.row(key).label, numbers.cell(WHOLE_LUNG, key), numbers.row(key).definition)
        for key in known
    )
    if not rows:
        return []
    header = (say("words.quantity"), say("words.result"), "")
    return [Heading(say("headings.pattern")), Table(header, rows, numbers.notes())]


# --- pictures and words ---------------------------------------------------------------------------


def _images(analysis: Analysis, say: Wording) -> list[Block]:
    """Show pictures; low attenuation only where its number is shown, too."""
    blocks: list[Block] = []
    withheld = analysis.withholds(WHOLE_LUNG.key, "laa950_percent")
    if analysis.views:
        legend = ", ".join(
            f"{abbreviation(lobe)} {lobe.name.lower()} ({COLOUR_NAMES[lobe.colour]})"
            for lobe in LOBES
        )
        caption = say(
            "captions.views",
            legend=legend,
            level=WINDOW_LEVEL_HU,
            width=WINDOW_WIDTH_HU,
            low=say("captions.low_withheld" if withheld else "captions.low"),
        )
        blocks += [
            Heading(say("headings.images")),
            Figure("views", draw_views(analysis.views, say, marks_low=not withheld), caption, 80),
        ]
    projections = () if withheld else analysis.projections
    if projections or analysis.histograms:
        blocks.append(Heading(say("headings.distribution")))
    if projections:
        picture = draw_projections(projections, say)
        blocks.append(Figure("projections", picture, say("captions.projection")))
    if analysis.histograms:
        picture = draw_histogram(analysis.histograms, say)
        blocks.append(Figure("histogram", picture, say("captions.histogram"), 75))
    return blocks


def _closing(analysis: Analysis, say: Wording) -> list[Block]:
    profile = analysis.options.profile
    method = say.list(
        "method.text",
        version=__version__,
        profile=profile,
        meaning=PROFILES[profile].meaning.rstrip("."),
        segmenter=analysis.options.segmenter,
    )
    definitions = tuple(
        f"{row.label}: {row.definition}"
        for row in map(quantities_of(profile).__getitem__, (*COLUMNS, *PATTERN))
    )
    return [
        Heading(say("headings.method")),
        *(Paragraph(text) for text in method),
        Bullets(definitions),
        Heading(say("headings.limitations")),
        Bullets(say.list("limitations.text")),
        Heading(say("headings.interpretation")),
        Paragraph(say("interpretation.intro")),
        Blank(say("interpretation.findings"), 4),
        Blank(say("interpretation.impression"), 3),
        Blank(say("interpretation.signature"), 1),
    ]
