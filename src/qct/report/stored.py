"""A `Document` as JSON and back, so that a report can be set again after the scan is gone.

Pictures stand once in a result folder, in the HTML page; the JSON names them by their SHA-256.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from qct.report import document as nouns
from qct.report.document import Block, Document, Drafted, Slot
from qct.report.html import pictures_of
from qct.signature import digest_of

KINDS: Mapping[str, type] = {
    kind.__name__: kind
    for kind in (
        nouns.Heading,
        nouns.Paragraph,
        nouns.Bullets,
        nouns.Facts,
        nouns.Box,
        nouns.Table,
        nouns.Figure,
        nouns.Blank,
        nouns.NewPage,
        nouns.Slot,
    )
}
"""Every kind of block by the name under which it is stored."""


def document_json(document: Document) -> bytes:
    """Return the document as JSON (UTF-8); of a picture only its SHA-256."""
    record = {one.name: _plain(getattr(document, one.name)) for one in fields(Document)}
    return (json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode()


def document_from(content: bytes, page: bytes | None = None) -> Document:
    """Read back what `document_json` made.

    Parameters
    ----------
    content : bytes
    page : bytes, optional
        What `write_html` made of the same document, signed or not: has the pictures. Without it they are empty.

    Raises
    ------
    ValueError
        If it is not the JSON of a document of this version, or a picture is not in the page.
    """
    pictures = None if page is None else {digest_of(one): one for one in pictures_of(page)}
    try:
        record = json.loads(content)
        blocks = tuple(_block(one, pictures) for one in record.pop("blocks"))
        statements = tuple(Drafted(**one) for one in record.pop("statements"))
        return Document(blocks=blocks, statements=statements, **record)
    except (KeyError, TypeError, AttributeError) as error:
        msg = "the stored report does not have the layout of this version, or its page lacks a picture"
        raise ValueError(msg) from error


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return digest_of(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, str | int | None):
        return value
    kind = {"kind": type(value).__name__} if type(value).__name__ in KINDS else {}
    return kind | {one.name: _plain(getattr(value, one.name)) for one in fields(value)}


def _block(record: dict[str, Any], pictures: Mapping[str, bytes] | None) -> Block:
    kind = KINDS[record.pop("kind")]
    if kind is Slot:
        return Slot(record["name"], tuple(_block(one, pictures) for one in record["blocks"]))  # type: ignore[misc]
    values = {key: _frozen(value) for key, value in record.items()}
    for name in ("strong", "words"):
        if name in values:
            values[name] = frozenset(values[name])
    if "png" in values:
        values["png"] = b"" if pictures is None else pictures[values["png"]]
    block: Block = kind(**values)
    return block


def _frozen(value: Any) -> Any:
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value
