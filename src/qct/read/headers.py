"""What one image says about itself: the header of a slice, or of one frame of a multi-frame image.

Numbers are taken from the raw bytes of the elements: a study has thousands of slices, and converting
every element of every slice would take longer than measuring the scan.
"""

import math
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.tag import Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

HEADER_ERRORS = (
    BytesLengthException,
    InvalidDicomError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom raises on damaged bytes."""

FACT_KEYWORDS = (
    "PatientName PatientID PatientBirthDate PatientSex PatientAge PatientSize PatientWeight "
    "StudyID AccessionNumber StudyDescription StudyDate StudyTime "
    "ReferringPhysicianName InstitutionName SeriesDescription ProtocolName "
    "BodyPartExamined AcquisitionDate AcquisitionTime SeriesDate SeriesTime "
    "Manufacturer ManufacturerModelName SoftwareVersions KVP Exposure ExposureInuAs ExposureInmAs "
    "CTDIvol ReconstructionAlgorithm PatientPosition "
    "ContrastBolusAgent ContrastBolusAgentSequence ContrastBolusRoute ContrastBolusVolume "
    "ContrastBolusStartTime ContrastBolusTotalDose ContrastBolusIngredient ImageComments "
    "MonoenergeticEnergyEquivalent SpecificCharacterSet "
    "SharedFunctionalGroupsSequence"
)
"""Read from one slice of a series."""

SLICE_KEYWORDS = (
    "PatientID PatientName PatientBirthDate StudyInstanceUID SeriesInstanceUID SeriesNumber "
    "SOPClassUID SOPInstanceUID FrameOfReferenceUID Modality Manufacturer ImageType "
    "AcquisitionNumber AcquisitionTime TemporalPositionIdentifier TriggerTime ContrastBolusAgent "
    "ConvolutionKernel SliceThickness ImagePositionPatient ImageOrientationPatient PixelSpacing "
    "Rows Columns SamplesPerPixel PhotometricInterpretation NumberOfFrames "
    "BitsAllocated BitsStored HighBit PixelRepresentation "
    "RescaleSlope RescaleIntercept RescaleType PixelPaddingValue PixelPaddingRangeLimit "
    "LossyImageCompression MultienergyCTAcquisition "
    "SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence"
)
"""Read from every slice."""

FRAME_KEYWORDS = "FrameType TemporalPositionIndex StackID FrameAcquisitionNumber"
"""Found in functional groups only."""

_SLICE_TAGS = [Tag(keyword) for keyword in SLICE_KEYWORDS.split()]
_FACT_TAGS = [Tag(keyword) for keyword in FACT_KEYWORDS.split()]
_TAGS = {keyword: int(Tag(keyword)) for keyword in f"{SLICE_KEYWORDS} {FRAME_KEYWORDS}".split()}
_PIXEL_DATA = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")

MAX_FRAMES = 20_000
"""More frames than any scanner writes into one image; a damaged header may claim more."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How the pixels of an image are stored (DICOM Image Pixel module)."""

    rows: int
    columns: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    n_frames: int
    transfer_syntax: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One image at one place: a single-frame file, or one frame of a multi-frame file."""

    path: Path
    """Where the bytes are."""
    shown_path: Path
    """What to tell a person."""
    frame: int
    pixels: PixelFormat
    pixel_offset: int | None
    """Where the PixelData element starts in the file; None if there is none or the file is deflated."""
    has_pixels: bool
    patient: tuple[str | None, ...]
    study_uid: str | None
    series_uid: str | None
    sop_class_uid: str | None
    sop_uid: str | None
    frame_of_reference: str | None
    modality: str | None
    image_type: tuple[str, ...]
    acquisition: str | None
    moment: str | None
    """Time or temporal index, to tell phases apart."""
    stack: str | None
    manufacturer: str | None
    kernel: str | None
    thickness_mm: float | None
    position_mm: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    pixel_mm: tuple[float, ...] | None
    """Distance of rows, distance of columns."""
    slope: float | None
    intercept: float | None
    rescale_type: str | None
    padding: tuple[int, int] | None
    """Lowest and highest stored value that mean nothing."""
    has_contrast: bool
    is_lossy: bool
    is_multienergy: bool
    series_number: int | None


class Elements:
    """Elements of one frame: its functional groups first, then the shared ones, then the image's own.

    Parameters
    ----------
    tables : sequence of mapping
        As `by_tag` makes them.
    """

    def __init__(self, tables: Sequence[Mapping[int, Any]]) -> None:
        self._tables = tables

    def texts(self, keyword: str) -> tuple[str, ...]:
        """Return every value of an element as text; empty if it is absent or empty."""
        tag = _TAGS[keyword]
        for table in self._tables:
            if tag in table:
                return _as_texts(table[tag])
        return ()

    def text(self, keyword: str) -> str | None:
        """Return the values of an element as one text."""
        return "\\".join(self.texts(keyword)) or None

    def floats(self, keyword: str, n: int) -> tuple[float, ...] | None:
        """Return exactly `n` finite numbers, or None."""
        try:
            numbers = tuple(float(text) for text in self.texts(keyword))
        except ValueError:
            return None
        return numbers if len(numbers) == n and all(map(math.isfinite, numbers)) else None

    def number(self, keyword: str) -> float | None:
        """Return a single finite number, or None."""
        one = self.floats(keyword, 1)
        return one[0] if one else None

    def integer(self, keyword: str, default: int = 0) -> int:
        """Return a whole number, or the default."""
        one = self.number(keyword)
        return default if one is None else int(one)


def by_tag(dataset: Any) -> dict[int, Any]:
    """Return the elements of a data set as they were read, by plain numbers: these are found fast."""
    return {int(tag): element for tag, element in dataset.items()}


@dataclass(frozen=True, slots=True)
class _Place:
    """What is known of a file before its elements are."""

    path: Path
    shown_path: Path
    pixel_offset: int | None
    has_pixels: bool
    sop_class_uid: str | None


def has_meta(dataset: Any) -> bool:
    """Tell whether a data set came with file meta information."""
    return getattr(dataset, "file_meta", None) is not None


def read_slices(path: Path, shown_path: Path) -> tuple[Slice, ...]:
    """Read one file up to its pixels.

    Raises
    ------
    One of `HEADER_ERRORS`
        If the file is no DICOM file, or is damaged before its pixels.
    """
    with path.open("rb") as file:
        dataset = _read(file, _SLICE_TAGS)
        offset = file.tell()
        has_pixels = file.read(4) in _PIXEL_DATA
        syntax = _transfer_syntax(dataset)
        if syntax == DeflatedExplicitVRLittleEndian:
            offset, has_pixels = -1, True
        sop_class = dataset.file_meta.get("MediaStorageSOPClassUID") if has_meta(dataset) else None
        place = _Place(
            path,
            shown_path,
            offset if offset >= 0 else None,
            has_pixels,
            str(sop_class or "") or None,
        )
        return tuple(_slices(dataset, syntax, place))


def read_facts(path: Path) -> Any:
    """Read the elements of one file that are the same in a whole series, as a `pydicom.Dataset`.

    What a multi-frame image says of all its frames stands beside what it says of itself.

    Raises
    ------
    One of `HEADER_ERRORS`
        If the file has become unreadable.
    """
    with path.open("rb") as file:
        dataset = _read(file, _FACT_TAGS)
    for group in flat_groups(dataset.get("SharedFunctionalGroupsSequence") or ()):
        for element in group:
            if element.tag not in dataset:
                dataset.add(element)
    return dataset


def _read(file: BinaryIO, tags: list[Any]) -> Any:
    start = file.read(132)
    file.seek(0)
    # Without a preamble, DICOM still starts with a low group number (old archives, C-STORE dumps).
    may_lack_preamble = start[:4] in (b"\x08\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00")
    may_lack_preamble |= start[:2] == b"\x02\x00"
    if start[128:132] != b"DICM" and not may_lack_preamble:
        raise InvalidDicomError
    return pydicom.dcmread(
        file, stop_before_pixels=True, force=may_lack_preamble, specific_tags=tags
    )


def _transfer_syntax(dataset: Any) -> UID:
    """Return the declared transfer syntax, or the one that the bytes turned out to have."""
    declared = dataset.file_meta.get("TransferSyntaxUID") if has_meta(dataset) else None
    if declared:
        return UID(str(declared))
    implicit, little = dataset.original_encoding
    if implicit:
        return pydicom.uid.ImplicitVRLittleEndian
    return pydicom.uid.ExplicitVRLittleEndian if little else pydicom.uid.ExplicitVRBigEndian


def _slices(dataset: Any, syntax: UID, place: _Place) -> Iterator[Slice]:
    """Make one `Slice` per frame that says something of itself; one for an image without functional groups."""
    shared = flat_groups(dataset.get("SharedFunctionalGroupsSequence") or ())
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    common = [by_tag(one) for one in (*shared, dataset)]
    n_frames = min(Elements(common[-1:]).integer("NumberOfFrames", 1), len(groups), MAX_FRAMES)
    for frame in range(max(1, n_frames)):
        own = map(by_tag, flat_groups(groups[frame : frame + 1]))
        yield _slice(Elements([*own, *common]), frame, syntax, place)


def flat_groups(groups: Sequence[Any]) -> list[Any]:
    """List the items of all functional groups of one frame; each group has a single item."""
    if not groups:
        return []
    return [element.value[0] for element in groups[0] if element.VR == "SQ" and element.value]


def _slice(elements: Elements, frame: int, syntax: UID, place: _Place) -> Slice:
    pixels = _pixel_format(elements, syntax)
    return Slice(
        path=place.path,
        shown_path=place.shown_path,
        frame=frame,
        pixels=pixels,
        pixel_offset=place.pixel_offset,
        has_pixels=place.has_pixels,
        patient=_identity(elements),
        study_uid=elements.text("StudyInstanceUID"),
        series_uid=elements.text("SeriesInstanceUID"),
        sop_class_uid=elements.text("SOPClassUID") or place.sop_class_uid,
        sop_uid=elements.text("SOPInstanceUID"),
        frame_of_reference=elements.text("FrameOfReferenceUID"),
        modality=elements.text("Modality"),
        image_type=elements.texts("FrameType") or elements.texts("ImageType"),
        acquisition=elements.text("FrameAcquisitionNumber") or elements.text("AcquisitionNumber"),
        moment=_moment(elements),
        stack=elements.text("StackID"),
        manufacturer=elements.text("Manufacturer"),
        kernel=elements.text("ConvolutionKernel"),
        thickness_mm=elements.number("SliceThickness"),
        position_mm=elements.floats("ImagePositionPatient", 3),
        orientation=elements.floats("ImageOrientationPatient", 6),
        pixel_mm=elements.floats("PixelSpacing", 2),
        slope=elements.number("RescaleSlope"),
        intercept=elements.number("RescaleIntercept"),
        rescale_type=elements.text("RescaleType"),
        padding=_padding(elements, pixels),
        has_contrast=bool(elements.text("ContrastBolusAgent")),
        is_lossy=elements.text("LossyImageCompression") == "01",
        is_multienergy=elements.text("MultienergyCTAcquisition") == "YES",
        series_number=_whole(elements.number("SeriesNumber")),
    )


def _identity(elements: Elements) -> tuple[str | None, ...]:
    """Return what tells patients apart: the identifier, or else name and birth date."""
    patient_id = elements.text("PatientID")
    if patient_id:
        return (patient_id,)
    return (None, elements.text("PatientName"), elements.text("PatientBirthDate"))


def _moment(elements: Elements) -> str | None:
    index = elements.text("TemporalPositionIndex") or elements.text("TemporalPositionIdentifier")
    return index or elements.text("TriggerTime") or elements.text("AcquisitionTime")


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _pixel_format(elements: Elements, syntax: UID) -> PixelFormat:
    allocated = elements.integer("BitsAllocated", 16)
    stored = elements.integer("BitsStored", allocated)
    return PixelFormat(
        rows=elements.integer("Rows"),
        columns=elements.integer("Columns"),
        samples=elements.integer("SamplesPerPixel", 1),
        photometric=elements.text("PhotometricInterpretation") or "",
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=elements.integer("HighBit", stored - 1),
        is_signed=elements.integer("PixelRepresentation") == 1,
        n_frames=max(1, elements.integer("NumberOfFrames", 1)),
        transfer_syntax=str(syntax),
    )


def _padding(elements: Elements, pixels: PixelFormat) -> tuple[int, int] | None:
    """Return the range of stored values that are padding (DICOM PS3.3 C.7.5.1.1.2)."""
    value = elements.number("PixelPaddingValue")
    if value is None:
        return None
    limit = elements.number("PixelPaddingRangeLimit")
    ends = [_as_stored(int(end), pixels) for end in (value, value if limit is None else limit)]
    return min(ends), max(ends)


def _as_stored(value: int, pixels: PixelFormat) -> int:
    """Mend a padding value that was written with the other sign than the pixels."""
    span = 1 << pixels.bits_allocated
    if pixels.is_signed and value >= span // 2:
        return value - span
    if not pixels.is_signed and value < 0:
        return value + span
    return value


def _as_texts(element: Any) -> tuple[str, ...]:
    value = element.value
    if value is None:
        return ()
    if not isinstance(value, bytes):
        many = value if hasattr(value, "__iter__") and not isinstance(value, str) else (value,)
        return tuple(str(one).strip() for one in many)
    if element.VR in _BINARY:
        return _unpacked(value, _BINARY[element.VR], little=element.is_little_endian)
    if element.VR in (None, "UN"):
        return _of_unknown_vr(element, value)
    return _split(value)


def _of_unknown_vr(element: Any, value: bytes) -> tuple[str, ...]:
    """Read an element of implicit VR: binary if its dictionary VR is binary."""
    representation = pydicom.datadict.dictionary_VR(element.tag)
    if representation in _BINARY:
        return _unpacked(value, _BINARY[representation], little=element.is_little_endian)
    return _split(value)


def _split(value: bytes) -> tuple[str, ...]:
    text = value.decode("latin-1").strip(" \0\t\r\n")
    return tuple(part.strip() for part in text.split("\\")) if text else ()


_BINARY = {
    "US": "H",
    "SS": "h",
    "US or SS": "h",
    "UL": "I",
    "SL": "i",
    "FD": "d",
    "FL": "f",
}
"""Binary value representations, as letters of `struct`."""


def _unpacked(value: bytes, letter: str, *, little: bool) -> tuple[str, ...]:
    size = struct.calcsize(letter)
    n = len(value) // size
    numbers = struct.unpack(f"{'<' if little else '>'}{n}{letter}", value[: n * size])
    return tuple(str(number) for number in numbers)
