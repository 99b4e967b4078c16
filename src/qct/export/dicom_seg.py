"""Lungs, lobes and airways as a DICOM Segmentation on the slices of the source series.

One binary segment per region; segments overlap (a lung and its lobes), as BINARY allows. Frames without
a voxel are left out. The file is deflated: bit-packed lungs shrink to a fiftieth.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from qct.boxes import box_of
from qct.errors import WriteError
from qct.export.colour import cielab_of
from qct.export.dicom_codes import (
    ABNORMAL,
    AIRLESS,
    AIRLESS_COLOUR,
    ALGORITHM_FAMILY,
    ANATOMY,
    code_item,
    side_code,
    structure_code,
)
from qct.export.dicom_instance import (
    RESEARCH_USE,
    Stamp,
    as_file,
    encoded,
    new_instance,
    reference,
    referenced_series,
)
from qct.export.dicom_items import as_item, set_encoded
from qct.export.dicom_source import Source, as_stored
from qct.findings import Analysis
from qct.regions import AIRWAY, DENSE, LEFT_LUNG, LOBES, N_LABELS, RIGHT_LUNG, Label, Region

SEGMENTATION_CLASS = "1.2.840.10008.5.1.4.1.1.66.4"

LABELS_FOR = (RIGHT_LUNG, LEFT_LUNG, *LOBES, AIRWAY)
"""Regions that become segments, in this order, if they have a voxel."""

Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: what it is, and which label numbers belong to it.

    Attributes
    ----------
    key : str
        Region key, or ``airless``; tracking identifiers are made from it.
    numbers : tuple of int
        Label numbers, airless twins included.
    """

    key: str
    name: str
    category: Code
    structure: Code
    side: Code | None
    numbers: tuple[int, ...]
    colour: str


def segments_of(by_slice: npt.NDArray[np.bool_]) -> tuple[Segment, ...]:
    """Choose the segments that have at least one voxel; `by_slice` as from `_numbers_by_slice`."""
    there = np.logical_or.reduce(by_slice, axis=0)
    segments = [_of_region(region) for region in LABELS_FOR]
    airless = tuple(int(label) + DENSE for label in Label if label)
    segments.append(
        Segment("airless", "Airless lung", ABNORMAL, AIRLESS, None, airless, AIRLESS_COLOUR)
    )
    return tuple(one for one in segments if there[list(one.numbers)].any())


def tracking_uid(stamp: Stamp, key: str) -> UID:
    """Tracking UID of a region, the same in the segmentation and in the structured report."""
    return stamp.uid("tracking", key)


@dataclass(frozen=True, slots=True)
class Frames:
    """What takes long in a segmentation, and is known as soon as there are labels.

    Attributes
    ----------
    segments : tuple of Segment
    elements : Dataset
        The elements of the segmentation that follow from labels and source alone.
    """

    segments: tuple[Segment, ...]
    elements: Dataset


def frames_of(labels: Labels, source: Source) -> Frames:
    """Make pixels and functional groups of the labels of a scan.

    Raises
    ------
    WriteError
        If there is nothing to write: no voxel has a label.
    """
    by_slice = _numbers_by_slice(labels)
    segments = segments_of(by_slice)
    if not segments:
        raise WriteError("no region was found, so there is no segmentation to write")
    elements = Dataset()
    elements.ReferencedSeriesSequence = referenced_series(source)
    belongs = _belonging(segments)
    _set_frames(elements, labels, belongs, _presence(by_slice, belongs), source)
    return Frames(segments, elements)


