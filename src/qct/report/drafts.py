"""Drafted statements in words."""

from qct.findings import Analysis, Change, Statement
from qct.flags import Flag, Status
from qct.quantities import CLUSTER_EDGES_MM
from qct.report.document import Drafted
from qct.report.numbers import NONE, Numbers
from qct.report.wording import NO_BREAK_SPACE, Wording

ABOUT_CHANGE = ("change_", "volume_change_")
"""Beginnings of the templates that compare with an earlier scan."""


def drafted_statements(analysis: Analysis, say: Wording) -> tuple[Drafted, ...]:
    """Put every statement into words; none about a change that is not there, as in a de-identified result."""
    numbers = Numbers(analysis, say)
    known = (
        one
        for one in analysis.statements
        if not one.template.startswith(ABOUT_CHANGE) or numbers.change(*one.numbers[0]) is not None
    )
    return tuple(_in_words(one, analysis, numbers, say) for one in known)


def _in_words(one: Statement, analysis: Analysis, numbers: Numbers, say: Wording) -> Drafted:
    filled: dict[str, object] = {}
    for n, (region, quantity) in enumerate(one.numbers, start=1):
        filled[f"value{n}"] = numbers.phrase(region, quantity)
        filled[f"region{n}"] = say.within(region)
        filled[f"label{n}"] = say.label(numbers.row(quantity))
        found = numbers.find(region, quantity)
        if found is not None and found.status is Status.WITHHELD:
            flags = (flag for flag in Flag if flag in found.flags)
            filled["why"] = ", ".join(say(f"flags.{flag.key}") for flag in flags)
        change = numbers.change(region, quantity)
        if change is not None:
            unit = numbers.unit(quantity).replace("%", say("words.points"))
            filled["difference"] = f"{numbers.difference(change)} {unit}"
            filled["since"] = change.points[0].date or change.points[0].name
            filled["reason"] = say.refusal(change.why)
        volume = numbers.change(region, "volume_ml")
        if volume is not None:
            filled["volume"] = f"{numbers.difference(volume)} {numbers.unit('volume_ml')}"
            filled["percent"] = _percent(volume, say)
    why = numbers.usual(*one.numbers[0])
    refused = "" if why is None else why.refused
    filled["because"] = say("usual.because", why=say.refusal(refused)) if refused else ""
    usual = next((row for row in analysis.references if row.key == one.reference), None)
    if usual is not None:
        unit = numbers.unit(usual.quantity)
        parts = (f"{numbers.limits(usual)} {unit}".strip(), say.limits(usual.key, usual.limits))
        filled["usual"] = ", ".join(part for part in parts if part)
    filled["large"] = say.number(f"{CLUSTER_EDGES_MM[-1]:g}")
    filled["subject"] = say.subject(one.key).format(**filled)
    said = say(f"statements.{one.template}", **filled)
    caveats = numbers.caveats(one.numbers) if one.template != "withheld" else ""
    text = f"{said.removesuffix('.')}; {caveats}." if caveats else said
    return Drafted(one.key, text, caveats)


def _percent(one: Change, say: Wording) -> str:
    """Print a difference as a share of the baseline."""
    first = one.points[0].value
    if one.difference is None or not first:
        return NONE
    return say.number(f"{100 * one.difference / first:+.0f}") + f"{NO_BREAK_SPACE}%"
