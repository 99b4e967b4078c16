import json
import re
from pathlib import Path

import pytest

from qct.cli import main
from qct.options import PROFILES as OFFERED
from qct.quantities import (
    HEADLINE,
    PROFILES,
    QUANTITIES,
    UNIT_WORDS,
    Quantity,
    markdown_table,
    quantities_of,
)

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_holds_the_table_as_it_is():
    page = (DOCS / "metrics.md").read_text()
    shown = re.search(r"<!-- dictionary: begin -->\n(.*)<!-- dictionary: end -->", page, re.DOTALL)
    assert shown is not None
    assert shown[1] == markdown_table()


def test_every_source_is_among_the_references():
    entries = set(
        re.findall(r"^- \*\*(\w+)\*\*", (DOCS / "references.md").read_text(), re.MULTILINE)
    )
    for profile in PROFILES:
        assert {row.source for row in quantities_of(profile).values()} <= entries


def test_the_settings_offer_every_profile():
    assert set(OFFERED) == set(PROFILES)


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_differ_in_meaning_and_never_in_what_is_measured(profile):
    rows = quantities_of(profile)
    assert list(rows) == list(QUANTITIES)
    assert [row.unit for row in rows.values()] == [row.unit for row in QUANTITIES.values()]


def test_every_row_is_a_sentence_with_a_printable_unit():
    for row in QUANTITIES.values():
        assert row.unit in UNIT_WORDS
        assert row.definition.endswith(".")
    assert set(HEADLINE) <= QUANTITIES.keys()


def test_the_operator_is_printed_in_the_label():
    assert QUANTITIES["laa950_percent"].label == "LAA-950 (< -950 HU)"
    assert quantities_of("le")["laa950_percent"].label == "LAA-950 (<= -950 HU)"
    assert quantities_of("cip")["haa_percent"].label == "HAA (> -600 HU)"


@pytest.mark.parametrize(
    ("value", "text"), [(-0.4, "0 HU"), (-912.5, "-912 HU"), (None, "not measured"), (0.0, "0 HU")]
)
def test_a_value_is_shown_as_a_report_prints_it(value, text):
    assert QUANTITIES["mean_hu"].text(value) == text


def test_a_ratio_is_shown_without_a_unit():
    assert Quantity("r", "Ratio", "1", 2, "A.", "qct").text(1.5) == "1.50"


@pytest.mark.parametrize("profile", PROFILES)
def test_the_command_prints_every_row(profile, capsys):
    assert main(["quantities", "--profile", profile]) == 0
    shown = capsys.readouterr().out
    assert all(row.label in shown for row in quantities_of(profile).values())
    assert main(["quantities", "--json", "--profile", profile]) == 0
    assert [row["key"] for row in json.loads(capsys.readouterr().out)["quantities"]] == list(
        QUANTITIES
    )


def test_the_command_prints_the_table_of_the_page(capsys):
    assert main(["quantities", "--markdown"]) == 0
    assert capsys.readouterr().out == markdown_table()
