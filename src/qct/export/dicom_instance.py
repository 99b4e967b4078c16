"""What every DICOM object of one analysis has in common: identity, patient, study, equipment."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

import numpy as np
from pydicom.charset import convert_encodings, default_encoding
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import correct_ambiguous_vr_element, write_dataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import AMBIGUOUS_VR, VR

from qct.export.dicom_codes import scheme_item
from qct.export.dicom_source import Source
from qct.export.shown import is_told
from qct.findings import Analysis

MANUFACTURER = "The qct developers"
MODEL = "qct"

IMPLEMENTATION_UID = "2.25.295190027692715115694852407765925030762"
"""Implementation Class UID, drawn once at random (PS3.5 annex B.2)."""

RESEARCH_USE = "Research use only. Not a cleared medical device."

PATIENT_AND_STUDY = (
    "SpecificCharacterSet",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "OtherPatientIDsSequence",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "EthnicGroup",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "LongitudinalTemporalInformationModified",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialSubjectID",
    "StudyInstanceUID",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "StudyDescription",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianName",
    "InstitutionName",
)
"""Copied from the source, so that the object joins its patient and study."""

EMPTY_IF_UNKNOWN = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Type 2 attributes: there, even if empty."""

SERIES_NUMBERS = {"seg": 9001, "sr": 9002, "sc": 9003, "pdf": 9004, "pm": 9005}
"""High, so that they follow the images in a viewer's list."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Identity of one export.

    Attributes
    ----------
    fingerprint : str
        Digest of everything that went into the analysis and came out of it.
    created : datetime
        When the objects say they were made. Not part of any UID.
    version : str
        Of the software.
    """

    fingerprint: str
    created: datetime
    version: str

    def uid(self, *what: str) -> UID:
        """Derive a UID from the fingerprint: the same for the same content, under 2.25 (PS3.5 B.2)."""
        text = "\x1f".join((self.fingerprint, *what))
        return derived_uid(text.encode())


