"""One Enhanced CT object (DICOM PS3.3 A.38.1) from the single-frame slices of a series."""

from collections.abc import Sequence

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, EnhancedCTImageStorage, ExplicitVRLittleEndian

FRAME_TYPE = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]

DROPPED = (
    *("ImagePositionPatient", "ImageOrientationPatient", "SliceLocation", "PixelSpacing"),
    *("SliceThickness", "ConvolutionKernel", "KVP", "Exposure", "ExposureTime", "XRayTubeCurrent"),
    *("SpiralPitchFactor", "CTDIvol", "CTDIPhantomTypeCodeSequence", "WindowCenter", "WindowWidth"),
    *("RescaleIntercept", "RescaleSlope", "RescaleType", "ReconstructionDiameter"),
    *("DataCollectionDiameter", "GantryDetectorTilt", "AcquisitionDate", "AcquisitionTime"),
    *("PixelPaddingValue", "BodyPartExamined"),
)
"""Attributes of a single frame that stand in functional groups, or nowhere, in an enhanced object."""


def enhanced_of(
    slices: Sequence[Dataset], uid: UID, dimensions_uid: UID, event_uid: UID
) -> Dataset:
    """Return the slices, uncompressed and in their order, as the frames of one object.

    The UIDs are those of the object, of its dimensions, and of the irradiation.
    """
    one = Dataset()
    one.update(slices[0])
    for name in DROPPED:
        if name in one:
            delattr(one, name)
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID, one.SOPInstanceUID, one.InstanceNumber = EnhancedCTImageStorage, uid, 1
    one.ImageType = FRAME_TYPE
    one.AcquisitionDateTime = _moment(slices[0])
    one.AcquisitionDuration = float(len(slices)) * 10.0
    one.AcquisitionContextSequence = []
    one.ContentQualification = "RESEARCH"
    one.BurnedInAnnotation = "NO"
    one.PresentationLUTShape = "IDENTITY"
    one.PixelPresentation, one.VolumetricProperties = "MONOCHROME", "VOLUME"
    one.VolumeBasedCalculationTechnique = "NONE"
    one.MultienergyCTAcquisition = "NO"
    one.IsocenterPosition = [0.0, 0.0, 0.0]
    _index(one, dimensions_uid)
    one.NumberOfFrames = len(slices)
    one.SharedFunctionalGroupsSequence = [_shared(slices[0], event_uid)]
    one.PerFrameFunctionalGroupsSequence = [_frame(k, slice_) for k, slice_ in enumerate(slices)]
    one.PixelData = b"".join(slice_.PixelData for slice_ in slices)
    return one


def _moment(slice_: Dataset) -> str:
    return f"{slice_.AcquisitionDate}{slice_.AcquisitionTime}"


def _index(one: Dataset, dimensions_uid: UID) -> None:
    """Frames are ordered by their place in the stack."""
    organization = Dataset()
    organization.DimensionOrganizationUID = dimensions_uid
    one.DimensionOrganizationSequence = [organization]
    one.DimensionOrganizationType = "3D"
    pointer = Dataset()
    pointer.DimensionOrganizationUID = dimensions_uid
    pointer.DimensionIndexPointer = 0x00209057  # In-Stack Position Number
    pointer.FunctionalGroupPointer = 0x00209111  # Frame Content Sequence
    one.DimensionIndexSequence = [pointer]


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _item(**attributes: object) -> list[Dataset]:
    item = Dataset()
    for name, value in attributes.items():
        setattr(item, name, value)
    return [item]


