import ast
import re
import string
import tomllib
from importlib.resources import files

import pytest
from tests.report.sample import make_analysis

from qct.errors import OptionError
from qct.findings import Measured, StandardError
from qct.flags import Flag
from qct.interpret.gate import SITE_SAYS, load_gate
from qct.interpret.reference import references
from qct.interpret.uncertainty import table, uncertainties
from qct.quantities import PROFILES, QUANTITIES
from qct.regions import COLOUR_NAMES, FISSURE_NAMES, REGIONS, Fissure
from qct.report import build, write_html, write_pdf, write_text
from qct.report.wording import check_language, languages, load_wording

NAMES = (
    *("regions", "within", "fissures", "labels", "definitions", "populations", "limits"),
    *("refusals", "reasons", "terms", "conditions", "profiles"),
)
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
    assert set(PROFILES) == set(own["profiles"])
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
    said = {line.strip() for line in text.splitlines() if len(line.split()) > 4}
    same = said & {line.strip() for line in english.splitlines()}
    assert not {line for line in same if re.search(r"\b(the|of|and|is|are)\b", line)}


def test_german_writes_a_decimal_comma_and_says_its_language():
    document = build(make_analysis(), language="de")
    assert "12,3" in write_text(document).decode()
    assert b'<html lang="de">' in write_html(document)
    assert write_pdf(document).startswith(b"%PDF")


def table_of(language, name):
    text = files("qct.report").joinpath("wordings", f"{language}.toml").read_text("utf-8")
    return tomllib.loads(text)[name]


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_reason_of_the_gate_and_no_other(language):
    reasons = table_of(language, "reasons")
    assert reasons.keys() == {rule.says for rule in load_gate().rules} | {SITE_SAYS}
    for english, own in reasons.items():
        names = set(re.findall(r"\{([\w.]+)\}", own))
        assert names == placeholders(english), own


FACTS = {"recon_kernel": "B70f (a+b)", "region_name": "right upper lobe"} | {
    "fissure_name": FISSURE_NAMES[Fissure.LEFT_OBLIQUE].lower(),
    "contrast_agent": "agent not named",
    "patient_position": "HFP",
}


def filled(template):
    """Fill a template as the gate does, with a number wherever no word is meant."""
    parts = string.Formatter().parse(template)
    return "".join(
        plain + ("" if name is None else FACTS.get(name) or format(-1234.56, spec))
        for plain, name, spec, _ in parts
    )


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("rule", load_gate().rules, ids=lambda rule: rule.says[:40])
def test_a_reason_with_its_figures_is_translated(language, rule):
    said = load_wording(language).reason(rule.flag, filled(rule.says))
    assert "[" not in said
    assert "{" not in said
    english = r"\b(the|of|and|is|are|not|lobe|fissure|agent|named)\b|\d\.\d"
    assert not re.search(english, said), said
    if "recon_kernel" in rule.says:
        assert FACTS["recon_kernel"] in said


def test_german_reasons_write_figures_and_names_in_german():
    say = load_wording("de")
    slices = say.reason(Flag.THICK_SLICES, filled(load_gate().rules[3].says))
    assert "−1234,56\N{NO-BREAK SPACE}mm" in slices
    site = SITE_SAYS.format(site="St. Ann", changes="other rules for metal; no rules for contrast")
    told = say.reason(Flag.SITE_GATE, site)
    assert told.endswith("(St. Ann): andere Regeln für metal; keine Regeln für contrast.")
    lobe = next(r for r in load_gate().rules if r.says.startswith("A border of"))
    assert say.reason(lobe.flag, filled(lobe.says)).startswith("Rechter Oberlappen: ")


@pytest.mark.parametrize("language", OTHERS)
def test_every_uncertainty_says_its_conditions(language):
    """Those of the table by their keys, those of this scan with their figures."""
    error = StandardError("whole_lung", "volume_ml", 0.1, noise_hu=10.94)
    volume = (Measured("whole_lung", "volume_ml", 4000.0),)
    given = uncertainties(volume, (error,), {"whole_lung": 12.0})
    made = [one for one in given if one.source == "qct"]
    assert len(made) == 2
    say = load_wording(language)
    told = [say.population(one.key, one.conditions) for one in made]
    assert not [one for one in told if re.search(r"\b(noise|from|of|the)\b", one)], told
    assert "10,9" in told[0]


def test_a_reason_of_a_site_stays_as_it_was_written():
    said = load_wording("de").reason(Flag.THICK_SLICES, "Slices are 2 mm thick; we measure at 1.")
    assert said.startswith("Wegen dicker Schichten [Slices are 2")


def test_german_nouns_keep_their_capital_within_a_sentence():
    say = load_wording("de")
    told = [say.within(key) for key in REGIONS]
    assert {"Mittellappen", "rechter Oberlappen", "beide Lungen"} <= set(told)
    first = ("rechte", "linke", "beide", "ober", "mittlere", "untere")
    assert all(one[0].isupper() or one.startswith(first) for one in told)


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