def derived_uid(content: bytes) -> UID:
    """Return a UID under 2.25 that follows from `content` alone."""
    digest = bytearray(hashlib.sha256(content).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80  # RFC 9562 version 8: bits of our own
    digest[8] = digest[8] & 0x3F | 0x80
    return UID(f"2.25.{int.from_bytes(digest, 'big')}")


def stamp_of(analysis: Analysis, created: datetime) -> Stamp:
    """Digest an analysis: source images, labels, numbers, doubts, settings, version, identity."""
    version = analysis.software["qct"]
    digest = hashlib.sha256()
    told: dict[str, Any] = {
        "version": version,
        "options": {k: v for k, v in analysis.options.as_dict().items() if k != "threads"},
        "method": analysis.segmentation.method,
        "slices": [(one.sop_instance_uid, one.frame) for one in analysis.scan.slices],
        "patient": [analysis.scan.patient.name, analysis.scan.patient.patient_id],
        "study": [analysis.scan.study.study_uid, analysis.scan.study.accession],
        "measured": [
            (
                m.region,
                m.quantity,
                m.value if is_told(m) else None,
                m.status.value,
                sorted(f.key for f in m.flags),
            )
            for m in analysis.measured
        ],
        "flags": sorted(flag.key for flag in analysis.flags),
        "reasons": [(reason.flag.key, reason.says) for reason in analysis.verdict.reasons],
    }
    digest.update(json.dumps(told, sort_keys=True, default=str).encode())
    digest.update(np.ascontiguousarray(analysis.segmentation.labels).data)
    return Stamp(digest.hexdigest(), created, version)


def new_instance(source: Source, stamp: Stamp, kind: str, sop_class: str, *salt: str) -> Dataset:
    """Begin an object: SOP common, patient, study, series and equipment modules.

    Parameters
    ----------
    kind : str
        Key of `SERIES_NUMBERS`.
    salt : str
        What makes this object another one beside the analysis, such as a digest of its pixels.
    """
    ds = Dataset()
    join_study(ds, source.first)
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = stamp.uid(kind, "instance", *salt)
    ds.SeriesInstanceUID = stamp.uid(kind, "series")
    ds.SeriesNumber = SERIES_NUMBERS[kind]
    ds.InstanceNumber = 1
    if kind != "pdf":  # General Image objects; a document has no body part
        ds.BodyPartExamined = "CHEST"
    ds.CodingSchemeIdentificationSequence = [scheme_item()]
    finish(ds, source, stamp)
    return ds


def finish(ds: Dataset, source: Source, stamp: Stamp) -> None:
    """Set equipment, times and provenance, the same way in every object."""
    ds.Manufacturer = MANUFACTURER
    ds.ManufacturerModelName = MODEL
    ds.SoftwareVersions = stamp.version
    ds.DeviceSerialNumber = stamp.version
    date, time = stamp.created.strftime("%Y%m%d"), stamp.created.strftime("%H%M%S")
    for keyword in ("InstanceCreationDate", "SeriesDate", "ContentDate"):
        setattr(ds, keyword, date)
    for keyword in ("InstanceCreationTime", "SeriesTime", "ContentTime"):
        setattr(ds, keyword, time)
    ds.ContributingEquipmentSequence = [_contribution(source.first)]
    if "TimezoneOffsetFromUTC" in source.first:
        ds.TimezoneOffsetFromUTC = source.first.TimezoneOffsetFromUTC


def join_study(ds: Dataset, header: Dataset) -> None:
    """Copy patient and study from the source."""
    for keyword in PATIENT_AND_STUDY:
        if keyword in header:
            ds[keyword] = header[keyword]
        elif keyword in EMPTY_IF_UNKNOWN:
            setattr(ds, keyword, None)
    names = ("DeidentificationMethod", "DeidentificationMethodCodeSequence")
    if ds.get("PatientIdentityRemoved") == "YES" and not any(ds.get(name) for name in names):
        ds.DeidentificationMethod = "not told by the source images"  # required beside YES


def as_file(ds: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """Write a data set as a DICOM file; `syntax` is one of explicit VR, little endian."""
    _settle(ds)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    ds.file_meta.ImplementationVersionName = "QCT"
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def encoded(ds: Dataset) -> bytes:
    """Write the elements of a data set as they stand in a file of explicit VR, little endian."""
    _settle(ds)
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = False, True
    write_dataset(stream, ds)
    return bytes(stream.getvalue())


def _settle(ds: Dataset) -> None:
    """Decide what pydicom decides in writing, and say of every data set made here that it is decided.

    pydicom would look for it in every item anew at each level above: half the time of a structured report.
    Items that came with the source images have the encoding of their file, and are left to pydicom.
    """
    if None not in ds.original_encoding:
        return
    for element in ds.elements():
        if element.is_raw:
            continue
        if element.VR == VR.SQ:
            for item in element.value:
                _settle(item)
        elif element.VR in AMBIGUOUS_VR:
            correct_ambiguous_vr_element(element, ds, is_little_endian=True)
    told = ds.get("SpecificCharacterSet")
    ds.set_original_encoding(False, True, convert_encodings(told) if told else default_encoding)


def referenced_series(source: Source) -> list[Dataset]:
    """Name the source series and all its images (Common Instance Reference module)."""
    series = Dataset()
    series.SeriesInstanceUID = source.first.SeriesInstanceUID
    series.ReferencedInstanceSequence = [reference(one) for one in source.images()]
    return [series]


def reference(image: Dataset) -> Dataset:
    """Name one instance."""
    item = Dataset()
    item.ReferencedSOPClassUID = image.SOPClassUID
    item.ReferencedSOPInstanceUID = image.SOPInstanceUID
    return item


def _contribution(header: Dataset) -> Dataset:
    """Name the scanner that made the source images (Contributing Equipment, CID 7005)."""
    item = Dataset()
    item.Manufacturer = header.get("Manufacturer") or "unknown"
    for keyword in ("ManufacturerModelName", "SoftwareVersions"):
        if header.get(keyword):
            item[keyword] = header[keyword]
    item.PurposeOfReferenceCodeSequence = [_acquisition_equipment()]
    return item


def _acquisition_equipment() -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = "109101", "DCM"
    item.CodeMeaning = "Acquisition Equipment"
    return item
