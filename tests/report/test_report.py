import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pymupdf
import pytest
from tests.report.pages import overlaps
from tests.report.sample import make_analysis, measured

from qct.acquisition import Acquisition, Patient, Study
from qct.export import analysis_json
from qct.flags import Flag, Status
from qct.options import Options
from qct.quantities import QUANTITIES
from qct.report import build, write_html, write_pdf
from qct.report.document import Box, Facts, Figure, Heading, Table
from qct.report.headlines import HEADLINES
from qct.report.sections import COLUMNS, THIRD_COLUMNS
from qct.report.wording import MINUS, load_wording

NOTHING = {"patient": Patient(), "study": Study(), "acquisition": Acquisition()}


@pytest.fixture(scope="module")
def analysis():
    return make_analysis()


@pytest.fixture(scope="module")
def document(analysis):
    return build(analysis)


def text_of_pdf(document):
    pages = pymupdf.open(stream=write_pdf(document), filetype="pdf")
    return " ".join(" ".join(page.get_text() for page in pages).split())


def cells(document):
    return [cell for b in document.flat() if isinstance(b, Table) for row in b.rows for cell in row]


def test_every_number_shown_is_that_of_the_analysis(analysis, document):
    told = json.loads(analysis_json(analysis))["regions"]
    expected = QUANTITIES["volume_ml"].text(told["left_lower_lobe"]["volume_ml"]["value"])
    row = next(
        row
        for block in document.flat()
        if isinstance(block, Table) and len(block.header) == len(COLUMNS) + 2
        for row in block.rows
        if row[0] == "Left lower lobe"
    )
    assert row[2] == expected.removesuffix(" mL")
    for key, shown in zip(COLUMNS, row[2:], strict=True):
        value = told["left_lower_lobe"][key]["value"]
        assert float(shown.replace(MINUS, "-")) == pytest.approx(
            value, abs=0.501 * 10 ** -QUANTITIES[key].decimals
        )


def test_the_pdf_prints_every_cell_of_every_table(document):
    text = text_of_pdf(document)
    for cell in cells(document):
        assert all(word in text for word in cell.split()), cell


def test_the_pdf_says_on_every_page_that_it_is_a_draft(document):
    pages = pymupdf.open(stream=write_pdf(document), filetype="pdf")
    for page in pages:
        assert "DRAFT, NOT INTERPRETED" in page.get_text()


def test_the_pdf_brings_its_fonts_and_its_title(document):
    pages = pymupdf.open(stream=write_pdf(document), filetype="pdf")
    assert pages.metadata["title"] == document.title
    fonts = {font[3] for page in pages for font in page.get_fonts()}
    assert any("OpenSans" in font for font in fonts)


def test_the_same_analysis_gives_the_same_bytes(analysis, document):
    again = build(analysis)
    assert write_html(again) == write_html(document)
    assert write_pdf(again) == write_pdf(document)


