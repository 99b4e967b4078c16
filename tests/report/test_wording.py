import ast
import re
import string
import tomllib
from importlib.resources import files

import pytest
from tests.report.sample import make_analysis

from qct.errors import OptionError
from qct.flags import Flag
from qct.interpret.reference import references
from qct.interpret.uncertainty import table
from qct.quantities import QUANTITIES
from qct.regions import COLOUR_NAMES, REGIONS, Fissure
from qct.report import build, write_html, write_pdf, write_text
from qct.report.page_one import reasons_in_words
from qct.report.wording import check_language, languages, load_wording

NAMES = ("regions", "fissures", "labels", "definitions", "populations", "limits", "refusals")
"""Tables that English does not need: its words stand in the tables of the package."""

OTHERS = [one for one in languages() if one != "en"]


def words(language):
    """Return every sentence of a language by its key, lists with their number, without names."""
    text = files("qct.report").joinpath("wordings", f"{language}.toml").read_text("utf-8")
    found = {}

    def walk(value, key):
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, f"{key}.{name}" if key else name)
        elif isinstance(value, list):
            for n, inner in enumerate(value):
                walk(inner, f"{key}[{n}]")
        else:
            found[key] = value

    walk({k: v for k, v in tomllib.loads(text).items() if k not in NAMES}, "")
    return found


def placeholders(sentence):
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_sentence_and_no_other(language):
    assert words(language).keys() == words("en").keys()


@pytest.mark.parametrize("language", OTHERS)
def test_a_sentence_names_the_same_things_in_every_language(language):
    own, english = words(language), words("en")
    differ = {key for key in own if placeholders(own[key]) != placeholders(english[key])}
    assert differ <= {"words.reason"}


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_names_every_region_quantity_and_reference(language):
    text = files("qct.report").joinpath("wordings", f"{language}.toml").read_text("utf-8")
    own = tomllib.loads(text)
    analysis = make_analysis()
    rows = {one.key for one in references(analysis.scan.patient)} | {one.key for one in table()}
    assert set(REGIONS) <= set(own["regions"])
    assert set(own["fissures"]) == {one.value for one in Fissure}
    assert set(QUANTITIES) <= set(own["labels"])
    assert set(QUANTITIES) <= set(own["definitions"])
    assert rows <= set(own["populations"])
    assert {one.key for one in references(analysis.scan.patient) if one.limits} == set(
        own["limits"]
    )


@pytest.mark.parametrize("language", languages())
def test_every_flag_and_colour_has_its_words(language):
    say = load_wording(language)
    assert all(say(f"flags.{flag.key}") for flag in Flag)
    assert all(say(f"colours.{name.replace(' ', '_')}") for name in COLOUR_NAMES.values())


@pytest.mark.parametrize("language", OTHERS)
def test_a_report_in_another_language_says_no_english_sentence(language):
    analysis = make_analysis()
    text = write_text(build(analysis, language=language)).decode()
    english = write_text(build(analysis)).decode()
    for reason in reasons_in_words(analysis, load_wording(language)):
        text = text.replace(reason, "")
    said = {line.strip() for line in text.splitlines() if len(line.split()) > 4}
    same = said & {line.strip() for line in english.splitlines()}
    assert not {line for line in same if re.search(r"\b(the|of|and|is|are)\b", line)}


def test_german_writes_a_decimal_comma_and_says_its_language():
    document = build(make_analysis(), language="de")
    assert "12,3" in write_text(document).decode()
    assert b'<html lang="de">' in write_html(document)
    assert write_pdf(document).startswith(b"%PDF")


@pytest.mark.parametrize(
    "why",
    [
        "measured by two states of qct 0.1.0 (code a1; code not told)",
        "kernel B30f (soft) and B70f (sharp); slices of 1 and 5 mm",
        "full inspiration is in doubt (2021-05-02); dose is not known",
        "kernel L or B is not known; contrast medium in one of them",
        "lung volume differs by +900 mL (+18 %), which alone moves this number",
    ],
)
def test_german_says_why_two_scans_are_not_compared(why):
    said = load_wording("de").refusal(why)
    assert not re.search(r"\b(and|or|of|is|in one|by|measured|not)\b", said), said


def test_a_language_without_words_is_refused():
    with pytest.raises(OptionError, match="'xx'"):
        check_language("xx")


def test_no_clinical_sentence_stands_in_the_code_of_the_report():
    errors = ("there are no words", "there is no paper", "the stored report does not")
    for path in files("qct.report").iterdir():
        if path.name.endswith(".py"):
            said = [one for one in strings_in_code(path.read_text("utf-8")) if one.count(" ") > 3]
            assert not [one for one in said if not one.startswith(errors)], path.name


def strings_in_code(source):
    """Return every string that is no docstring and no part of an import."""
    tree = ast.parse(source)
    docs = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]
