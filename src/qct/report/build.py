"""From an `Analysis` to a `Document`: what is said, in which order. No sentence stands here."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

from qct import __version__
from qct.cores import n_cores
from qct.errors import OptionError
from qct.findings import Analysis
from qct.flags import Flag
from qct.report.document import (
    PAPERS,
    Blank,
    Block,
    Bullets,
    Document,
    Drafted,
    Heading,
    NewPage,
    Paragraph,
    Plain,
    Slot,
)
from qct.report.drafts import drafted_statements
from qct.report.page_one import page_one
from qct.report.person import identity
from qct.report.sections import sections
from qct.report.signed import signed
from qct.report.wording import Wording, check_language, load_wording


def build(analysis: Analysis, *, language: str = "en", paper: str = "a4") -> Document:
    """Lay out the report of one analysis.

    Parameters
    ----------
    analysis : Analysis
        With a signature, its report is signed; without, a draft.
    language : str
        ISO 639-1; there has to be a file of that name in ``report/wordings``.
    paper : str
        One of `qct.report.document.PAPERS`.

    Returns
    -------
    Document

    Raises
    ------
    OptionError
        If there are no words in that language, or no such paper.
    """
    check_language(language)
    if paper not in PAPERS:
        raise OptionError(f"there is no paper {paper!r}", hint=f"Known: {', '.join(PAPERS)}.")
    say = load_wording(language)
    if any(reason.flag is Flag.SINGLE_LUNG for reason in analysis.verdict.reasons):
        say = say.of_one_lung()
    drafted = drafted_statements(analysis, say)
    threads = analysis.options.threads or n_cores()
    with ThreadPoolExecutor(threads) as pool:  # Pillow draws without the interpreter
        first_page = pool.submit(page_one, analysis, drafted, say, paper)
        behind = [pool.submit(make) for make in sections(analysis, say)]
        first, shown = first_page.result()
        blocks: list[Block] = [
            *first,
            NewPage(ends=1),
            _to_be_written(drafted[shown:], say),
            *(block for section in behind for block in section.result()),
        ]
    draft = Document(
        title=say("title"),
        language=language,
        paper=paper,
        dated=_day(analysis.scan.study.date),
        banner=say("banner"),
        watermark=say("watermark"),
        footer=say("footer", version=__version__),
        identity=identity(analysis),
        blocks=tuple(blocks),
        statements=drafted,
    )
    return signed(draft, analysis.signature) if analysis.signature else draft


def _day(text: str | None) -> str:
    try:
        return date.fromisoformat(text or "").isoformat()
    except ValueError:
        return ""


def _to_be_written(further: tuple[Drafted, ...], say: Wording) -> Slot:
    """Leave room for a physician to write and to sign; before it what page one had no room for."""
    statements: tuple[Plain, ...] = ()
    if further:
        heading = Heading(say("headings.statements"))
        statements = (heading, Bullets(tuple(one.text for one in further)))
    return Slot(
        "interpretation",
        (
            *statements,
            Heading(say("headings.interpretation")),
            Paragraph(say("interpretation.intro")),
            Blank(say("interpretation.findings"), 4),
            Blank(say("interpretation.impression"), 2),
            Blank(say("interpretation.signature"), 1),
        ),
    )
