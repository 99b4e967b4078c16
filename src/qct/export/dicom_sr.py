"""Every number as a structured report: Comprehensive 3D SR with TID 1500 (PS3.16).

Unsigned it is PARTIAL, UNVERIFIED and PRELIMINARY. A signature makes a COMPLETE, VERIFIED and FINAL instance
with the physician's words, which names the unsigned one as its predecessor; each addendum makes one more,
which names the one before it. All stand in one series.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.sr.coding import Code
from pydicom.uid import UID

from qct.errors import ReadError
from qct.export.dicom_codes import (
    ADDENDUM,
    CT_CHEST,
    FINDING,
    FINDINGS,
    IMPRESSION,
    IMPRESSIONS,
    QUANTITATIVE_REPORT,
    code_item,
    scheme_item,
)
from qct.export.dicom_instance import (
    EMPTY_IF_UNKNOWN,
    MANUFACTURER,
    MODEL,
    RESEARCH_USE,
    SERIES_NUMBERS,
    Stamp,
    as_file,
    finish,
    join_study,
)
from qct.export.dicom_items import encoded_items, set_encoded
from qct.export.dicom_source import Source
from qct.export.dicom_sr_groups import measurement_groups
from qct.export.extras import optional
from qct.export.person import parted
from qct.findings import Analysis
from qct.signature import Addendum, Signature

STRUCTURED_REPORT_CLASS = "1.2.840.10008.5.1.4.1.1.88.34"
"""Comprehensive 3D SR Storage."""


def structured_report(
    analysis: Analysis,
    source: Source,
    stamp: Stamp,
    segmentation: Dataset,
    replaced: Sequence[Dataset] = (),
) -> Dataset:
    """Make the Comprehensive 3D SR of one analysis.

    Parameters
    ----------
    segmentation : Dataset
        The object that `qct.export.dicom_seg.segmentation` made; groups refer to its segments.
    replaced : sequence of Dataset
        Reports of an earlier analysis of the study that this one amends.

    Raises
    ------
    OptionError
        If highdicom is not installed.
    """
    sr = optional("highdicom.sr")
    signature = analysis.signature
    is_signed = signature is not None
    *before, uid = versions(stamp, signature)
    previous = [*replaced, *(_version(one, source, stamp) for one in before[-1:])]
    verified: dict[str, Any] = {}
    if signature is not None:
        verified = {
            "verifying_observer_name": parted(signature.signer).dicom,
            "verifying_organization": _organization(signature, source),
        }
    root, whole = _parted(_content(sr, analysis, source, stamp, segmentation, signature)[0])
    ds: Dataset = sr.Comprehensive3DSR(
        evidence=_evidence(source, segmentation),
        content=root,
        series_instance_uid=stamp.uid("sr", "series"),
        series_number=SERIES_NUMBERS["sr"],
        sop_instance_uid=uid,
        instance_number=1 + len(before),
        manufacturer=MANUFACTURER,
        is_complete=is_signed,
        is_final=is_signed,
        is_verified=is_signed,
        previous_versions=previous or None,
        **verified,
    )
    ds.ContentSequence = whole
    _complete(ds, source, stamp, signature)
    return ds


def structured_report_file(ds: Dataset) -> bytes:
    """Write a structured report."""
    content = encoded_items(ds.ContentSequence, ds.get("SpecificCharacterSet"))
    set_encoded(ds, "ContentSequence", content)
    return as_file(ds)


def _parted(root: Dataset) -> tuple[Dataset, Sequence[Dataset]]:
    """Leave the root its first child; return it, and all its children.

    highdicom copies the content and goes through it twice in search of what it refers to: a third of the time
    of the whole object. The evidence is told in full anyway.
    """
    whole = root.ContentSequence
    root.ContentSequence = whole[:1]
    return root, whole


def versions(stamp: Stamp, signature: Signature | None) -> list[UID]:
    """Instance UIDs of a report: unsigned, signed, with the first addendum, and so on to the last."""
    salts: list[tuple[str, ...]] = [()]
    if signature is not None:
        salts.append((signature.content_sha256,))
        salts += [(one.sha256,) for one in signature.addenda]
    return [stamp.uid("sr", "instance", *salt) for salt in salts]


def earlier_reports(folder: Path, study_uid: str | None) -> list[Dataset]:
    """Read the structured reports of an earlier export.

    Raises
    ------
    ReadError
        If there is none, or one is of another study.
    """
    found = []
    for path in sorted(folder.rglob("*.dcm") if folder.is_dir() else [folder]):
        try:
            one = dcmread(path)
        except (OSError, InvalidDicomError) as error:
            raise ReadError(
                f"{path.name} cannot be read", hint="Name a folder of qct export."
            ) from error
        if one.SOPClassUID == STRUCTURED_REPORT_CLASS:
            found.append(one)
    if not found or any(one.StudyInstanceUID != study_uid for one in found):
        raise ReadError(
            f"{folder.name} holds no structured report of this study",
            hint="Name the folder that the earlier report was exported to.",
        )
    return found


def _version(uid: UID, source: Source, stamp: Stamp) -> Dataset:
    """Name a version of this report."""
    one = Dataset()
    one.SOPClassUID, one.SOPInstanceUID = STRUCTURED_REPORT_CLASS, uid
    one.SeriesInstanceUID = stamp.uid("sr", "series")
    one.StudyInstanceUID = source.first.StudyInstanceUID
    return one


def _organization(signature: Signature, source: Source) -> str:
    """Name whom the signer answers for; the standard wants one."""
    return signature.organization or str(source.first.get("InstitutionName") or "not told")


def _complete(ds: Dataset, source: Source, stamp: Stamp, signature: Signature | None) -> None:
    """Set what highdicom leaves to its caller, and the times."""
    join_study(ds, source.first)
    finish(ds, source, stamp)
    ds.SeriesDescription = "Lung CT measurements (qct)"
    ds.CodingSchemeIdentificationSequence = [scheme_item()]
    ds.CompletionFlagDescription = RESEARCH_USE
    if signature is not None:
        organization = _organization(signature, source)
        people = [(signature.signer, signature.signed_at)]
        people += [(one.author, one.written_at) for one in signature.addenda]
        ds.VerifyingObserverSequence = [_observer(*one, organization) for one in people]
        ds.ContentSequence = [*ds.ContentSequence, *_words(signature)]


def _observer(name: str, when: Any, organization: str) -> Dataset:
    """Name someone who answers for the content (Verifying Observer Sequence)."""
    item = Dataset()
    item.VerifyingObserverName = parted(name).dicom
    item.VerifyingObserverIdentificationCodeSequence = []
    item.VerifyingOrganization = organization
    item.VerificationDateTime = when.strftime("%Y%m%d%H%M%S%z")
    return item


def _evidence(source: Source, segmentation: Dataset) -> list[Dataset]:
    """Return what the document refers to, without the patient.

    Patient and study are joined afterwards, as they are: highdicom reads them from the first item and
    objects to much that real headers hold, such as names of one part.
    """
    bare = Dataset()
    for keyword in EMPTY_IF_UNKNOWN:
        setattr(bare, keyword, "")
    bare.StudyInstanceUID = source.first.StudyInstanceUID
    for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"):
        bare[keyword] = segmentation[keyword]
    return [bare, *source.images()]


def _content(
    sr: Any,
    analysis: Analysis,
    source: Source,
    stamp: Stamp,
    segmentation: Dataset,
    signature: Signature | None,
) -> Any:
    device = sr.ObserverContext(
        observer_type=Code("121007", "DCM", "Device"),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=stamp.uid("device"),
            name="qct",
            manufacturer_name=MANUFACTURER,
            model_name=MODEL,
            serial_number=stamp.version,
        ),
    )
    person = None
    if signature is not None:
        person = sr.ObserverContext(
            observer_type=Code("121006", "DCM", "Person"),
            observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(
                name=parted(signature.signer).dicom,
                organization_name=_organization(signature, source),
            ),
        )
    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_person_context=person, observer_device_context=device
        ),
        procedure_reported=CT_CHEST,
        imaging_measurements=measurement_groups(sr, analysis, source, stamp, segmentation),
        title=QUANTITATIVE_REPORT,
    )


def _words(signature: Signature) -> list[Dataset]:
    """Return what the physician wrote, as sections (headings of CID 7001) of a report that may be extended."""
    sections = [_section(FINDINGS, FINDING, [signature.interpretation])]
    if signature.impression:
        sections.append(_section(IMPRESSIONS, IMPRESSION, [signature.impression]))
    if signature.addenda:
        sections.append(_section(ADDENDUM, ADDENDUM, [_dated(one) for one in signature.addenda]))
    return sections


def _dated(one: Addendum) -> str:
    return f"{one.text}\n{one.author}, {one.credentials}, {one.written_at.isoformat()}"


def _section(heading: Code, name: Code, texts: Sequence[str]) -> Dataset:
    section = Dataset()
    section.RelationshipType, section.ValueType = "CONTAINS", "CONTAINER"
    section.ConceptNameCodeSequence = [code_item(heading)]
    section.ContinuityOfContent = "SEPARATE"
    section.ContentSequence = [_text(name, text) for text in texts]
    return section


def _text(name: Code, text: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.ConceptNameCodeSequence = [code_item(name)]
    item.TextValue = text.replace("\n", "\r\n")
    return item
