"""Whatever is missing, in every combination: the report renders, and says only what is known."""

import re
from dataclasses import replace
from itertools import pairwise, product

import pymupdf
import pytest
from tests.report.pages import overlaps
from tests.report.sample import ACQUISITION, PATIENT, make_analysis

from qct.acquisition import Acquisition, Patient, Study
from qct.findings import Change, Earlier, Point, Reason
from qct.flags import Flag, Status
from qct.interpret import draft
from qct.order import Order, Smoking, Spirometry
from qct.report import build, write_html, write_pdf, write_text
from qct.report.document import Bullets, Facts, Figure, Heading, Slot, Table
from qct.report.headlines import HEADLINES
from qct.report.page_one import LEAST_PERCENT

ANALYSIS = make_analysis()
BARE = make_analysis(divided=False, fissures=(), views=(), projections=(), histograms=())

WHO = {
    "known": {},
    "no age": {"patient": replace(PATIENT, age_years=None)},
    "no height": {"patient": replace(PATIENT, height_m=None)},
    "no sex": {"patient": replace(PATIENT, sex=None)},
    "anonymised": {"patient": Patient(), "study": Study()},
}
SCAN = {
    "known": {},
    "no kernel": {"acquisition": replace(ACQUISITION, recon_kernel=None)},
    "no header": {"acquisition": Acquisition()},
}
ORDERS = {
    "none": None,
    "empty": Order(),
    "full": Order(
        question="Why?",
        medications=("a", "b"),
        smoking=Smoking(status="former", pack_years=40),
        spirometry=Spirometry(fev1_l=1.02, fev1_percent=38, gold="3"),
    ),
}


def shown(who, scan, lobes, order):
    """Return the analysis of one combination; the pictures are made once."""
    base = ANALYSIS if lobes else BARE
    changed = {**WHO[who], **SCAN[scan]}
    return replace(base, scan=replace(base.scan, **changed), order=ORDERS[order])


@pytest.mark.parametrize(
    ("who", "scan", "lobes", "order"), list(product(WHO, SCAN, (True, False), ORDERS))
)
def test_every_combination_is_told_without_inventing_anything(who, scan, lobes, order, figureless):
    document = build(shown(who, scan, lobes, order))
    text = write_text(document).decode()
    assert not re.search(r"\b(nan|None|inf|NaN)\b", text)
    assert not re.search(r"(?<![.\d])\d{12}", text)
    kinds = [type(block) for block in document.flat()]
    assert not any(a is b is Heading for a, b in pairwise(kinds))
    assert kinds[-1] is not Heading
    assert all(block.rows for block in document.flat() if isinstance(block, Table | Facts))
    write_html(document)


@pytest.fixture
def figureless(monkeypatch):
    """Leave the drawing out: other tests look at it, and it takes most of the time."""
    from qct.report import page_one, sections

    for module in (page_one, sections):
        for name in ("draw_views", "draw_projections", "draw_surfaces", "draw_histogram"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda *_, **__: b"")


@pytest.mark.parametrize("paper", ["a4", "letter"])
@pytest.mark.parametrize(
    ("who", "scan", "lobes", "order"),
    [("anonymised", "no header", False, "none"), ("known", "known", True, "full")],
)
def test_the_extremes_are_set_on_both_papers(who, scan, lobes, order, paper):
    assert write_pdf(build(shown(who, scan, lobes, order), paper=paper)).startswith(b"%PDF")


def test_nothing_of_the_order_is_computed():
    order = Order(spirometry=Spirometry(fev1_l=1.0, fvc_l=2.0))
    text = write_text(build(replace(ANALYSIS, order=order))).decode()
    assert "FEV1 1.00 L; FVC 2.00 L" in text
    assert "GOLD" not in text


def test_what_a_header_writes_for_nothing_is_nothing():
    nothing = replace(ANALYSIS.scan.study, description="None", institution="UNKNOWN")
    document = build(replace(ANALYSIS, scan=replace(ANALYSIS.scan, study=nothing)))
    facts = dict(next(b for b in document.flat() if isinstance(b, Facts)).rows)
    assert facts["Study"] == "not stated"


MARGIN = 16 / 25.4 * 72
"""Of a page, at its sides (points)."""


def test_page_one_has_the_gate_the_headlines_the_draft_and_the_map():
    document = build(ANALYSIS)
    kinds = [type(block).__name__ for block in document.blocks]
    first = kinds[: kinds.index("NewPage")]
    assert first == ["Facts", "Box", "Heading", "Table", "Slot", "Figure"]
    table = next(block for block in document.blocks if isinstance(block, Table))
    assert len(table.rows) == len(HEADLINES) == 5
    assert sum(isinstance(block, Figure) for block in document.flat()) == 4


