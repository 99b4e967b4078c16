"""Take the patient out of an analysis before anything is written from it.

DICOM PS3.15 annex E, Basic Application Level Confidentiality Profile with Retain Patient Characteristics
(sex, age, height, weight: the reference equations need them) and Retain Longitudinal Temporal Information
with Modified Dates (all dates of a patient move by the same number of days).

What is written afterwards cannot hold what is no longer there: headers and fields are not searched for
names but taken from short lists of what may stay. Free text (descriptions, protocol, referrer) does not.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import UID

from qct.acquisition import Acquisition, Patient, Study
from qct.errors import OptionError
from qct.export.dicom_codes import code_item
from qct.export.dicom_instance import derived_uid
from qct.export.dicom_source import Source
from qct.findings import Analysis, Candidate, SliceSource

PROFILES = (
    Code("113100", "DCM", "Basic Application Confidentiality Profile"),
    Code("113107", "DCM", "Retain Longitudinal Temporal Information Modified Dates Option"),
    Code("113108", "DCM", "Retain Patient Characteristics Option"),
)
"""What was done (PS3.16 CID 7050)."""

KEPT = (
    "SOPClassUID",
    "PatientAge",
    "PatientSex",
    "PatientSize",
    "PatientWeight",
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "Rows",
    "Columns",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)
"""Attributes of a source image that stay as they are; all others go."""

REPLACED_UIDS = (
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
)

GROUPS = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
}
"""What stays of the functional groups of a multi-frame image."""

OLDEST_YEARS = 90
"""Ages above 89 are told as 90 (US 45 CFR 164.514(b)(2)(i)(C))."""

MOST_DAYS = 3650
"""Dates move back by up to this many days."""

SECRET_BYTES = 16
"""Shortest secret: 128 bits cannot be tried out."""


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Stand-ins that follow from a secret: the same secret gives the same stand-ins.

    Raises
    ------
    OptionError
        If the secret is shorter than `SECRET_BYTES`.
    """

    secret: bytes

    def __post_init__(self) -> None:
        if len(self.secret) < SECRET_BYTES:
            raise OptionError(
                f"the secret has {len(self.secret)} bytes, expected {SECRET_BYTES} or more",
                hint="Use a file of random bytes and keep it safe.",
            )

    def uid(self, old: str) -> UID:
        """Stand-in of a UID."""
        return derived_uid(self._digest("uid", old))

    def patient(self, patient_id: str | None) -> str:
        """Stand-in of a patient's name and identifier."""
        return f"QCT-{self._digest('patient', patient_id or '').hex()[:12].upper()}"

    def moved(self, day: str | None, patient_id: str | None) -> str | None:
        """Move an ISO date back, all dates of one patient alike; None if it is no date."""
        if not day:
            return None
        digest = self._digest("days", patient_id or "")
        days = 1 + int.from_bytes(digest[:8], "big") % MOST_DAYS
        try:
            return (date.fromisoformat(day) - timedelta(days)).isoformat()
        except (ValueError, OverflowError):
            return None

    def _digest(self, what: str, text: str) -> bytes:
        return hmac.new(self.secret, f"{what}\x1f{text}".encode(), hashlib.sha256).digest()


def deidentified(
    analysis: Analysis, source: Source | None, pseudonyms: Pseudonyms
) -> tuple[Analysis, Source | None]:
    """Return the analysis and its source headers without the patient.

    Numbers, labels, pictures and doubts stay. UIDs, names and dates become stand-ins, the same in both.

    Parameters
    ----------
    source : Source or None
        None for a scan that did not come as DICOM.
    """
    scan = analysis.scan
    options = analysis.options
    if options.series_uid:
        options = replace(options, series_uid=pseudonyms.uid(options.series_uid))
    of_person: dict[str, Any] = dict.fromkeys(("age_years", "sex", "height_cm", "weight_kg"))
    bare = replace(
        analysis,
        options=replace(options, **of_person),  # the patient has them, as far as may be kept
        changes=(),  # dates of other studies
        earlier=(),
        order=None,  # free text about the patient
        signature=None,  # it is bound to files that name the patient
        scan=replace(
            scan,
            patient=_patient(scan.patient, pseudonyms),
            study=_study(scan.study, scan.patient, pseudonyms),
            acquisition=_acquisition(scan.acquisition, scan.patient, pseudonyms),
            candidates=tuple(_candidate(one, pseudonyms) for one in scan.candidates),
            slices=_slices(scan.slices, pseudonyms),
        ),
    )
    if source is None:
        return bare, None
    memo: dict[int, Dataset] = {}
    for header in source.headers:
        if id(header) not in memo:
            memo[id(header)] = _header(header, bare, pseudonyms)
    return bare, replace(source, headers=tuple(memo[id(one)] for one in source.headers))


