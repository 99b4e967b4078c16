"""What a report says, as pure data; how it looks is the business of `html`, `pdf` and `text`."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

PAPERS = ("a4", "letter")
"""Sizes a report is set for."""


@dataclass(frozen=True, slots=True)
class Heading:
    """Start of a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Named values, shown in two columns."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Box:
    """Something to be seen first: `tone` is ``good``, ``caution``, ``stop``, ``draft`` or ``signed``."""

    tone: str
    title: str
    items: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text; the first column is left-aligned, the others right-aligned unless they are words."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    strong: frozenset[int] = frozenset()
    """Rows printed in bold."""
    words: frozenset[int] = frozenset()
    """Columns that hold words, not numbers."""
    name: str = ""
    """What it is about, for who cannot see it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A PNG image."""

    name: str
    png: bytes
    caption: str
    width_percent: int = 100
    alternative: str = ""
    """What it shows, for who cannot see it; the caption if empty."""
    least_percent: int = 70
    """What a page with too little room may make of its width before it goes to the next."""


@dataclass(frozen=True, slots=True)
class Blank:
    """Room for a person to write: a label and so many empty lines."""

    label: str
    lines: int


@dataclass(frozen=True, slots=True)
class NewPage:
    """What follows starts on a new page of paper; with `ends`, only if the page of that number is not full."""

    ends: int = 0


Plain = Heading | Paragraph | Bullets | Facts | Box | Table | Figure | Blank | NewPage


@dataclass(frozen=True, slots=True)
class Slot:
    """A place whose blocks a signature replaces; it stays on one page."""

    name: str
    blocks: tuple[Plain, ...]


Block = Plain | Slot


@dataclass(frozen=True, slots=True)
class Drafted:
    """One drafted statement: the name of its rule, its words, and the end of them that speaks of doubts."""

    key: str
    text: str
    caveat: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One report."""

    title: str
    language: str
    paper: str
    """One of `PAPERS`."""
    dated: str
    """Day of the content (ISO 8601): of the CT for a draft, of the signature; empty if it is not known."""
    banner: str
    watermark: str
    """Across every page; empty once it is signed."""
    footer: str
    identity: str
    """Whose report it is, for every page."""
    blocks: tuple[Block, ...]
    statements: tuple[Drafted, ...] = ()
    """What may be taken over when it is signed."""

    def flat(self) -> Iterator[Plain]:
        """Yield every block in order, those in slots too."""
        for block in self.blocks:
            if isinstance(block, Slot):
                yield from block.blocks
            else:
                yield block

    def filled(self, **slots: tuple[Plain, ...]) -> "Document":
        """Return the document with the blocks of the named slots replaced."""
        blocks = tuple(
            Slot(one.name, slots[one.name]) if isinstance(one, Slot) and one.name in slots else one
            for one in self.blocks
        )
        return replace(self, blocks=blocks)