def _shared(slice_: Dataset, event_uid: UID) -> Dataset:
    """Return what all frames have in common."""
    same = Dataset()
    same.PixelMeasuresSequence = _item(
        PixelSpacing=slice_.PixelSpacing, SliceThickness=slice_.SliceThickness
    )
    same.PlaneOrientationSequence = _item(ImageOrientationPatient=slice_.ImageOrientationPatient)
    same.FrameAnatomySequence = _item(
        FrameLaterality="U", AnatomicRegionSequence=[_code("51185008", "SCT", "Chest")]
    )
    same.FrameVOILUTSequence = _item(
        WindowCenter=slice_.WindowCenter, WindowWidth=slice_.WindowWidth
    )
    same.PixelValueTransformationSequence = _item(
        RescaleIntercept=slice_.RescaleIntercept, RescaleSlope=slice_.RescaleSlope, RescaleType="HU"
    )
    same.IrradiationEventIdentificationSequence = _item(IrradiationEventUID=event_uid)
    same.CTImageFrameTypeSequence = _item(
        FrameType=FRAME_TYPE,
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
    )
    _add_acquisition(same, slice_)
    return same


def _add_acquisition(same: Dataset, slice_: Dataset) -> None:
    """Add how the frames were acquired and reconstructed."""
    tilt = float(slice_.GantryDetectorTilt)
    reconstruction = float(slice_.ReconstructionDiameter)
    same.CTAcquisitionTypeSequence = _item(
        AcquisitionType="SPIRAL", ConstantVolumeFlag="NO", FluoroscopyFlag="NO"
    )
    same.CTAcquisitionDetailsSequence = _item(
        RotationDirection="CW",
        RevolutionTime=float(slice_.ExposureTime) / 1000,
        SingleCollimationWidth=0.6,
        TotalCollimationWidth=38.4,
        TableHeight=150.0,
        GantryDetectorTilt=tilt,
        DataCollectionDiameter=float(slice_.DataCollectionDiameter),
    )
    same.CTTableDynamicsSequence = _item(
        TableSpeed=76.8,
        TableFeedPerRotation=38.4,
        SpiralPitchFactor=float(slice_.SpiralPitchFactor),
    )
    same.CTGeometrySequence = _item(
        DistanceSourceToDetector=1040.0, DistanceSourceToDataCollectionCenter=570.0
    )
    same.CTReconstructionSequence = _item(
        ReconstructionAlgorithm="FILTER_BACK_PROJ",
        ConvolutionKernel=slice_.ConvolutionKernel,
        ConvolutionKernelGroup="LUNG",
        ReconstructionDiameter=reconstruction,
        ReconstructionPixelSpacing=[float(v) for v in slice_.PixelSpacing],
        ImageFilter="NONE",
        ReconstructionAngle=180.0,
    )
    same.CTExposureSequence = _item(
        ExposureTimeInms=float(slice_.ExposureTime),
        XRayTubeCurrentInmA=float(slice_.XRayTubeCurrent),
        ExposureInmAs=float(slice_.Exposure),
        ExposureModulationType="NONE",
        CTDIvol=float(slice_.CTDIvol),
        CTDIPhantomTypeCodeSequence=slice_.CTDIPhantomTypeCodeSequence,
    )
    same.CTXRayDetailsSequence = _item(
        KVP=float(slice_.KVP),
        FocalSpots=[1.0],
        FilterType="FLAT",
        FilterMaterial="ALUMINUM",
    )


def _frame(k: int, slice_: Dataset) -> Dataset:
    own = Dataset()
    own.FrameContentSequence = _item(
        FrameReferenceDateTime=_moment(slice_),
        FrameAcquisitionDateTime=_moment(slice_),
        FrameAcquisitionDuration=float(slice_.ExposureTime),
        StackID="1",
        InStackPositionNumber=k + 1,
        DimensionIndexValues=[k + 1],
    )
    own.PlanePositionSequence = _item(ImagePositionPatient=slice_.ImagePositionPatient)
    own.CTPositionSequence = _item(
        TablePosition=float(slice_.ImagePositionPatient[2]),
        DataCollectionCenterPatient=[0.0, 0.0, float(slice_.ImagePositionPatient[2])],
        ReconstructionTargetCenterPatient=[0.0, 0.0, float(slice_.ImagePositionPatient[2])],
    )
    return own