def _patient(patient: Patient, pseudonyms: Pseudonyms) -> Patient:
    stand_in = pseudonyms.patient(patient.patient_id)
    age = patient.age_years
    return Patient(
        name=stand_in,
        patient_id=stand_in,
        sex=patient.sex,
        age_years=None if age is None else min(age, float(OLDEST_YEARS)),
        height_m=patient.height_m,
        weight_kg=patient.weight_kg,
    )


def _study(study: Study, patient: Patient, pseudonyms: Pseudonyms) -> Study:
    return Study(
        study_uid=study.study_uid and pseudonyms.uid(study.study_uid),
        date=pseudonyms.moved(study.date, patient.patient_id),
        frame_of_reference_uid=study.frame_of_reference_uid
        and pseudonyms.uid(study.frame_of_reference_uid),
    )


def _acquisition(made: Acquisition, patient: Patient, pseudonyms: Pseudonyms) -> Acquisition:
    return replace(
        made,
        series_uid=made.series_uid and pseudonyms.uid(made.series_uid),
        series_description=None,
        protocol=None,
        contrast_agent=None,
        date=pseudonyms.moved(made.date, patient.patient_id),
        time=None,
    )


def _candidate(one: Candidate, pseudonyms: Pseudonyms) -> Candidate:
    return replace(one, series_uid=pseudonyms.uid(one.series_uid), description=None, reason="")


def _slices(slices: Iterable[SliceSource], pseudonyms: Pseudonyms) -> tuple[SliceSource, ...]:
    return tuple(
        SliceSource(
            Path(f"{number:06d}"),
            one.sop_class_uid,
            one.sop_instance_uid and pseudonyms.uid(one.sop_instance_uid),
            one.frame,
        )
        for number, one in enumerate(slices)
    )


def _header(header: Dataset, bare: Analysis, pseudonyms: Pseudonyms) -> Dataset:
    """Make a new header of what may stay."""
    kept = _only(header, KEPT)
    for keyword in REPLACED_UIDS:
        if header.get(keyword):
            setattr(kept, keyword, pseudonyms.uid(str(header.get(keyword))))
    patient, study = bare.scan.patient, bare.scan.study
    kept.SpecificCharacterSet = "ISO_IR 192"
    kept.PatientName = kept.PatientID = patient.patient_id
    kept.StudyDate = (study.date or "").replace("-", "")
    if str(kept.get("PatientAge", ""))[-1:] == "Y" and str(kept.PatientAge)[:3] > "089":
        kept.PatientAge = f"{OLDEST_YEARS:03d}Y"
    kept.PatientIdentityRemoved = "YES"
    kept.LongitudinalTemporalInformationModified = "MODIFIED"
    kept.DeidentificationMethod = "qct: PS3.15 Basic, characteristics and moved dates kept"
    kept.DeidentificationMethodCodeSequence = [code_item(code) for code in PROFILES]
    if "PerFrameFunctionalGroupsSequence" in header:
        frames = header.PerFrameFunctionalGroupsSequence
        kept.PerFrameFunctionalGroupsSequence = [_group(one) for one in frames]
        shared = header.get("SharedFunctionalGroupsSequence") or [Dataset()]
        kept.SharedFunctionalGroupsSequence = [_group(shared[0])]
    return kept


def _group(group: Dataset) -> Dataset:
    kept = Dataset()
    for name, keywords in GROUPS.items():
        if name in group:
            setattr(kept, name, [_only(group[name].value[0], keywords)])
    return kept


def _only(ds: Dataset, keywords: Iterable[str]) -> Dataset:
    kept = Dataset()
    for keyword in keywords:
        if keyword in ds:
            kept[keyword] = ds[keyword]
    return kept
