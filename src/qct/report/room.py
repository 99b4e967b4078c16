"""How much text the first page has room for, so that its map stays legible: an estimate, in points.

How the page is set is the template's business (``templates/report.typ``). Foreseen here, from numbers of
characters, is only what it will come to, so that a sentence goes to page two before the map gets too small.
Where the estimate is wrong by some lines, the template makes the map smaller, or moves it to page two.
"""

from collections.abc import Sequence
from math import ceil

from qct.report.document import Box, Facts, Plain, Table

ABOVE_MAP = {"a4": 585.0, "letter": 560.0}
"""Points of a page above a map of two thirds of the width: less margins, title, map and its caption."""

LINE, NOTE, ROW = 10.9, 9.6, 14.6
"""Points of a line of running text, of a line of a note, and of a row of a table of one line."""

LINE_CHARACTERS, NOTE_CHARACTERS, FACT_CHARACTERS, CELL_CHARACTERS = 118, 140, 38, 15
"""To a line of running text, of a note, of one of two columns of facts, of a column of a table."""

BOX, TABLE = 47.0, 40.0
"""Points of a box with its title and of a table with its heading, and the distance to what follows."""


def lines(text: str, characters: int = LINE_CHARACTERS) -> int:
    """Return about how many lines a text takes."""
    return max(1, ceil(len(text) / characters))


def height(block: Plain) -> float:
    """Return about how many points a block of the first page takes."""
    match block:
        case Facts(rows):
            pairs = (rows[i : i + 2] for i in range(0, len(rows), 2))
            return LINE * sum(max(lines(v, FACT_CHARACTERS) for _, v in pair) for pair in pairs)
        case Box():
            return BOX + LINE * sum(map(lines, block.items)) + (NOTE if block.note else 0)
        case Table():
            cells = (block.header, *block.rows)
            tall = (max(lines(cell, CELL_CHARACTERS) for cell in row[1:]) for row in cells)
            notes = sum(lines(one, NOTE_CHARACTERS) for one in block.note.splitlines())
            return TABLE + sum(ROW + LINE * (n - 1) for n in tall) + NOTE * notes
        case _:
            return 0.0


def fitting(sentences: Sequence[str], room: float, least: int, most: int) -> int:
    """Return how many of the sentences fit into so many points, between `least` and `most` of them.

    >>> fitting(["a" * 200, "b"], room=25, least=0, most=9)
    1
    """
    count = 0
    for sentence in sentences[:most]:
        room -= LINE * lines(sentence)
        if room < 0 and count >= least:
            break
        count += 1
    return count
