"""The worksheet and the catalogue as text, as plain values for JSON, and as one HTML page."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from textwrap import wrap
from typing import Any

from qct.coding.catalogue import Code, Fact, catalogue, words
from qct.coding.tables import PayerRow
from qct.coding.worksheet import CodeAdvice, State, Worksheet

WIDTH = 100
"""Characters in a line of text."""


def code_values(row: Code, texts: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Plain values of one row of the catalogue, with the licensee's text if there is one."""
    values = asdict(row)
    return values | ({"licensed_text": texts[row.code]} if texts and row.code in texts else {})


def worksheet_values(
    sheet: Worksheet, payers: tuple[PayerRow, ...] = (), texts: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Plain values of a worksheet, with the whole catalogue beside it."""
    return asdict(sheet) | {
        "payers": [asdict(row) for row in payers],
        "catalogue": [code_values(row, texts) for row in catalogue().values()],
    }


def code_text(row: Code, texts: Mapping[str, str] | None = None) -> str:
    """Explain one row of the catalogue."""
    lines = [
        f"{row.code}  {row.kind.value}; card: {row.verdict.value}",
        *_wrapped(row.meaning, "  "),
    ]
    if texts and row.code in texts:
        lines += _wrapped(f"licensee's text: {texts[row.code]}", "  ")
    if row.instead:
        lines.append(f"  instead: {', '.join(row.instead)}")
    for fact in row.facts:
        lines += _wrapped(f"- [{fact.status.value}] {fact.says}", "  ")
        lines += _wrapped(f"source: {fact.source}; entered {fact.entered}", "      ")
    return "\n".join(lines) + "\n"


def catalogue_text() -> str:
    """List the catalogue, one line per row."""
    lines = []
    for row in catalogue().values():
        sure = "" if row.is_sure else "  (holds facts to be confirmed or not found)"
        instead = f" Instead: {', '.join(row.instead)}." if row.instead else ""
        lines.append(
            f"{row.code:11} {row.kind.value:10} {row.verdict.value:14} {row.meaning}{instead}{sure}"
        )
    return "\n".join(lines) + "\n"


def worksheet_text(
    sheet: Worksheet, payers: tuple[PayerRow, ...] = (), texts: Mapping[str, str] | None = None
) -> str:
    """Lay the worksheet out as text."""
    lines = ["CODING WORKSHEET", *_wrapped(sheet.standing), *sheet.statements, ""]
    lines += [f"SERVICE  {sheet.service.code or 'undecided'} ({sheet.service.basis.value})"]
    lines += _wrapped(sheet.service.reason, "  ")
    lines += [line for fact in _service_facts(sheet) for line in _fact_lines(fact)]
    groups = {
        "MODIFIERS": sheet.modifiers,
        "DIAGNOSES": sheet.diagnoses,
        "OTHER CODES": sheet.related,
    }
    groups["SIGNER'S TAXONOMY"] = (sheet.taxonomy,) if sheet.taxonomy else ()
    for title, codes in groups.items():
        if codes:
            lines += ["", title, *(line for one in codes for line in _code_lines(one, texts or {}))]
    lines += ["", "POINTS"]
    for issue in sheet.issues:
        lines += _wrapped(f"[{issue.level.value}] {issue.says}", "  ")
    lines += ["", "DOCUMENTATION", *_checklist_lines(sheet), "", "PAYERS", *_payer_lines(payers)]
    return "\n".join(lines) + "\n"


def worksheet_html(
    sheet: Worksheet, payers: tuple[PayerRow, ...] = (), texts: Mapping[str, str] | None = None
) -> str:
    """Lay the worksheet out as one self-contained HTML page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("qct.coding", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("worksheet.html.j2").render(
        sheet=sheet,
        payers=payers,
        texts=texts or {},
        rows=catalogue().values(),
        service_facts=_service_facts(sheet),
        no_payers=words("standing.no_payers"),
    )


def _code_lines(one: CodeAdvice, texts: Mapping[str, str]) -> Iterator[str]:
    meaning = one.row.meaning if one.row else "unknown to this catalogue, not judged"
    verdict = f" [card: {one.row.verdict.value}]" if one.row else ""
    yield from _wrapped(f"{one.code:8} {meaning}{verdict}", "  ")
    if one.code in texts:
        yield from _wrapped(f"licensee's text: {texts[one.code]}", "      ")
    if one.reason:
        yield from _wrapped(f"reason: {one.reason}", "      ")
    for label, state in one.evidence:
        yield f"      evidence {state.value}: {label}"
    for fact in one.row.facts if one.row else ():
        yield from _fact_lines(fact)


def _service_facts(sheet: Worksheet) -> tuple[Fact, ...]:
    """Facts of the proposed service."""
    return catalogue()[sheet.service.code].facts if sheet.service.code else ()


def _fact_lines(fact: Fact) -> list[str]:
    return _wrapped(f"[{fact.status.value}] {fact.says}", "      ")


def _checklist_lines(sheet: Worksheet) -> Iterator[str]:
    group = ""
    for one in sheet.checklist:
        if one.group != group:
            group = one.group
            yield f"  {group}"
        mark = {State.FOUND: "x", State.MISSING: " ", State.NOT_NEEDED: "-"}[one.state]
        shown = one.value or one.state.value
        yield from _wrapped(f"[{mark}] {one.label}: {shown}", "    ")


def _payer_lines(payers: tuple[PayerRow, ...]) -> Iterator[str]:
    if not payers:
        yield from _wrapped(words("standing.no_payers"), "  ")
    for row in payers:
        says = f"{row.payer} {row.code}: {row.requirement} (source {row.source}, {row.checked})"
        yield from _wrapped(says, "  ")


def _wrapped(text: str, indent: str = "") -> list[str]:
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}    ")
