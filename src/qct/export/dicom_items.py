"""Items of a sequence as bytes: what the same document says in many places is encoded once.

A structured report is 23,000 elements, most of them the same few hundred codes. pydicom writes each anew: .6 s;
this takes a fifth.
"""

import struct
from collections.abc import Iterable
from typing import Any

from pydicom.charset import default_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.tag import Tag
from pydicom.valuerep import VR

ITEM = b"\xfe\xff\x00\xe0"
"""Begins an item of a sequence (PS3.5 7.5)."""


def as_item(content: bytes | bytearray) -> bytes:
    """Return an item of encoded elements."""
    return ITEM + struct.pack("<L", len(content)) + content


def set_encoded(ds: Dataset, keyword: str, items: bytes) -> None:
    """Set a sequence as it stands in a file of explicit VR, little endian; it is read by who asks for it."""
    tag = Tag(keyword)
    ds[tag] = RawDataElement(tag, VR.SQ, len(items), items, 0, False, True)


def encoded_items(items: Iterable[Dataset], charset: Any = None) -> bytes:
    """Encode items that were made here, in explicit VR, little endian.

    Parameters
    ----------
    items : iterable of Dataset
        No element of them, or of the items in them, is of an ambiguous VR or names a character set.
    charset : str or list of str, optional
        Specific Character Set of the document.
    """
    return _Writer(charset or default_encoding).items(items)


class _Writer:
    """Encodes items, and remembers by object the items, by content the texts, that it has encoded."""

    def __init__(self, charset: Any) -> None:
        self._charset = charset
        self._items: dict[int, bytes] = {}
        self._texts: dict[tuple[int, str, str], bytes] = {}

    def items(self, items: Iterable[Dataset]) -> bytes:
        return b"".join(map(self._item, items))

    def _item(self, one: Dataset) -> bytes:
        if id(one) not in self._items:
            self._items[id(one)] = as_item(b"".join(map(self._element, one)))
        return self._items[id(one)]

    def _element(self, element: Any) -> bytes:
        if element.VR == VR.SQ:
            items = self.items(element.value)
            tag = struct.pack("<HH", element.tag.group, element.tag.element)
            return tag + b"SQ\0\0" + struct.pack("<L", len(items)) + items
        if not isinstance(element.value, str):
            return self._written(element)
        key = element.tag, element.VR, element.value
        if key not in self._texts:
            self._texts[key] = self._written(element)
        return self._texts[key]

    def _written(self, element: DataElement) -> bytes:
        stream = DicomBytesIO()
        stream.is_implicit_VR, stream.is_little_endian = False, True
        write_data_element(stream, element, self._charset)
        return bytes(stream.getvalue())
