"""Write a chest as a DICOM series: CT Image Storage, one file per slice (or Enhanced CT), lossless.

Attributes follow the CT Image IOD (DICOM PS3.3 A.3) and, on request, the same IOD with ImageType
LOCALIZER for the scout and the X-Ray Radiation Dose SR IOD (A.35.8, template 10011) for a dose report.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    XRayRadiationDoseSRStorage,
)

from qct import __version__
from qct.errors import WriteError
from qct.phantom.chest import Chest
from qct.phantom.enhanced import enhanced_of
from qct.phantom.imaging import FLOOR_HU, RECONS
from qct.phantom.space import Stream, stream
from qct.phantom.spec import Breath, ChestSpec
from qct.volume import PADDING_HU, Volume


class Compression(StrEnum):
    """Ways to store pixels; all lossless."""

    JPEG_LS = "jpeg-ls"
    JPEG_LOSSLESS = "jpeg-lossless"
    JPEG_2000 = "jpeg2000"
    RLE = "rle"
    DEFLATED = "deflated"
    IMPLICIT = "implicit"
    NONE = "none"


_SYNTAX = {
    Compression.JPEG_LS: JPEGLSLossless,
    Compression.JPEG_2000: JPEG2000Lossless,
    Compression.RLE: RLELossless,
}

_PLAIN_SYNTAX = {
    Compression.DEFLATED: DeflatedExplicitVRLittleEndian,
    Compression.IMPLICIT: ImplicitVRLittleEndian,
    Compression.NONE: ExplicitVRLittleEndian,
}

PADDING_STORED = -2000
"""Stored outside the field of view, as some scanners do; it is not a HU."""

FIRST_YEAR, DAY = 2020, "0102"
"""When the first scan is said to have been made: a chest does not depend on the clock."""

TIMES = {Breath.INSPIRATION: "101500", Breath.EXPIRATION: "101700"}

PITCH, ROTATION_S = 1.0, 0.5
CTDI_MGY_PER_MAS = 0.068
"""CTDIvol per effective mAs at 120 kV in the 32 cm phantom, of a common scanner."""


def uid_of(chest: Chest, *what: object) -> UID:
    """Return a UID that depends on nothing but the spec and what it is for (DICOM PS3.5 B.2)."""
    return _uid(chest.spec, *what)


def _study_uid(chest: Chest) -> UID:
    """Return the UID that scans of one person on one date share, whatever breath, kernel or slice."""
    usual = ChestSpec()
    shared = {
        name: getattr(usual, name)
        for name in ("breath", "exhale_mm", "kernel", "slice_mm", "step_mm")
    }
    return _uid(replace(chest.spec, **shared), "study")


def _uid(spec: ChestSpec, *what: object) -> UID:
    digest = hashlib.sha256(repr((spec, *what)).encode()).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16], 'big') >> 1}")


def write_series(
    chest: Chest,
    folder: Path,
    *,
    compression: Compression = Compression.JPEG_LS,
    enhanced: bool = False,
    scout: bool = False,
    dose_report: bool = False,
) -> list[Path]:
    """Write a chest into a new or empty folder.

    File names and their order tell nothing of the order of slices. The same chest gives the same bytes.

    Parameters
    ----------
    compression : Compression
    enhanced : bool
        Whether the slices are the frames of one Enhanced CT object.
    scout, dose_report : bool
        Whether a localizer series and a dose report, of the same study, lie among the slices.

    Returns
    -------
    paths : list of Path
        In the order of slices, feet first; then scout and dose report.

    Raises
    ------
    WriteError
        If the folder cannot be written, or holds something already.
    """
    objects = _objects(chest, compression, enhanced=enhanced, scout=scout, dose_report=dose_report)
    n_files = (1 if enhanced else chest.volume.shape[0]) + scout + dose_report
    numbers = stream(chest.spec.seed, Stream.FILES).permutation(n_files)
    paths = [folder / f"IM{number:05d}.dcm" for number in numbers]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            msg = "the folder for the series is not empty"
            raise WriteError(msg, hint="Name a new folder.")
        for path, one in zip(paths, objects, strict=True):
            one.save_as(path, enforce_file_format=True)
    except OSError as error:
        msg = f"the series cannot be written: {error.strerror}"
        raise WriteError(msg, hint="Choose a folder that can be written to.") from error
    return paths


def _objects(
    chest: Chest, compression: Compression, *, enhanced: bool, scout: bool, dose_report: bool
) -> Iterator[Dataset]:
    for one in _images(chest, enhanced=enhanced):
        _compress(one, compression)
        yield one
    if scout:
        yield _scout(chest)
    if dose_report:
        yield _dose_report(chest)


def _images(chest: Chest, *, enhanced: bool) -> Iterator[Dataset]:
    slices = (_slice(chest, index) for index in range(chest.volume.shape[0]))
    if not enhanced:
        yield from slices
        return
    uids = (uid_of(chest, what) for what in ("enhanced", "dimensions", "irradiation"))
    yield enhanced_of(list(slices), *uids)


# --- modules ------------------------------------------------------------------------------------


def _object(chest: Chest, sop_class: UID, series: str, number: int, instance: int) -> Dataset:
    """Patient, study, series, equipment and SOP common modules."""
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SpecificCharacterSet = "ISO_IR 100"
    one.SOPClassUID = sop_class
    one.SOPInstanceUID = uid_of(chest, series, instance)
    one.PatientName = "Phantom^Chest"
    one.PatientID = f"PHANTOM-{chest.spec.seed}"
    one.PatientBirthDate = "19550101"
    one.PatientSex = "M" if chest.spec.seed % 2 else "F"
    one.PatientAge = f"{64 + chest.spec.date:03}Y"
    one.PatientSize = "1.75" if chest.spec.seed % 2 else "1.64"
    one.PatientWeight = "76" if chest.spec.seed % 2 else "63"
    one.StudyInstanceUID = _study_uid(chest)
    one.StudyID = str(chest.spec.seed)
    one.StudyDate = one.SeriesDate = one.ContentDate = _day(chest.spec)
    one.StudyTime = TIMES[Breath.INSPIRATION]
    one.SeriesTime = one.ContentTime = TIMES[chest.spec.breath]
    one.StudyDescription = "Chest CT"
    later = f"-{chest.spec.date}" if chest.spec.date > 1 else ""
    one.AccessionNumber = f"P{chest.spec.seed}{later}"
    one.ReferringPhysicianName = ""
    one.SeriesInstanceUID = uid_of(chest, series)
    one.SeriesNumber = number
    one.InstanceNumber = instance
    one.Manufacturer = "qct"
    one.ManufacturerModelName = "Digital chest"
    one.DeviceSerialNumber = "0"
    one.SoftwareVersions = f"qct {__version__}"
    return one


def _day(spec: ChestSpec) -> str:
    return f"{FIRST_YEAR + spec.date - 1}{DAY}"


def _ct(chest: Chest, series: str, number: int, instance: int) -> Dataset:
    """Fill in what scout and slices have in common."""
    spec = chest.spec
    one = _object(chest, CTImageStorage, series, number, instance)
    one.Modality = "CT"
    one.PatientPosition = "HFS"
    one.BodyPartExamined = "CHEST"
    one.ProtocolName = f"Chest {spec.breath.value}"
    one.FrameOfReferenceUID = uid_of(chest, "frame of reference")
    one.PositionReferenceIndicator = ""
    one.AcquisitionDate, one.AcquisitionTime = _day(spec), TIMES[spec.breath]
    one.AcquisitionNumber = number
    one.KVP = "120"
    one.ReconstructionDiameter = _decimal(spec.fov_mm)
    one.DataCollectionDiameter = "500"
    one.GantryDetectorTilt = _decimal(spec.tilt_deg)
    one.SamplesPerPixel = 1
    one.PhotometricInterpretation = "MONOCHROME2"
    one.BitsAllocated = one.BitsStored = 16
    one.HighBit = 15
    one.PixelRepresentation = 1
    one.RescaleIntercept, one.RescaleSlope, one.RescaleType = str(FLOOR_HU), "1", "HU"
    one.LossyImageCompression = "00"
    return one


def _pixels(one: Dataset, stored: npt.NDArray[np.int16]) -> None:
    one.Rows, one.Columns = stored.shape
    one.PixelData = stored.astype("<i2").tobytes()


def _slice(chest: Chest, index: int) -> Dataset:
    spec, volume = chest.spec, chest.volume
    _, dy, dx = volume.spacing_mm
    number = 2 if spec.breath is Breath.INSPIRATION else 3
    one = _ct(
        chest, "slices", number, volume.shape[0] - index
    )  # head first, as most scanners number
    phase = "" if spec.breath is Breath.INSPIRATION else "expiration "
    one.SeriesDescription = f"Chest {phase}{spec.slice_mm:g} mm {RECONS[spec.kernel].name}"
    one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    position = volume.origin_mm + index * volume.axes_mm[0]
    one.ImagePositionPatient = [_decimal(v) for v in position]
    one.ImageOrientationPatient = _orientation(volume)
    one.SliceLocation = _decimal(position[2])
    one.SliceThickness = _decimal(spec.slice_mm)
    one.PixelSpacing = [_decimal(dy), _decimal(dx)]
    one.ConvolutionKernel = RECONS[spec.kernel].name
    one.Exposure = round(spec.exposure_mas)
    one.ExposureTime = round(1000 * ROTATION_S)
    one.XRayTubeCurrent = round(spec.exposure_mas * PITCH / ROTATION_S)
    one.SpiralPitchFactor = PITCH
    one.CTDIvol = CTDI_MGY_PER_MAS * spec.exposure_mas
    one.CTDIPhantomTypeCodeSequence = _code("113691", "DCM", "IEC Body Dosimetry Phantom")
    one.WindowCenter, one.WindowWidth = "-500", "1500"
    hu = volume.hu[index]
    stored = np.where(hu == PADDING_HU, PADDING_STORED, hu.astype(np.int32) - FLOOR_HU)
    if spec.circle:
        one.add_new("PixelPaddingValue", "SS", PADDING_STORED)
    _pixels(one, stored.astype(np.int16))
    return one


def _compress(one: Dataset, compression: Compression) -> None:
    if compression in _PLAIN_SYNTAX:
        one.file_meta.TransferSyntaxUID = _PLAIN_SYNTAX[compression]
    elif compression is Compression.JPEG_LOSSLESS:
        frames = one.pixel_array.reshape(-1, one.Rows, one.Columns)
        one.PixelData = encapsulate([_jpeg_lossless(frame) for frame in frames])
        one["PixelData"].VR = "OB"
        one.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    else:
        one.compress(_SYNTAX[compression], generate_instance_uid=False)


def _jpeg_lossless(frame: npt.NDArray[np.int16]) -> bytes:
    """Return a frame as a JPEG Lossless stream (process 14): only ITK's GDCM writes one, and only to a file."""
    import SimpleITK as sitk

    with TemporaryDirectory(prefix="qct-jpeg-") as folder:
        path = str(Path(folder) / "frame.dcm")
        writer = sitk.ImageFileWriter()
        writer.SetFileName(path)
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG")
        writer.Execute(sitk.GetImageFromArray(frame[None]))
        written = dcmread(path)
        if written.file_meta.TransferSyntaxUID != JPEGLosslessSV1:
            raise WriteError(
                "this installation cannot write JPEG Lossless", hint="Choose another --compression."
            )
        return bytes(next(generate_frames(written.PixelData, number_of_frames=1)))


