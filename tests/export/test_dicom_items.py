"""Items encoded by us are those that pydicom writes, byte by byte, and are read back as they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_sequence
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code

from qct.export.dicom_codes import code_item
from qct.export.dicom_items import encoded_items, set_encoded

CODES = st.sampled_from([Code(str(n % 2), "99QCT", "code"[: 1 + n]) for n in range(4)])
TEXTS = st.text("aé\\ß^ \n", max_size=5).map(str.rstrip)  # spaces at the end are not read back
NUMBERS = st.lists(st.decimals(-99, 99, places=2).map(str), min_size=1, max_size=3)


@st.composite
def trees(draw, depth=2):
    """Items with codes, texts, numbers and items; some of them stand in several places."""
    known = []
    for _ in range(draw(st.integers(1, 2))):
        item = Dataset()
        item.ConceptNameCodeSequence = [code_item(draw(CODES))]
        item.TextValue = draw(TEXTS)
        item.UID = draw(st.sampled_from(["", "1.2", "1.23"]))
        if draw(st.booleans()):
            item.NumericValue = draw(NUMBERS)
        if draw(st.booleans()):
            item.ReferencedSegmentNumber = draw(st.lists(st.integers(0, 65535), max_size=2))
        if depth:
            item.ContentSequence = draw(trees(depth=depth - 1))
        known.append(item)
    return draw(st.lists(st.sampled_from(known), max_size=3))


def written_by_pydicom(items, charset):
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = False, True
    holder = Dataset()
    holder.ContentSequence = items
    write_sequence(stream, holder["ContentSequence"], charset)
    return stream.getvalue()


@given(items=trees(), charset=st.sampled_from(["ISO_IR 192", "ISO_IR 100"]))
def test_items_are_those_that_pydicom_writes(items, charset):
    ours = encoded_items(items, charset)
    assert ours == written_by_pydicom(items, charset)


@given(items=trees())
def test_items_are_read_back_as_they_were(items):
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    set_encoded(ds, "ContentSequence", encoded_items(items, "ISO_IR 192"))
    assert encoded_items(ds.ContentSequence, "ISO_IR 192") == encoded_items(items, "ISO_IR 192")
    assert len(ds.ContentSequence) == len(items)


def test_one_value_of_two_representations_is_padded_as_each_wants():
    item = Dataset()
    item.CodeValue, item.UID = "1.2", "1.2"
    encoded = encoded_items([item])
    assert b"SH\x04\x001.2 " in encoded
    assert b"UI\x04\x001.2\0" in encoded


def test_no_items_are_no_bytes():
    assert encoded_items(Sequence()) == b""


def test_what_is_ambiguous_is_refused():
    item = Dataset()
    item.add_new("SmallestImagePixelValue", "US or SS", 1)
    with pytest.raises(ValueError, match="ambiguous VR"):
        encoded_items([item])