def segmentation(
    analysis: Analysis, source: Source, stamp: Stamp, frames: Frames | None = None
) -> Dataset:
    """Make the Segmentation object of one analysis.

    Parameters
    ----------
    frames : Frames, optional
        What `frames_of` made of the labels of the analysis, if that is done already.

    Raises
    ------
    WriteError
        As `frames_of`.
    """
    frames = frames or frames_of(analysis.segmentation.labels, source)
    ds = new_instance(source, stamp, "seg", SEGMENTATION_CLASS)
    ds.Modality = "SEG"
    ds.SeriesDescription = "Lung, lobe and airway segmentation (qct)"
    ds.ContentLabel = "LUNG_LOBES"
    ds.ContentDescription = RESEARCH_USE
    ds.ContentCreatorName = None
    ds.FrameOfReferenceUID = source.first.FrameOfReferenceUID
    ds.PositionReferenceIndicator = source.first.get("PositionReferenceIndicator")
    ds.SegmentSequence = [
        _segment_item(number, one, analysis, stamp)
        for number, one in enumerate(frames.segments, start=1)
    ]
    ds.update(frames.elements)
    set_dimensions(ds, stamp.uid("seg", "dimensions"))
    return ds


def segmentation_file(ds: Dataset) -> bytes:
    """Write a segmentation, deflated."""
    return as_file(ds, DeflatedExplicitVRLittleEndian)


def _of_region(region: Region) -> Segment:
    numbers = tuple(int(label) for label in region.labels)
    return Segment(
        region.key,
        region.name,
        ANATOMY,
        structure_code(region),
        side_code(region),
        numbers + tuple(number + DENSE for number in numbers),
        region.colour,
    )


def _segment_item(number: int, one: Segment, analysis: Analysis, stamp: Stamp) -> Dataset:
    item = Dataset()
    item.SegmentNumber = number
    item.SegmentLabel = one.name
    item.SegmentAlgorithmType = "AUTOMATIC"
    item.SegmentAlgorithmName = "qct"
    item.SegmentedPropertyCategoryCodeSequence = [code_item(one.category)]
    property_type = code_item(one.structure)
    if one.side is not None:
        property_type.SegmentedPropertyTypeModifierCodeSequence = [code_item(one.side)]
    item.SegmentedPropertyTypeCodeSequence = [property_type]
    item.SegmentationAlgorithmIdentificationSequence = [_algorithm(analysis, stamp)]
    item.RecommendedDisplayCIELabValue = list(cielab_of(one.colour))
    item.TrackingID = f"qct {one.key}"
    item.TrackingUID = tracking_uid(stamp, one.key)
    return item


def _algorithm(analysis: Analysis, stamp: Stamp) -> Dataset:
    item = Dataset()
    item.AlgorithmFamilyCodeSequence = [code_item(ALGORITHM_FAMILY)]
    item.AlgorithmName = "qct"
    item.AlgorithmVersion = stamp.version
    item.AlgorithmParameters = f"segmenter={analysis.options.segmenter}"
    item.AlgorithmSource = "qct"
    return item


def _set_frames(
    ds: Dataset,
    labels: Labels,
    belongs: npt.NDArray[np.bool_],
    has: npt.NDArray[np.bool_],
    source: Source,
) -> None:
    """Set pixels and functional groups; (segments, label numbers) and (segments, slices) say what is where."""
    places = Places(source)
    parts: list[list[npt.NDArray[Any]]] = [[] for _ in belongs]
    box = _footprint(labels)
    for z in np.flatnonzero(has.any(axis=0)):
        plane = np.zeros(labels.shape[1:], np.uint16)
        plane[box] = _members(labels[z][box], belongs)
        stored = as_stored(plane, source.stored_axes).ravel()
        for number in np.flatnonzero(has[:, z]):
            bits = (stored & (1 << int(number))) != 0
            parts[number].append(bits if bits.size % 8 else _packed(bits))
    frames = [Frame(int(z), int(z) + 1, int(n) + 1) for n, z in np.argwhere(has)]
    rows, columns = as_stored(labels[0], source.stored_axes).shape
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.NumberOfFrames, ds.Rows, ds.Columns = len(frames), rows, columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 1, 1, 0, 0
    ds.LossyImageCompression = "01" if analysis_is_lossy(source) else "00"
    if ds.LossyImageCompression == "01":
        _copy_lossy(ds, source)
    ds.SegmentationType = "BINARY"
    ds.SharedFunctionalGroupsSequence = [places.shared()]
    places.set_frames(ds, frames)
    ds.PixelData = _joined([part for of_one in parts for part in of_one])