def _orientation(volume: Volume) -> list[str]:
    _, down, along = (axis / np.linalg.norm(axis) for axis in volume.axes_mm)
    return [_decimal(value) for value in (*along, *down)]


def _decimal(value: Any) -> str:
    """Format a decimal string (at most 16 characters)."""
    return f"{float(value):.9g}"


def _scout(chest: Chest) -> Dataset:
    """Make a frontal projection."""
    volume = chest.volume
    dz, _, dx = volume.spacing_mm
    one = _ct(chest, "scout", 1, 1)
    one.SeriesDescription = "Scout"
    one.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    top = volume.origin_mm + (volume.shape[0] - 1) * volume.axes_mm[0]
    one.ImagePositionPatient = [_decimal(v) for v in (top[0], 0.0, top[2])]
    one.ImageOrientationPatient = ["1", "0", "0", "0", "0", "-1"]
    one.SliceThickness = _decimal(500)
    one.PixelSpacing = [_decimal(dz), _decimal(dx)]
    one.ConvolutionKernel = "SCOUT"
    one.WindowCenter, one.WindowWidth = "50", "500"
    shadow = np.maximum(volume.hu, FLOOR_HU).mean(axis=1)[::-1]
    del one.RescaleType
    _pixels(one, np.clip(np.rint(shadow) - FLOOR_HU, 0, 4095).astype(np.int16))
    return one


