"""What is printed is what was measured: the text of the PDF against ``analysis.json``."""

import json
import re
from dataclasses import replace

import pymupdf
import pytest
from tests.report.sample import FISSURES, make_analysis, measured

from qct.export import analysis_json
from qct.findings import Measured, Uncertainty
from qct.flags import Flag, Status
from qct.interpret.uncertainty import table as published
from qct.quantities import QUANTITIES
from qct.regions import LOBES, THIRDS, UPPER_AND_MIDDLE, Fissure
from qct.report import build, write_html, write_pdf, write_text
from qct.report.document import Table
from qct.report.headlines import HEADLINES
from qct.report.numbers import Numbers
from qct.report.sections import COLUMNS, LUNGS_AND_LOBES, THIRD_COLUMNS
from qct.report.wording import MINUS, NO_BREAK_SPACE, load_wording


@pytest.fixture(scope="module")
def analysis():
    """Return an analysis in which no two numbers are alike."""
    numbers = tuple(
        replace(one, value=-900.0 + 0.83 * i if one.quantity.endswith("_hu") else 1.03 * i)
        for i, one in enumerate(measured())
    )
    return make_analysis(measured=numbers)


@pytest.fixture(scope="module")
def told(analysis):
    return json.loads(analysis_json(analysis))["regions"]


@pytest.fixture(scope="module")
def printed(analysis):
    document = build(analysis)
    pages = pymupdf.open(stream=write_pdf(document), filetype="pdf")
    return {
        "pdf": " ".join(" ".join(page.get_text() for page in pages).split()),
        "text": " ".join(write_text(document).decode().split()),
    }


def shown(told, region, quantity):
    return QUANTITIES[quantity].text(told[region][quantity]["value"]).split()[0].replace("-", MINUS)


@pytest.mark.parametrize("form", ["pdf", "text"])
@pytest.mark.parametrize(
    ("regions", "quantities", "skipped"),
    [(LUNGS_AND_LOBES, COLUMNS, 2), (THIRDS, THIRD_COLUMNS, 0)],
)
def test_every_row_of_a_table_is_that_of_the_result(
    printed, told, form, regions, quantities, skipped
):
    for region in regions:
        cells = [shown(told, region.key, key) for key in quantities]
        start = f"{region.name} " if not skipped else ""
        assert start + " ".join(cells) in printed[form], region.name


@pytest.mark.parametrize("form", ["pdf", "text"])
def test_every_main_number_is_that_of_the_result(printed, told, form):
    for key in HEADLINES:
        both, *cells = (
            shown(told, side, key) for side in ("whole_lung", "right_lung", "left_lung")
        )
        spread = r"( ± [\d.]+( †)?)?"
        assert re.search(rf"{both}{spread} {' '.join(cells)} ", printed[form]), key


def test_both_lungs_stand_with_what_one_scan_may_be_off_by(analysis):
    """1.62 points between two scans (Chong 2011) are 1.62 / sqrt 2 = 1.1 of one."""
    least = next(one for one in published() if one.key == "laa950_chong")
    document = build(replace(analysis, uncertainties=(least,)))
    main = next(block for block in document.blocks if isinstance(block, Table))
    (row,) = (row for row in main.rows if row[0].startswith("LAA-950"))
    assert row[1].endswith(f"{NO_BREAK_SPACE}±{NO_BREAK_SPACE}1.1")
    assert "±" not in row[2] + row[3]
    assert "± behind both lungs" in main.note
    unknown = build(replace(analysis, uncertainties=()))
    assert "±" not in "".join(next(b for b in unknown.blocks if isinstance(b, Table)).rows[3])
    assert "± behind both lungs" not in write_text(unknown).decode()


def test_a_withheld_number_has_no_spread(analysis):
    hidden = tuple(
        replace(one, value=None, status=Status.WITHHELD, flags=frozenset({Flag.LOW_DOSE}))
        for one in analysis.measured
    )
    document = build(replace(analysis, measured=hidden, uncertainties=published()))
    main = next(block for block in document.blocks if isinstance(block, Table))
    assert all("±" not in row[1] for row in main.rows)


