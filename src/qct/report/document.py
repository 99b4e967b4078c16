"""What a report says, as pure data; how it looks is the business of `html` and `pdf`."""

from dataclasses import dataclass


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
    """A verdict to be seen first: `tone` is ``good``, ``caution`` or ``stop``."""

    tone: str
    title: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text; the first column is left-aligned, the others right-aligned."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    strong: frozenset[int] = frozenset()
    """Rows printed in bold."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A PNG image."""

    name: str
    png: bytes
    caption: str
    width_percent: int = 100


@dataclass(frozen=True, slots=True)
class Blank:
    """Room for a person to write: a label and so many empty lines."""

    label: str
    lines: int


Block = Heading | Paragraph | Bullets | Facts | Box | Table | Figure | Blank


@dataclass(frozen=True, slots=True)
class Document:
    """One report."""

    title: str
    language: str
    banner: str
    footer: str
    identity: str
    """Whose report it is, for every page."""
    blocks: tuple[Block, ...]
