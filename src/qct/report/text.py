"""A `Document` as plain text, for reporting systems that take no other."""

from textwrap import fill, indent

from qct.report.document import (
    Blank,
    Box,
    Bullets,
    Document,
    Facts,
    Figure,
    Heading,
    Paragraph,
    Plain,
    Table,
)

WIDTH = 96
"""Characters to a line of running text; a table may be wider."""


def write_text(document: Document) -> bytes:
    """Return the file (UTF-8): every word and number of the report, without its pictures."""
    head = [document.title.upper(), document.banner, document.identity]
    parts = ["\n".join(fill(line, WIDTH) for line in head if line)]
    parts += [text for text in map(_block, document.flat()) if text]
    parts.append(fill(document.footer, WIDTH))
    return ("\n\n".join(parts) + "\n").encode()


def _block(block: Plain) -> str:
    match block:
        case Heading(text):
            return f"{text.upper()}\n{'-' * len(text)}"
        case Paragraph(text):
            return fill(text, WIDTH)
        case Bullets(items):
            return _listed(items)
        case Facts(rows):
            widest = max((len(name) for name, _ in rows), default=0)
            return "\n".join(f"{name + ':':{widest + 2}}{value}" for name, value in rows)
        case Box():
            return "\n".join(
                part for part in (block.title, _listed(block.items), block.note) if part
            )
        case Table():
            return _table(block)
        case Figure(caption=caption):
            return fill(f"[{caption}]", WIDTH)
        case Blank(label, lines):
            return f"{label}:" + "\n" * lines
        case _:
            return ""


def _listed(items: tuple[str, ...]) -> str:
    return "\n".join(indent(fill(item, WIDTH - 2), "  ").replace("  ", "- ", 1) for item in items)


def _table(table: Table) -> str:
    rows = (table.header, *table.rows)
    widths = [max(len(row[x]) for row in rows) for x in range(len(table.header))]
    lines = []
    for row in rows:
        cells = (
            cell.ljust(width) if x == 0 or x in table.words else cell.rjust(width)
            for x, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    notes = (fill(line, WIDTH) for line in table.note.splitlines())
    return "\n".join([*lines, *notes])
