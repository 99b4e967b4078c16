"""What is recalled or not found is said so wherever a code is shown."""

import re
from pathlib import Path

import qct.coding
from qct.coding import StudyFacts, advise
from qct.coding.catalogue import FactStatus, catalogue, data
from qct.coding.show import worksheet_html, worksheet_text
from qct.order import Order, Service

SHEET = advise(Order(service=Service(concurrent=False)), StudyFacts())


def test_the_proposed_service_shows_what_is_only_recalled():
    assert "[recalled, to be confirmed] Expires" in worksheet_text(SHEET)


def test_the_page_shows_every_row_with_every_fact_and_its_status():
    html = worksheet_html(SHEET)
    for row in catalogue().values():
        assert f'<th scope="row">{row.code}</th>' in html
    for status in FactStatus:
        n = sum(f.status is status for row in catalogue().values() for f in row.facts)
        assert html.count(f'<span class="mark">{status.value}</span>') >= n


def test_no_line_of_text_is_longer_than_a_screen():
    assert max(map(len, worksheet_text(SHEET).splitlines())) <= 100


def test_every_sentence_is_used_and_none_speaks_of_an_amount():
    source = "".join(file.read_text() for file in Path(qct.coding.__file__).parent.glob("*.py"))
    for section, sentences in data("wording.toml").items():
        for key, sentence in sentences.items():
            stem = key.removeprefix("no_") if section == "standing" else key
            assert re.search(rf"\b{key}\b|[\"]{stem}[\"]", source), f"{section}.{key}"
            assert not re.search(r"[$€]", sentence)
