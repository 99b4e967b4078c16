"""Where lung is low in attenuation: a Parametric Map on the source slices (on request).

One frame per slice with lung; 1 where an aerated lung voxel lies below the threshold, 0 in the rest of the
lung and outside it. Stored as 16-bit integers, for viewers that do not know floating-point pixels.
"""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import DeflatedExplicitVRLittleEndian

from qct.errors import WriteError
from qct.export.dicom_codes import SCHEME, code_item
from qct.export.dicom_instance import RESEARCH_USE, Stamp, as_file, new_instance, referenced_series
from qct.export.dicom_seg import Frame, Places, set_dimensions
from qct.export.dicom_source import Source, as_stored
from qct.findings import Analysis
from qct.quantities import PROFILES
from qct.regions import WHOLE_LUNG
from qct.volume import PADDING_HU

PARAMETRIC_MAP_CLASS = "1.2.840.10008.5.1.4.1.1.30"

LOW_HU = -950
"""Threshold of the map (Gevenois et al. 1996)."""


def low_attenuation_map(analysis: Analysis, source: Source, stamp: Stamp) -> Dataset:
    """Make the map of LAA-950.

    Raises
    ------
    WriteError
        If no slice shows lung.
    """
    labels, hu = analysis.segmentation.labels, analysis.scan.volume.hu
    numbers = [int(label) for label in WHOLE_LUNG.labels]
    slices = [z for z in range(len(labels)) if np.isin(labels[z], numbers).any()]
    if not slices:
        raise WriteError("no lung was found, so there is no map of it to write")
    ds = new_instance(source, stamp, "pm", PARAMETRIC_MAP_CLASS)
    ds.Modality = "OT"
    ds.SeriesDescription = f"LAA{LOW_HU} map (qct)"
    ds.ContentLabel = f"LAA{abs(LOW_HU)}"
    ds.ContentDescription = RESEARCH_USE
    ds.ContentCreatorName = None
    ds.FrameOfReferenceUID = source.first.FrameOfReferenceUID
    ds.PositionReferenceIndicator = source.first.get("PositionReferenceIndicator")
    ds.ReferencedSeriesSequence = referenced_series(source)
    counts_threshold = PROFILES[analysis.options.profile].counts_threshold
    frames = []
    for z in slices:
        low = (hu[z] <= LOW_HU) if counts_threshold else (hu[z] < LOW_HU)
        low = low & (hu[z] != PADDING_HU) & np.isin(labels[z], numbers)
        frames.append(as_stored(low, source.stored_axes).astype("<u2"))
    _set_pixels(ds, frames)
    _set_groups(ds, slices, source, stamp)
    return ds


def low_attenuation_file(ds: Dataset) -> bytes:
    """Write a map, deflated."""
    return as_file(ds, DeflatedExplicitVRLittleEndian)


def _set_pixels(ds: Dataset, frames: list[np.ndarray]) -> None:
    ds.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.NumberOfFrames, ds.Rows, ds.Columns = len(frames), *frames[0].shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.BurnedInAnnotation, ds.RecognizableVisualFeatures = "NO", "NO"
    ds.LossyImageCompression = "00"
    ds.ContentQualification = "RESEARCH"
    ds.PresentationLUTShape = "IDENTITY"
    ds.AcquisitionContextSequence = []
    ds.PixelData = b"".join(frame.tobytes() for frame in frames)


def _set_groups(ds: Dataset, slices: list[int], source: Source, stamp: Stamp) -> None:
    places = Places(source)
    shared = places.shared()
    shared.FrameAnatomySequence = [_anatomy()]
    shared.ParametricMapFrameTypeSequence = [Dataset()]
    shared.ParametricMapFrameTypeSequence[0].FrameType = ds.ImageType
    shared.PixelValueTransformationSequence = [_identity()]
    shared.FrameVOILUTSequence = [_window()]
    shared.RealWorldValueMappingSequence = [_meaning()]
    ds.SharedFunctionalGroupsSequence = [shared]
    places.set_frames(ds, [Frame(z, index) for index, z in enumerate(slices, start=1)])
    set_dimensions(ds, stamp.uid("pm", "dimensions"), by_segment=False)


def _anatomy() -> Dataset:
    item = Dataset()
    item.AnatomicRegionSequence = [code_item(Code("39607008", "SCT", "Lung"))]
    item.FrameLaterality = "B"
    return item


def _identity() -> Dataset:
    item = Dataset()
    item.RescaleIntercept, item.RescaleSlope, item.RescaleType = 0, 1, "US"
    return item


def _window() -> Dataset:
    item = Dataset()
    item.WindowCenter, item.WindowWidth = "0.5", "1"
    return item


def _meaning() -> Dataset:
    item = Dataset()
    item.LUTExplanation = f"1 where HU below {LOW_HU} in aerated lung"
    item.LUTLabel = f"LAA{abs(LOW_HU)}"
    item.MeasurementUnitsCodeSequence = [code_item(Code("1", "UCUM", "no units"))]
    item.add_new(0x00409216, "US", 0)  # first and last value mapped
    item.add_new(0x00409211, "US", 1)
    item.RealWorldValueIntercept, item.RealWorldValueSlope = 0.0, 1.0
    quantity = Dataset()
    quantity.ValueType = "CODE"
    quantity.ConceptNameCodeSequence = [code_item(Code("246205007", "SCT", "Quantity"))]
    quantity.ConceptCodeSequence = [
        code_item(Code("LOW_ATTENUATION", SCHEME, "Low attenuation area"))
    ]
    item.QuantityDefinitionSequence = [quantity]
    return item