# --- dose report --------------------------------------------------------------------------------


def _code(value: str, scheme: str, meaning: str) -> list[Dataset]:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return [code]


def _item(kind: str, concept: tuple[str, str, str], relation: str = "CONTAINS") -> Dataset:
    item = Dataset()
    item.RelationshipType = relation
    item.ValueType = kind
    item.ConceptNameCodeSequence = _code(*concept)
    return item


def _amount(concept: tuple[str, str, str], value: float, unit: str) -> Dataset:
    item = _item("NUM", concept)
    measured = Dataset()
    measured.NumericValue = _decimal(value)
    measured.MeasurementUnitsCodeSequence = _code(unit, "UCUM", unit)
    item.MeasuredValueSequence = [measured]
    return item


def _dose_report(chest: Chest) -> Dataset:
    """Total dose-length product and CTDIvol."""
    volume = chest.volume
    one = _object(chest, XRayRadiationDoseSRStorage, "dose", 99, 1)
    one.Modality = "SR"
    one.SeriesDescription = "Dose report"
    one.ReferencedPerformedProcedureStepSequence = []
    one.PerformedProcedureCodeSequence = []
    one.CompletionFlag, one.VerificationFlag = "COMPLETE", "UNVERIFIED"
    one.ValueType = "CONTAINER"
    one.ContinuityOfContent = "SEPARATE"
    one.ConceptNameCodeSequence = _code("113701", "DCM", "X-Ray Radiation Dose Report")
    ctdi = CTDI_MGY_PER_MAS * chest.spec.exposure_mas
    length_cm = volume.shape[0] * volume.spacing_mm[0] / 10
    event = _item("CONTAINER", ("113819", "DCM", "CT Acquisition"))
    event.ContinuityOfContent = "SEPARATE"
    event.ContentSequence = [_amount(("113830", "DCM", "Mean CTDIvol"), ctdi, "mGy")]
    one.ContentSequence = [
        _amount(("113813", "DCM", "CT Dose Length Product Total"), ctdi * length_cm, "mGy.cm"),
        event,
    ]
    return one