def test_every_number_in_a_statement_is_that_of_the_result(analysis, told):
    numbers = Numbers(analysis, load_wording("en"))
    document = build(analysis)
    said = {one.key: one.text for one in document.statements}
    for one in analysis.statements:
        for region, quantity in one.numbers:
            assert numbers.phrase(region, quantity) in said[one.key]
            assert numbers.phrase(region, quantity).startswith(shown(told, region, quantity))


def test_every_quantity_of_both_lungs_is_printed_somewhere(printed, told):
    for key in told["whole_lung"]:
        assert shown(told, "whole_lung", key) in printed["pdf"], key


def test_lobes_share_one_order_everywhere():
    assert [one for one in LUNGS_AND_LOBES if one in LOBES] == list(LOBES)


def test_sizes_stay_small_for_a_chest_of_real_size(analysis):
    document = build(analysis)
    assert len(write_html(document)) < 3_000_000
    assert len(write_pdf(document)) < 3_000_000


def test_uncertainties_are_those_of_both_lungs_and_none_reads_zero():
    of = {"kind": "standard error", "quantity": "laa950_percent", "confirmed": True}
    both, lobe = (
        Uncertainty(
            **of, key=f"noise {n}", region=region, amount=amount, conditions=n, source="qct"
        )
        for n, region, amount in (("alpha", "whole_lung", 0.004), ("beta", "right_lung", 0.3))
    )
    (table,) = (
        one
        for one in build(make_analysis(uncertainties=(both, lobe))).flat()
        if isinstance(one, Table) and one.name.startswith("Repeatability")
    )
    ((_, _, amount, conditions),) = table.rows
    assert "alpha" in conditions
    assert amount.replace("\N{NO-BREAK SPACE}", " ") == "< 0.1"


def test_a_caveat_shared_by_the_numbers_of_a_statement_is_said_once():
    doubted = tuple(
        replace(one, status=Status.CAVEAT, flags=frozenset({Flag.UNKNOWN_KERNEL}))
        for one in measured()
    )
    analysis = make_analysis(measured=doubted)
    texts = [one.text for one in build(analysis).statements]
    assert texts
    assert all(text.count("caveat") == 1 for text in texts)
    assert all(text.endswith("; caveat: unknown kernel.") for text in texts)


def test_a_lobe_that_is_not_there_has_no_row():
    kept = tuple(one for one in measured() if one.region != LOBES[3].key)
    tables = [one for one in build(make_analysis(measured=kept)).flat() if isinstance(one, Table)]
    assert all(not row[0].startswith("Left upper lobe") for one in tables for row in one.rows)
    assert any(row[0].startswith("Left lower lobe") for one in tables for row in one.rows)


def test_the_volume_of_a_lobe_stands_with_its_error_and_a_note_says_what_it_is():
    error = Uncertainty(
        key="border",
        region=LOBES[1].key,
        quantity="volume_ml",
        kind="border error",
        amount=53.6,
        conditions="borders",
        source="qct",
    )
    tables = [
        one
        for one in build(make_analysis(uncertainties=(error,))).flat()
        if isinstance(one, Table) and any(row[0] == LOBES[1].name for row in one.rows)
    ]
    lobes = [one for one in tables if "Volume [mL]" in one.header]
    assert len(lobes) == 2
    for table in lobes:
        shown = {row[0]: " ".join(row).replace("\N{NO-BREAK SPACE}", " ") for row in table.rows}
        assert "2457 ± 54" in shown[LOBES[1].name]
        assert "±" not in shown[LOBES[2].name]
        assert "± behind a volume" in table.note


@pytest.mark.parametrize(("support", "rows"), [("supported", 0), ("partly supported", 2)])
def test_upper_and_middle_lobe_together_stand_where_the_fissure_between_them_is_not_well_seen(
    support, rows
):
    fits = tuple(
        replace(one, support=support) if one.fissure is Fissure.RIGHT_HORIZONTAL else one
        for one in FISSURES
    )
    pair = (Measured(UPPER_AND_MIDDLE.key, "volume_ml", 1102.0),)
    document = build(make_analysis(fissures=fits, measured=measured() + pair))
    found = [
        row
        for one in document.flat()
        if isinstance(one, Table)
        for row in one.rows
        if row[0] == UPPER_AND_MIDDLE.name
    ]
    assert len(found) == rows
    assert all("1102" in row for row in found)