class _Outside(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.links = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img", "br", "hr", "link"):
            self.open.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href") and not v.startswith("data:")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_html_is_whole_and_asks_for_nothing_outside_itself(document):
    page = _Outside()
    page.feed(write_html(document).decode())
    assert page.open == []
    assert page.links == []
    assert len(write_html(document)) < 3_000_000


def test_markup_in_a_header_stays_text():
    document = build(make_analysis(patient=Patient(name="<script>alert(1)</script>^#panic()")))
    assert b"<script>" not in write_html(document)
    assert "#panic()" in text_of_pdf(document)


@pytest.mark.parametrize(
    "missing",
    [
        *({key: value} for key, value in NOTHING.items()),
        NOTHING,
        {"fissures": ()},
        {"views": (), "projections": (), "histograms": ()},
        {"divided": False},
        NOTHING | {"fissures": (), "views": (), "projections": (), "measured": ()},
    ],
    ids=lambda missing: "+".join(missing),
)
def test_what_is_missing_is_said_and_the_rest_is_shown(missing):
    document = build(make_analysis(**missing))
    text = text_of_pdf(document)
    assert not re.search(r"\b(nan|None|inf)\b", text)
    assert not re.search(r"\d{7}", text)
    write_html(document)
    kinds = [type(block) for block in document.flat()]
    assert not any(a is b is Heading for a, b in pairwise(kinds))
    if "patient" in missing:
        facts = dict(next(b for b in document.flat() if isinstance(b, Facts)).rows)
        assert facts["Name"] == "not stated"


@pytest.mark.parametrize("status", [Status.WITHHELD, Status.NOT_MEASURED])
def test_a_withheld_number_is_not_printed_but_named(status):
    hidden = tuple(
        replace(one, value=None) if one.status is status else one for one in measured(status=status)
    )
    document = build(make_analysis(measured=hidden))
    word = status.value.replace("_", " ")
    assert any(cell.startswith(word) for cell in cells(document))
    assert not any("12.3" in cell for cell in cells(document))


@pytest.mark.parametrize("status", [Status.CAVEAT, Status.WITHHELD])
def test_a_doubtful_number_is_marked_and_its_reason_stands_under_the_table(status):
    doubts = frozenset({Flag.SHARP_KERNEL, Flag.THICK_SLICES})
    document = build(make_analysis(measured=measured(status=status, flags=doubts)))
    table = next(b for b in document.flat() if isinstance(b, Table) and len(b.header) > 8)
    column = table.header.index(next(cell for cell in table.header if cell.startswith("LAA-950")))
    assert all(row[column].endswith("a,b") for row in table.rows)
    assert "a: thick slices; b: sharp kernel" in table.note


def test_every_flag_view_and_projection_has_its_words():
    say = load_wording("en")
    assert all(say(f"flags.{flag.key}") for flag in Flag)
    analysis = make_analysis()
    shown = {one.name for one in (*analysis.views, *analysis.projections, *analysis.surfaces)}
    assert all(say(f"views.{name}") for name in shown | {"axial_carina", "axial_middle"})


def test_the_operator_of_the_profile_is_printed_in_headers_and_method():
    text = text_of_pdf(build(make_analysis(options=Options(profile="le"))))
    assert f"(≤ {MINUS}950 HU)" in text
    assert f"HU ≤ {MINUS}950." in text


def test_every_page_says_whose_report_it_is(document):
    for page in pymupdf.open(stream=write_pdf(document), filetype="pdf"):
        assert "DOE, JANE · QCT-0001" in page.get_text()


def test_the_place_to_sign_stands_beside_the_interpretation(document):
    page = pymupdf.open(stream=write_pdf(document), filetype="pdf")[1]
    say = load_wording("en")
    for word in ("headings.interpretation", "interpretation.signature"):
        assert say(word) in page.get_text()


def test_the_verdict_stands_before_the_first_number(document):
    kinds = [type(block) for block in document.flat()]
    assert kinds.index(Box) < kinds.index(Table)


def test_pictures_are_png_and_told_in_words(document):
    figures = [block for block in document.flat() if isinstance(block, Figure)]
    assert len(figures) == 4
    assert all(one.png.startswith(b"\x89PNG") and len(one.caption) > 20 for one in figures)


def test_every_quantity_shown_stands_in_the_dictionary():
    assert {*HEADLINES, *COLUMNS, *THIRD_COLUMNS} <= set(QUANTITIES)


def test_where_laa_is_withheld_no_picture_shows_it():
    document = build(make_analysis(measured=measured(status=Status.WITHHELD)))
    shown = {block.name: block for block in document.flat() if isinstance(block, Figure)}
    assert "projections" not in shown
    assert "not marked" in shown["views"].caption
    assert shown["views"].png != next(
        block.png
        for block in build(make_analysis()).flat()
        if isinstance(block, Figure) and block.name == "views"
    )


def test_the_pdf_is_for_archives_tagged_and_names_nobody_in_its_metadata(document):
    pdf = pymupdf.open(stream=write_pdf(document), filetype="pdf")
    about = pdf.get_xml_metadata()
    assert "<pdfaid:part>2</pdfaid:part>" in about
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in about
    assert pdf.xref_get_key(pdf.pdf_catalog(), "StructTreeRoot")[0] != "null"
    for secret in ("DOE", "JANE", "QCT-0001", "A-17"):
        assert secret not in about
        assert secret not in str(pdf.metadata)


LONG = "X" * 64


@pytest.mark.parametrize("paper", ["a4", "letter"])
@pytest.mark.parametrize("language", ["en", "de"])
def test_nothing_runs_off_the_paper_however_long_the_header_is(paper, language):
    doubts = frozenset(Flag)
    analysis = make_analysis(
        patient=Patient(name=f"{LONG}^{LONG}", patient_id=LONG),
        study=Study(
            description=LONG, accession=LONG[:16], referrer=LONG, study_uid="1." + "2" * 62
        ),
        acquisition=Acquisition(
            series_uid="1." + "3" * 62,
            series_description=LONG,
            manufacturer=LONG,
            recon_kernel=LONG,
        ),
        measured=measured(status=Status.CAVEAT, flags=doubts),
    )
    document = build(analysis, language=language, paper=paper)
    for page in pymupdf.open(stream=write_pdf(document), filetype="pdf"):
        words = page.get_text("words")
        assert max(word[2] for word in words) < page.rect.width - 35
        assert max(word[3] for word in words) < page.rect.height - 15


@pytest.mark.parametrize("language", ["en", "de"])
def test_no_cell_runs_into_the_next_however_many_reasons_it_has(language):
    doubts = frozenset(list(Flag)[:7])
    withheld = tuple(replace(one, status=Status.WITHHELD, flags=doubts) for one in measured())
    document = build(make_analysis(measured=withheld), language=language)
    for page in pymupdf.open(stream=write_pdf(document), filetype="pdf"):
        assert not overlaps(page)