def compared(verdict, difference, why=""):
    """Return a change of LAA-950 over three scans."""
    days = (("A", "2021-05-02", 8.1), ("B", "2022-05-02", 9.9), ("C", "2024-03-05", 12.34))
    return Change(
        region="whole_lung",
        quantity="laa950_percent",
        points=tuple(Point(*day) for day in days),
        difference=difference,
        least_change=3.7,
        verdict=verdict,
        why=why,
        slope_per_year=1.5,
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (compared("changed", 4.24), "+4.2, beyond repeatability"),
        (compared("within repeatability", -1.0), "−1.0, within repeatability"),
        (compared("not comparable", None, "The kernels differ."), "The kernels differ."),
    ],
)
def test_what_changed_stands_on_page_one_and_in_a_section_of_its_own(change, words):
    text = write_text(build(replace(ANALYSIS, changes=(change,)))).decode()
    assert words in text
    assert "2021-05-02, 2022-05-02" in text
    assert "OVER TIME" in text


def test_without_earlier_scans_page_one_says_so_and_no_section_stands_empty():
    text = write_text(build(ANALYSIS)).decode()
    assert "none compared" in text
    assert "OVER TIME" not in text


@pytest.mark.parametrize("paper", ["a4", "letter"])
@pytest.mark.parametrize("language", ["en", "de"])
def test_page_one_holds_the_map_with_a_prior_an_order_and_every_doubt(language, paper):
    doubts = frozenset({Flag.UNKNOWN_KERNEL, Flag.THICK_SLICES, Flag.CONTRAST})
    doubted = tuple(replace(one, status=Status.CAVEAT, flags=doubts) for one in ANALYSIS.measured)
    says = "Slices are 5.00 mm thick, and the method asks for 1.5 mm or less: averaging hides small areas."
    reasons = tuple(Reason(flag, f"{n}. {says}") for n, flag in enumerate(doubts))
    full = replace(
        ANALYSIS,
        measured=doubted,
        verdict=replace(ANALYSIS.verdict, overall=Status.CAVEAT, reasons=reasons),
        changes=(compared("changed", 4.24),),
        earlier=(EARLIER,),
        statements=draft(doubted, ANALYSIS.references, (compared("changed", 4.24),)),
        order=Order(question="How much emphysema, and has it changed?", indication="Dyspnoea"),
    )
    pages = pymupdf.open(stream=write_pdf(build(full, language=language, paper=paper)))
    (map_,) = pages[0].get_image_info()
    wide = pages[0].rect.width - 2 * MARGIN
    assert (map_["bbox"][2] - map_["bbox"][0]) >= LEAST_PERCENT / 100 * wide - 1
    assert not overlaps(pages[0])


def test_where_the_map_finds_no_room_the_next_page_goes_on_below_it():
    order = Order(question="How much emphysema? " * 60, indication="Dyspnoea")
    pages = pymupdf.open(stream=write_pdf(build(replace(ANALYSIS, order=order))))
    assert not pages[0].get_images()
    assert pages[1].get_images()
    assert "Interpretation" in pages[1].get_text()


@pytest.mark.parametrize("paper", ["a4", "letter"])
def test_statements_that_page_one_has_no_room_for_stand_on_the_next(paper):
    document = build(replace(ANALYSIS, order=Order(question="How much? " * 40)), paper=paper)
    slots = {block.name: block.blocks for block in document.blocks if isinstance(block, Slot)}
    drafted = [one.text for one in document.statements]
    first = [one for one in slots["impression"][0].items if one in drafted]
    (further,) = (block.items for block in slots["interpretation"] if isinstance(block, Bullets))
    assert [*first, *further] == drafted
    assert len(first) < len(build(ANALYSIS).blocks[4].blocks[0].items) - 1


EARLIER = Earlier(
    name="A",
    date="2021-05-02",
    recon_kernel="B31f",
    slice_mm=1.5,
    doubts={"laa950_percent": frozenset({Flag.LOW_DOSE})},
)


def test_the_baseline_stands_with_its_doubts_and_how_it_was_made():
    document = build(replace(ANALYSIS, changes=(compared("changed", 4.24),), earlier=(EARLIER,)))
    table = next(block for block in document.blocks if isinstance(block, Table))
    assert table.header[-2:] == ("2021-05-02", "Change")
    (row,) = (row for row in table.rows if row[0].startswith("LAA-950"))
    assert row[-2:] == ("8.1\N{NO-BREAK SPACE}a", "+4.2, beyond repeatability")
    assert "a: image noise" in table.note
    assert (
        "Compared with 2021-05-02 (kernel B31f, 1.50\N{NO-BREAK SPACE}mm): acquired alike"
        in table.note
    )


def test_a_result_that_lost_its_changes_says_nothing_about_them():
    volume = replace(compared("changed", 900.0), quantity="volume_ml")
    statements = draft(ANALYSIS.measured, ANALYSIS.references, (volume, compared("changed", 4.24)))
    keys = {"change_volume", "change_low_attenuation"}
    assert keys <= {one.key for one in statements}
    document = build(replace(ANALYSIS, statements=statements, changes=()))
    assert not keys & {one.key for one in document.statements}
