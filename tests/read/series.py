"""Writes small CT series with known answers: a body of 40 HU with two lungs of -850 HU in air of -1000 HU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CLASS = "1.2.840.10008.5.1.4.1.1.2.1"

ROWS, COLUMNS = 48, 64
PIXEL_MM = (1.5, 1.25)
STEP_MM = 2.5
N = 8

Change = Callable[[Dataset, int], None]


def chest_hu(k: int = 0, rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    """One slice; row 2 column 3 + k is a landmark of 500 HU, so that order and flips can be checked."""
    y = (np.arange(rows)[:, None] - rows / 2) / rows
    x = (np.arange(columns)[None, :] - columns / 2) / columns
    noise = np.random.default_rng(k).integers(-12, 13, (rows, columns))
    hu = np.full((rows, columns), -1000, np.int32) + noise
    hu[x**2 / 0.4**2 + y**2 / 0.35**2 < 1] = 40
    hu[(np.abs(x) - 0.2) ** 2 / 0.12**2 + y**2 / 0.2**2 < 1] = -850
    hu[2, 3 + k] = 500
    return hu


def study(seed: str = "a") -> Dataset:
    """Return what all slices of a series have in common."""
    ds = Dataset()
    ds.PatientName = "Muster^Erika"
    ds.PatientID = f"P-{seed}"
    ds.PatientBirthDate = "19600229"
    ds.PatientSex = "F"
    ds.PatientAge = "064Y"
    ds.StudyInstanceUID = generate_uid(entropy_srcs=["study", seed])
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=["series", seed])
    ds.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame", seed])
    ds.StudyDate, ds.StudyTime, ds.StudyID = "20240310", "081530", "1"
    ds.SOPClassUID = CT_CLASS
    ds.Modality = "CT"
    ds.Manufacturer = "SIEMENS"
    ds.ConvolutionKernel = "B31f"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SeriesNumber = 4
    ds.SeriesDescription = "Thorax"
    ds.PatientPosition = "HFS"
    ds.KVP = "120"
    ds.SliceThickness = "2.5"
    ds.AcquisitionNumber = 1
    ds.RescaleSlope, ds.RescaleIntercept = "1", "-1024"
    return ds


def slice_dataset(k: int, hu: np.ndarray, common: Dataset) -> Dataset:
    """Return one slice with its pixels, stored unsigned with the intercept of -1024."""
    ds = Dataset()
    ds.update(common)
    ds.SOPInstanceUID = generate_uid(entropy_srcs=[str(common.SeriesInstanceUID), str(k)])
    ds.InstanceNumber = k + 1
    ds.ImagePositionPatient = [-40.0, -36.0, 100.0 + STEP_MM * k]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = list(PIXEL_MM)
    set_pixels(ds, hu + 1024)
    return ds


def set_pixels(ds: Dataset, stored: np.ndarray, *, signed: bool = False) -> None:
    """Put stored values into a data set."""
    ds.Rows, ds.Columns = stored.shape[-2:]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = int(signed)
    ds.PixelData = stored.astype("<i2" if signed else "<u2").tobytes()


def save(ds: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write one data set with its file meta information."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


def compress(ds: Dataset, syntax: str) -> None:
    """Compress the pixels of a data set."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.compress(syntax, generate_instance_uid=False)


def write(
    folder: Path,
    change: Change | None = None,
    *,
    n: int = N,
    seed: str = "a",
    first: int = 0,
    syntax: str = ExplicitVRLittleEndian,
) -> Path:
    """Write a series; `change` may spoil every slice before it is written."""
    common = study(seed)
    for k in range(n):
        ds = slice_dataset(k, chest_hu(k), common)
        if change is not None:
            change(ds, k)
        save(ds, folder / f"{first + k:03d}", syntax)
    return folder


def enhanced(n: int = N, seed: str = "a") -> Dataset:
    """Return one Enhanced CT image with a frame per slice and an intercept per frame."""
    common = study(seed)
    ds = Dataset()
    ds.update(common)
    for keyword in (
        "SliceThickness",
        "RescaleSlope",
        "RescaleIntercept",
        "ConvolutionKernel",
        "KVP",
    ):
        delattr(ds, keyword)
    ds.SOPClassUID = ENHANCED_CLASS
    ds.SOPInstanceUID = generate_uid(entropy_srcs=["enhanced", seed])
    set_pixels(ds, np.stack([chest_hu(k) + 1024 + k for k in range(n)]))
    ds.NumberOfFrames = n
    shared = Dataset()
    shared.PixelMeasuresSequence = [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = list(PIXEL_MM)
    shared.PixelMeasuresSequence[0].SliceThickness = 2.5
    shared.PlaneOrientationSequence = [Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.CTReconstructionSequence = [Dataset()]
    shared.CTReconstructionSequence[0].ConvolutionKernel = "B31f"
    shared.CTXRayDetailsSequence = [Dataset()]
    shared.CTXRayDetailsSequence[0].KVP = 100.0
    shared.CTImageFrameTypeSequence = [Dataset()]
    shared.CTImageFrameTypeSequence[0].FrameType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.SharedFunctionalGroupsSequence = [shared]
    ds.PerFrameFunctionalGroupsSequence = [_frame(k) for k in range(n)]
    return ds


def _frame(k: int) -> Dataset:
    frame = Dataset()
    frame.PlanePositionSequence = [Dataset()]
    frame.PlanePositionSequence[0].ImagePositionPatient = [-40.0, -36.0, 100.0 + STEP_MM * k]
    frame.PixelValueTransformationSequence = [Dataset()]
    frame.PixelValueTransformationSequence[0].RescaleSlope = 1
    frame.PixelValueTransformationSequence[0].RescaleIntercept = -1024 - k
    frame.PixelValueTransformationSequence[0].RescaleType = "HU"
    frame.FrameContentSequence = [Dataset()]
    frame.FrameContentSequence[0].StackID = "1"
    return frame
