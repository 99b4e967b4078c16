import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pymupdf
import pytest
from tests.report.sample import make_analysis

from qct import pipeline
from qct.cli import main
from qct.errors import OptionError, ReadError, SignedError, WriteError
from qct.export import write_folder
from qct.export.signed import read_signature
from qct.report import build, document_from, document_json, write_html, write_pdf
from qct.report.wording import load_wording
from qct.signature import Signature

WORDS = "Emphysema of both upper lobes.\n\nNo other finding."
BOTTOM = 16 / 25.4 * 72
"""Margin at the end of a page (points)."""

SIGNED = Signature(
    interpretation=WORDS,
    impression="Upper lobe emphysema.",
    signer="Roe^Jane",
    credentials="MD",
    signed_at=datetime(2024, 3, 6, 9, 30, tzinfo=UTC),
    digests={},
)


@pytest.fixture(scope="module")
def files():
    return pipeline.results(make_analysis())


@pytest.fixture
def result(files, tmp_path):
    write_folder(tmp_path / "OUT", files)
    return tmp_path / "OUT"


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text(WORDS)
    return path


def pdf_text(path):
    return " ".join(" ".join(page.get_text() for page in pymupdf.open(path)).split())


def appending(result, text):
    by = ("--signer", "Poe", "--credentials", "MD")
    return main(["sign", str(result), "--addendum", str(text), *by])


def signing(result, text, *more):
    by = ("--signer", "Roe, Jane", "--credentials", "MD")
    return main(["sign", str(result), "--interpretation", str(text), *by, *more])


def test_a_stored_report_is_read_back_as_it_was():
    document = build(make_analysis())
    assert document_from(document_json(document), write_html(document)) == document


def test_a_stored_report_does_not_repeat_the_pictures_of_its_page():
    assert len(document_json(build(make_analysis()))) < 100_000


def test_a_report_whose_page_shows_another_picture_is_not_signed(result, text, capsys):
    page = result / "report.html"
    page.write_bytes(re.sub(rb"(data:image/png;base64,.{100})....", rb"\1AAAA", page.read_bytes()))
    assert signing(result, text) == ReadError.exit_code
    assert "report.html" in capsys.readouterr().err
    assert not (result / "signature.json").exists()


@pytest.mark.parametrize("content", [b"{}", b"[]", b"x", b'{"blocks": [{"kind": "?"}]}'])
def test_what_is_no_stored_report_is_refused(content):
    with pytest.raises(ValueError, match=r"layout|JSON|Expecting"):
        document_from(content)


def test_a_signed_report_carries_the_words_and_no_mark_of_a_draft(result, text):
    assert signing(result, text) == 0
    shown = pdf_text(result / "report.pdf")
    for word in ("Emphysema of both upper lobes.", "Roe, Jane", "Research use only"):
        assert word in shown
    assert read_signature(result).content_sha256 in shown
    for name in ("report.pdf", "report.html", "report.txt"):
        said = pdf_text(result / name) if name.endswith("pdf") else (result / name).read_text()
        assert "draft, not interpreted" not in said.lower()


def test_an_unsigned_report_is_marked_as_a_draft_in_every_form(result):
    for name in ("report.pdf", "report.html", "report.txt"):
        said = pdf_text(result / name) if name.endswith("pdf") else (result / name).read_text()
        assert "draft, not interpreted" in said.lower()


def test_what_was_measured_is_the_same_bytes_after_signing(files, result, text):
    signing(result, text)
    for name in ("analysis.json", "labels.nii.gz", "measurements.csv", "report.json"):
        assert (result / name).read_bytes() == files[name]


def test_a_signed_result_is_not_signed_again_and_not_replaced(files, result, text, capsys):
    signing(result, text)
    before = {path.name: path.read_bytes() for path in result.iterdir()}
    assert signing(result, text) == SignedError.exit_code
    assert "--addendum" in capsys.readouterr().err
    with pytest.raises(SignedError):
        write_folder(result, files, force=True)
    assert {path.name: path.read_bytes() for path in result.iterdir()} == before


