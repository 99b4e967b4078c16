"""Regions that another program drew, or that a person has edited: read onto the grid of the scan.

DICOM Segmentations (binary, fractional, label map) are placed by the positions of their frames and mapped
by their codes and sides, then by the names of their segments. NIfTI, NRRD and MetaImage label maps are
placed by their geometry and mapped by names where the file has them (3D Slicer), else by the numbers of
`qct.regions.label_names`. Nothing is resampled: labels that do not lie on the voxels of the scan are refused.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from qct.errors import GeometryError, OptionError, ReadError
from qct.findings import Scan, Segmentation
from qct.flags import Flag
from qct.regions import (
    AIRWAY,
    DENSE,
    LEFT_LUNG,
    LOBES,
    RIGHT_LUNG,
    SNOMED_CODES,
    SNOMED_LUNG,
    SNOMED_SIDES,
    Label,
    Side,
    label_names,
)
from qct.segment.airway_names import checked_by_bronchi
from qct.segment.airway_tree import follow_airways
from qct.segment.coverage import coverage
from qct.segment.lungs import outline_flags
from qct.volume import Volume

Labels = npt.NDArray[np.uint8]

SEGMENTATION_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "SEG",
    "1.2.840.10008.5.1.4.1.1.66.7": "LABELMAP",
}

OFF_GRID = 0.25
"""Part of a voxel by which labels may lie off the voxels of the scan."""

AIRWAY_CODES = ("110726009", "89187006", "44567001", "955009")
"""Trachea and bronchus, airway structure, trachea, bronchus (PS3.16 CID 6170 and others)."""

SIDED_CODES = {"44714003": "left_upper_lobe"}
"""Codes that name the side too, as far as PS3.16 lists them."""

LUNG_NUMBERS = {RIGHT_LUNG.key: int(Label.RIGHT_LUNG), LEFT_LUNG.key: int(Label.LEFT_LUNG)}

AIRLESS = "airless"
"""Key of the segment that marks the airless part of lungs."""

LOBE_NUMBERS = {region.key: int(region.labels[0]) for region in LOBES}
NUMBERS = LUNG_NUMBERS | LOBE_NUMBERS | {AIRWAY.key: int(Label.AIRWAY)}
_ORDER = (*LUNG_NUMBERS, *LOBE_NUMBERS, AIRWAY.key, AIRLESS)
"""What comes later is written over what came before."""


def read_labels(path: Path, scan: Scan) -> Labels:
    """Read a label map onto the grid of a scan.

    Parameters
    ----------
    path : Path
        A DICOM Segmentation, or a NIfTI, NRRD or MetaImage label map.
    scan : Scan
        The scan that the labels were drawn on.

    Returns
    -------
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers, plus `DENSE` where lung is marked airless.

    Raises
    ------
    ReadError
        If the file cannot be read, or names no lung.
    GeometryError
        If the labels do not lie on the voxels of the scan.
    """
    if not path.is_file():
        raise ReadError(f"there is no file {path}", hint="Name the segmentation to import.")
    ds = _dicom(path)
    labels = _from_seg(ds, scan) if ds is not None else _from_image(path, scan.volume)
    if not np.isin(labels, [n for key, n in NUMBERS.items() if key != AIRWAY.key]).any():
        raise ReadError(
            f"{path.name} marks no lung and no lobe",
            hint="Name segments like 'Left upper lobe', or code them in SNOMED CT with their side.",
        )
    return labels


def read_mask(path: Path, scan: Scan) -> npt.NDArray[np.bool_]:
    """Read lungs as one mask: any label map that `read_labels` reads, or one number for both lungs.

    Raises
    ------
    ReadError, GeometryError
        As `read_labels`.
    """
    if path.is_file() and _dicom(path) is None:
        image, numbers = _opened(path)
        values = np.unique(numbers)
        if len(values) == 2 and values[0] == 0 and not _slicer_names(image):
            return np.asarray(_laid(image, (numbers > 0).view(np.uint8), scan.volume) > 0)
    labels = read_labels(path, scan)
    return np.asarray((labels > 0) & (labels != Label.AIRWAY))


def import_segmentation(path: Path, scan: Scan) -> Segmentation:
    """Read a label map as the segmentation of a scan; flagged as imported.

    Where it has the trachea, the bronchi are followed from there; the labels stay as they are. What the outline
    itself gives to doubt is flagged, and lungs that the map covers in part only.
    """
    labels = read_labels(path, scan)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    followed = follow_airways(scan.volume, labels)
    figures, doubts = coverage(scan.volume, labels)
    found = Segmentation(
        labels=labels,
        method={"name": "imported", "sha256": digest, **figures},
        region_flags=doubts,
        flags=frozenset({Flag.LABELS_IMPORTED}) | _outline_flags(scan.volume, labels),
        airways=followed[0] if followed else None,
    )
    return checked_by_bronchi(found, scan.volume)


def _outline_flags(volume: Volume, labels: Labels) -> frozenset[Flag]:
    counts = np.bincount(labels.ravel(), minlength=2 * DENSE) * volume.voxel_ml
    aerated = [float(counts[list(lung.labels)].sum()) for lung in (RIGHT_LUNG, LEFT_LUNG)]
    dense = [float(counts[DENSE:][list(lung.labels)].sum()) for lung in (RIGHT_LUNG, LEFT_LUNG)]
    both = [one + other for one, other in zip(aerated, dense, strict=True)]
    most_dense = max(100 * part / max(whole, 1e-9) for part, whole in zip(dense, both, strict=True))
    whole_grid = (slice(None),) * 3
    return outline_flags(volume, labels, whole_grid, both, most_dense)


def key_of_name(name: str) -> str | None:
    """Find the region that a person or a program means by a name; None if it is none of ours.

    >>> key_of_name("Left upper lobe"), key_of_name("lung_lower_lobe_right"), key_of_name("RML")
    ('left_upper_lobe', 'right_lower_lobe', 'right_middle_lobe')
    """
    words = set(re.findall(r"[a-z]+", name.lower()))
    short = {"rul", "rml", "rll", "lul", "lll"} & words
    if len(short) == 1:
        return _short_name(short.pop())
    if AIRLESS in words:
        return AIRLESS
    if words & {"trachea", "airway", "airways", "bronchi", "bronchus", "bronchial"}:
        return AIRWAY.key
    sides = words & {"left", "right"}
    levels = words & {"upper", "middle", "lower"}
    if len(sides) != 1 or len(levels) > 1:
        return None
    side = sides.pop()
    if levels and words & {"lobe", "lung"}:
        key = f"{side}_{levels.pop()}_lobe"
        return key if key in LOBE_NUMBERS else None
    return f"{side}_lung" if words & {"lung", "lungs"} and "lobe" not in words else None


def _short_name(word: str) -> str:
    side = {"r": "right", "l": "left"}[word[0]]
    level = {"u": "upper", "m": "middle", "l": "lower"}[word[1]]
    return f"{side}_{level}_lobe"


def _dicom(path: Path) -> Dataset | None:
    try:
        ds = dcmread(path)
    except InvalidDicomError:
        return None
    except OSError as error:
        raise ReadError(f"{path.name} cannot be opened", hint="Check its permissions.") from error
    if str(ds.get("SOPClassUID")) not in SEGMENTATION_CLASSES:
        raise ReadError(
            f"{path.name} is DICOM, but no segmentation", hint="Name a SEG object (Modality SEG)."
        )
    return ds


# --- DICOM Segmentation -------------------------------------------------------------------------


def _from_seg(ds: Dataset, scan: Scan) -> Labels:
    frame_uid = scan.study.frame_of_reference_uid
    if frame_uid and ds.get("FrameOfReferenceUID") not in (None, frame_uid):
        raise GeometryError(
            "the segmentation was drawn in another frame of reference than the scan",
            hint="Name the scan that the segmentation belongs to.",
        )
    keys = {int(item.SegmentNumber): key_of_segment(item) for item in ds.SegmentSequence}
    frames = _frames_by_key(ds, keys)
    labels = np.zeros(scan.volume.shape, np.uint8)
    for key in _ORDER:
        for placed, mask in frames(key):
            view = _place(labels, placed, mask.shape, scan.volume)
            if key == AIRLESS:
                lung = mask & (view > 0) & (view < Label.AIRWAY)
                view[lung] += DENSE
            else:
                view[mask] = NUMBERS[key]
    return labels


def key_of_segment(item: Dataset) -> str | None:
    """Find the region of one segment: by tracking identifier, code and side, then by name."""
    kind = (item.get("SegmentedPropertyTypeCodeSequence") or [Dataset()])[0]
    value = str(kind.get("CodeValue", ""))
    if value == "AIRLESS":
        return AIRLESS
    if value in AIRWAY_CODES:
        return AIRWAY.key
    if value in SIDED_CODES:
        return SIDED_CODES[value]
    side = _side_of(kind, item)
    for region in (RIGHT_LUNG, LEFT_LUNG, *LOBES):
        if SNOMED_CODES.get(region.key, SNOMED_LUNG) == value and region.side is side:
            return region.key
    return key_of_name(f"{item.get('SegmentLabel', '')} {item.get('SegmentDescription', '')}")


def _side_of(kind: Dataset, item: Dataset) -> Side | None:
    """Read the side from the type's modifier, or from that of the anatomic region."""
    modifiers = list(kind.get("SegmentedPropertyTypeModifierCodeSequence") or [])
    for region in item.get("AnatomicRegionSequence") or []:
        modifiers += list(region.get("AnatomicRegionModifierSequence") or [])
    values = {str(one.get("CodeValue")) for one in modifiers}
    found = [side for side, code in SNOMED_SIDES.items() if code in values]
    return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where a frame lies: LPS position of its first pixel, and steps down a row and right a column."""

    origin: npt.NDArray[np.float64]
    down: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]


def _frames_by_key(ds: Dataset, keys: dict[int, str | None]) -> Any:
    """Return a function from region key to its frames; decodes one frame at a time."""
    is_map = SEGMENTATION_CLASSES[str(ds.SOPClassUID)] == "LABELMAP" or (
        ds.get("SegmentationType") == "LABELMAP"
    )
    shared = ds.SharedFunctionalGroupsSequence[0]
    groups = list(ds.PerFrameFunctionalGroupsSequence)
    pixels = _Pixels(ds)

    def frames(wanted: str) -> Iterator[tuple[_Placed, npt.NDArray[np.bool_]]]:
        for n, group in enumerate(groups):
            if is_map:
                numbers = [number for number, key in keys.items() if key == wanted]
                if numbers:
                    yield _placed(group, shared), np.isin(pixels.frame(n), numbers)
                continue
            place = group if "SegmentIdentificationSequence" in group else shared
            number = int(place.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
            if keys.get(number) == wanted:
                yield _placed(group, shared), pixels.frame(n) >= pixels.threshold

    return frames


class _Pixels:
    """Frames of a segmentation; bits are unpacked frame by frame, for they are many."""

    def __init__(self, ds: Dataset) -> None:
        self._ds = ds
        self._shape = (int(ds.Rows), int(ds.Columns))
        fractional = ds.get("SegmentationType") == "FRACTIONAL"
        self.threshold = max(1.0, int(ds.get("MaximumFractionalValue", 1)) / 2) if fractional else 1
        is_packed = ds.BitsAllocated == 1 and not ds.file_meta.TransferSyntaxUID.is_encapsulated
        self._bytes = np.frombuffer(ds.PixelData, np.uint8) if is_packed else None
        self._all = None if is_packed else self._decoded()

    def frame(self, n: int) -> npt.NDArray[Any]:
        """Return frame `n`, counted from 0."""
        if self._all is not None:
            return np.asarray(self._all[n])
        assert self._bytes is not None
        size = self._shape[0] * self._shape[1]
        first, last = n * size // 8, -(-(n + 1) * size // 8)
        bits = np.unpackbits(self._bytes[first:last], bitorder="little")
        start = n * size - first * 8
        return bits[start : start + size].reshape(self._shape)

    def _decoded(self) -> npt.NDArray[Any]:
        try:
            pixels = self._ds.pixel_array
        except (ValueError, RuntimeError, AttributeError, NotImplementedError) as error:
            raise ReadError(
                "the pixels of the segmentation cannot be decoded",
                hint="Export it again, not compressed.",
            ) from error
        return np.asarray(pixels).reshape(-1, *self._shape)


def _placed(group: Dataset, shared: Dataset) -> _Placed:
    def of(sequence: str) -> Dataset:
        return (group if sequence in group else shared)[sequence].value[0]

    cosines = np.array(of("PlaneOrientationSequence").ImageOrientationPatient, np.float64)
    spacing = [float(mm) for mm in of("PixelMeasuresSequence").PixelSpacing]
    origin = np.array(of("PlanePositionSequence").ImagePositionPatient, np.float64)
    return _Placed(origin, cosines[3:] * spacing[0], cosines[:3] * spacing[1])


def _place(labels: Labels, at: _Placed, shape: tuple[int, ...], volume: Volume) -> Labels:
    """View the part of `labels` that a frame covers, as (row, column)."""
    to_index = np.linalg.inv(volume.axes_mm.T)
    first = to_index @ (at.origin - volume.origin_mm)
    steps = np.stack([to_index @ at.down, to_index @ at.right])
    last = first + steps[0] * (shape[0] - 1) + steps[1] * (shape[1] - 1)
    for index in (first, last):
        _refuse_off_grid(index, volume)
    start = np.rint(first).astype(int)
    whole = np.rint(steps).astype(int)
    axes = [int(np.abs(step).argmax()) for step in whole]
    if sorted(axes) != [1, 2] or (np.abs(whole).sum(axis=1) != 1).any():
        raise GeometryError(
            "frames of the segmentation do not lie in the slices of the scan",
            hint="Draw on the axial slices of the series itself.",
        )
    cut: list[Any] = [int(start[0]), None, None]
    for axis, step, n in zip(axes, whole, shape, strict=True):
        low = int(start[axis])
        way = int(step[axis])
        end = low + way * n
        cut[axis] = slice(low, end if end >= 0 else None, way)
    view: Labels = labels[tuple(cut)]
    view = view.T if axes[0] == 2 else view
    if view.shape != tuple(shape):
        _refuse_off_grid(np.array([-1.0, -1.0, -1.0]), volume)
    return view


def _refuse_off_grid(index: npt.NDArray[np.float64], volume: Volume) -> None:
    off = np.abs(index - np.rint(index)).max()
    outside = (np.rint(index) < 0).any() or (np.rint(index) >= volume.shape).any()
    if off > OFF_GRID or outside:
        how = "outside the scan" if outside else f"{off:.2f} voxels off the voxels of the scan"
        raise GeometryError(
            f"the labels lie {how}",
            hint="Name the series that the labels were drawn on, and do not resample them.",
        )


# --- label maps in volume files -----------------------------------------------------------------


def _from_image(path: Path, volume: Volume) -> Labels:
    image, numbers = _opened(path)
    return _laid(image, _table(image, numbers, path)[numbers], volume)


def _opened(path: Path) -> tuple[Any, npt.NDArray[Any]]:
    """Read the numbers of a volume file, and the image that knows where they lie."""
    import SimpleITK as sitk

    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise ReadError(
            f"{path.name} is neither a DICOM segmentation nor a label map that can be read",
            hint="Name a SEG, NIfTI, NRRD or MetaImage file.",
        ) from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise ReadError(
            f"{path.name} is not one 3-D label map",
            hint="Export one label map without overlapping segments.",
        )
    return image, sitk.GetArrayFromImage(image)


def _laid(image: Any, numbers: Labels, volume: Volume) -> Labels:
    """Lay our numbers onto the grid of the scan, plane by plane."""
    direction = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    right, down, through = direction.T
    labels = np.zeros(volume.shape, np.uint8)
    for k, plane in enumerate(numbers):
        if plane.any():
            at = _Placed(np.array(image.GetOrigin()) + k * through, down, right)
            _place(labels, at, plane.shape, volume)[...] = plane
    return labels


def _table(image: Any, numbers: npt.NDArray[Any], path: Path) -> Labels:
    """Return our number for every number of the file."""
    there = [int(n) for n in np.unique(numbers)]
    if there[0] < 0 or there[-1] > 65535 or not np.issubdtype(numbers.dtype, np.integer):
        raise ReadError(
            f"{path.name} is no label map: values from {there[0]} to {there[-1]}",
            hint="Name a file with whole numbers, 0 for background.",
        )
    named = _slicer_names(image)
    table = np.zeros(there[-1] + 1, np.uint8)
    ours = set(label_names().values())
    for number in filter(None, there):
        if named:
            table[number] = NUMBERS.get(named.get(number) or "", 0)
        elif number in ours:
            table[number] = number
        else:
            raise OptionError(
                f"{path.name} holds the number {number}, which is none of qct's label numbers",
                hint="Use the numbers of labels.nii.gz, or a file that names its segments.",
            )
    return table


def _slicer_names(image: Any) -> dict[int, str | None]:
    """Read the segment names that 3D Slicer writes into a .seg.nrrd."""
    names = {}
    for key in image.GetMetaDataKeys():
        found = re.fullmatch(r"(Segment\d+)_LabelValue", key)
        if found and image.HasMetaDataKey(f"{found[1]}_Name"):
            value = int(image.GetMetaData(key))
            names[value] = key_of_name(image.GetMetaData(f"{found[1]}_Name"))
    return names