def analysis_is_lossy(source: Source) -> bool:
    """Whether the source pixels went through lossy compression."""
    return bool(source.first.get("LossyImageCompression") == "01")


def _copy_lossy(ds: Dataset, source: Source) -> None:
    for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if keyword in source.first:
            ds[keyword] = source.first[keyword]


def _belonging(segments: tuple[Segment, ...]) -> npt.NDArray[np.bool_]:
    """Return (segments, label numbers): whether a label number belongs to a segment."""
    table = np.zeros((len(segments), N_LABELS), np.bool_)
    for row, one in zip(table, segments, strict=True):
        row[list(one.numbers)] = True
    return table


def _members(plane: Labels, belongs: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint16]:
    """Return a plane in which bit k says whether the voxel belongs to segment k."""
    table = (belongs.astype(np.uint16) << np.arange(len(belongs), dtype=np.uint16)[:, None]).sum(
        axis=0, dtype=np.uint16
    )
    return np.take(table, plane)


def _footprint(labels: Labels) -> tuple[slice, slice]:
    """Return the rows and columns outside which no slice has a label."""
    _, rows, columns = box_of(labels) or (slice(0),) * 3
    return rows, columns


def _presence(
    by_slice: npt.NDArray[np.bool_], belongs: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Return (segments, slices): whether a segment has a voxel in a slice."""
    return (belongs.astype(np.int32) @ by_slice.T.astype(np.int32)) > 0


def _numbers_by_slice(labels: Labels) -> npt.NDArray[np.bool_]:
    """Return (slices, label numbers): whether a number stands in a slice; 0 may be passed over."""
    seen = np.zeros((len(labels), N_LABELS), np.bool_)
    rows, columns = _footprint(labels)
    for row, plane in zip(seen, labels[:, rows, columns], strict=True):
        row[plane] = True
    return seen


def _packed(bits: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    return np.packbits(bits, bitorder="little")


def _joined(parts: list[npt.NDArray[Any]]) -> bytes:
    """Join frames without a gap (PS3.5 8.1.1); they are packed already where each is whole bytes."""
    is_packed = parts[0].dtype == np.uint8
    pixels = (
        b"".join(part.data for part in parts)
        if is_packed
        else _packed(np.concatenate(parts)).tobytes()
    )
    return pixels + b"\0" * (len(pixels) % 2)


def set_dimensions(ds: Dataset, uid: str, *, by_segment: bool = True) -> None:
    """Say what the frames are sorted by: segment (if there are any) and position."""
    organization = Dataset()
    organization.DimensionOrganizationUID = uid
    ds.DimensionOrganizationSequence = [organization]
    segment = [_dimension(uid, 0x0062000B, 0x0062000A, "Segment")] if by_segment else []
    ds.DimensionIndexSequence = [*segment, _dimension(uid, 0x00200032, 0x00209113, "Position")]


def _dimension(uid: str, pointer: int, group: int, label: str) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = uid
    item.DimensionIndexPointer = pointer
    item.FunctionalGroupPointer = group
    item.DimensionDescriptionLabel = label
    return item


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a frame lies: its slice, the number of its position, and of its segment if there are any."""

    z: int
    position: int
    segment: int | None = None


class Places:
    """Functional groups of frames on the slices of the source."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def shared(self) -> Dataset:
        """Orientation and spacing."""
        orientation, measures, shared = Dataset(), Dataset(), Dataset()
        orientation.ImageOrientationPatient = self._source.orientation()
        measures.PixelSpacing = self._source.pixel_spacing()
        measures.SliceThickness = self._source.slice_thickness() or _distance(self._source)
        measures.SpacingBetweenSlices = _distance(self._source)
        shared.PlaneOrientationSequence = [orientation]
        shared.PixelMeasuresSequence = [measures]
        return shared

    def set_frames(self, ds: Dataset, frames: Sequence[Frame]) -> None:
        """Set the groups of every frame.

        They are set as they stand in the file: what frames have in common is encoded once, in the order of
        its tags, and read again only by who asks for it. Encoding 1600 frames one by one takes pydicom a
        second, this a twentieth of it.
        """
        slices = {frame.z for frame in frames}
        derivations = self._derivations(slices)
        positions = {z: _group("PlanePositionSequence", self._position(z)) for z in slices}
        numbers = {frame.segment for frame in frames}
        segments = {number: _segment_identification(number) for number in numbers}
        content = _content_maker(2 if frames[0].segment is not None else 1)
        items = bytearray()
        for frame in frames:
            at = [frame.position] if frame.segment is None else [frame.segment, frame.position]
            group = (
                derivations[frame.z] + content(at) + positions[frame.z] + segments[frame.segment]
            )
            items += as_item(group)
        set_encoded(ds, "PerFrameFunctionalGroupsSequence", bytes(items))

    def _position(self, z: int) -> Dataset:
        position = Dataset()
        position.ImagePositionPatient = self._source.position(z)
        return position

    def _derivations(self, slices: Iterable[int]) -> dict[int, bytes]:
        """Encode what slices came from: with one class and a name as long, only the name is another."""
        derivations: dict[int, bytes] = {}
        known: dict[tuple[str, int], tuple[bytes, bytes]] = {}
        for z in slices:
            image = self._source.headers[z]
            name, is_alone = str(image.SOPInstanceUID).encode(), not self._source.is_multi_frame
            alike = str(image.SOPClassUID), len(name)
            if is_alone and alike in known:
                other, group = known[alike]
                derivations[z] = group.replace(other, name)
                continue
            derivations[z] = _group("DerivationImageSequence", self._derivation(z))
            if derivations[z].count(name) == 1:
                known[alike] = name, derivations[z]
        return derivations

    def _derivation(self, z: int) -> Dataset:
        image = reference(self._source.headers[z])
        if self._source.is_multi_frame:
            image.ReferencedFrameNumber = self._source.frames[z] + 1
        image.PurposeOfReferenceCodeSequence = [
            code_item(Code("121322", "DCM", "Source Image for Image Processing Operation"))
        ]
        item = Dataset()
        item.DerivationCodeSequence = [code_item(Code("113076", "DCM", "Segmentation"))]
        item.SourceImageSequence = [image]
        return item


def _group(keyword: str, item: Dataset) -> bytes:
    """Encode one functional group."""
    groups = Dataset()
    setattr(groups, keyword, [item])
    return encoded(groups)


def _segment_identification(number: int | None) -> bytes:
    if number is None:
        return b""
    identity = Dataset()
    identity.ReferencedSegmentNumber = number
    return _group("SegmentIdentificationSequence", identity)


def _content_maker(n_indices: int) -> Callable[[Sequence[int]], bytes]:
    """Return what encodes the frame content of given dimension indices: the last that it holds."""
    content = Dataset()
    content.DimensionIndexValues = [0] * n_indices
    values = struct.Struct(f"<{n_indices}L")
    start = _group("FrameContentSequence", content)[: -values.size]
    return lambda indices: start + values.pack(*indices)


def _distance(source: Source) -> str:
    """Distance of slices at right angles, mm, as a decimal string."""
    x, y = np.array(source.orientation(), np.float64).reshape(2, 3)
    ends = [np.array(source.position(z), np.float64) for z in (0, len(source.headers) - 1)]
    across = abs(float((ends[1] - ends[0]) @ np.cross(x, y)))
    return f"{across / max(1, len(source.headers) - 1):.6g}"