def test_addenda_follow_each_other_and_are_shown(result, text, tmp_path):
    signing(result, text)
    more = tmp_path / "more.txt"
    for words in ("Compared with the prior.", "Discussed with the ward."):
        more.write_text(words)
        assert appending(result, more) == 0
    signature = read_signature(result)
    assert [one.author for one in signature.addenda] == ["Poe", "Poe"]
    shown = pdf_text(result / "report.pdf")
    for word in ("Compared with the prior.", "Discussed with the ward.", "Addendum 2"):
        assert word in shown


def test_nothing_is_appended_to_a_draft(result, text):
    assert appending(result, text) == SignedError.exit_code


@pytest.mark.parametrize("name", ["analysis.json", "report.json", "report.pdf", "labels.nii.gz"])
def test_a_change_after_signing_is_found(result, text, name, capsys):
    signing(result, text)
    assert main(["sign", str(result), "--check"]) == 0
    (result / name).write_bytes((result / name).read_bytes() + b" ")
    assert main(["sign", str(result), "--check"]) == ReadError.exit_code
    assert name in capsys.readouterr().err


def test_statements_are_taken_over_only_if_the_signer_says_so(result):
    document = document_from((result / "report.json").read_bytes())
    first, second = document.statements[:2]
    made = pipeline.sign(result, SIGNED, {first.key: None, second.key: "Edited words."})
    signature = Signature.from_dict(json.loads(made["signature.json"]))
    assert [(one.key, one.is_edited) for one in signature.statements] == [
        (first.key, False),
        (second.key, True),
    ]
    text = " ".join(made["report.txt"].decode().split())
    assert " ".join(first.text.split()) in text
    assert "Edited words." in text
    assert document.statements[2].text not in text


def test_a_statement_that_was_not_drafted_cannot_be_taken_over(result):
    with pytest.raises(OptionError, match="no statement"):
        pipeline.sign(result, SIGNED, {"diagnosis": None})


@pytest.mark.parametrize("missing", ["--signer", "--credentials"])
def test_nobody_signs_without_name_and_credentials(result, text, missing, capsys):
    arguments = {"--signer": "Roe", "--credentials": "MD"}
    del arguments[missing]
    given = [part for pair in arguments.items() for part in pair]
    assert main(["sign", str(result), "--interpretation", str(text), *given]) == 2
    assert not (result / "signature.json").exists()


def test_an_empty_text_is_not_signed(result, text):
    text.write_text(" \n")
    assert signing(result, text) == OptionError.exit_code


def test_a_full_disk_leaves_the_draft_as_it_was(result, text, monkeypatch):
    before = {path.name: path.read_bytes() for path in result.iterdir()}

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert signing(result, text) == WriteError.exit_code
    assert {path.name: path.read_bytes() for path in result.iterdir()} == before


def test_a_signed_analysis_builds_a_signed_report():
    document = build(make_analysis(signature=SIGNED))
    say = load_wording("en")
    assert document.watermark == ""
    assert document.banner == say("banner_signed")


@pytest.mark.parametrize("sentences", [1, 60, 400])
def test_no_signed_word_is_lost_below_a_page(sentences):
    long = replace(SIGNED, impression="The upper lobes show emphysema. " * sentences + "LASTWORD")
    pages = pymupdf.open(stream=write_pdf(build(make_analysis(signature=long))))
    on = [(page, box) for page in pages for box in page.search_for("LASTWORD")]
    assert len(on) == 2  # on page one, and under Interpretation
    assert all(box.y1 < page.rect.height - BOTTOM for page, box in on)
    words = [word for page in pages for word in page.get_text("words")]
    assert sum(word[4] == "upper" for word in words) >= 2 * sentences
