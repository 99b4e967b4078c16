"""Every number as a structured report: Comprehensive 3D SR with TID 1500 (PS3.16).

One measurement group per region. A region that is a segment is a volumetric group (TID 1411), which
shares its tracking identifier and UID with the segment; the others (both lungs, thirds) are groups without
a segment (TID 1501). Numbers stand as the report prints them: rounded to the digits the method can defend.
A number that is withheld is named, and its value is not there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from qct.export.dicom_codes import (
    CAVEAT_NAME,
    COMMENT,
    CT_CHEST,
    FLAG_NAME,
    OVERALL_NAME,
    PARTS,
    SCHEME,
    WITHHELD_NAME,
    QuantityCode,
    code_value,
    flag_code,
    quantity_codes,
    scheme_item,
    side_code,
    structure_code,
)
from qct.export.dicom_instance import (
    EMPTY_IF_UNKNOWN,
    MANUFACTURER,
    MODEL,
    RESEARCH_USE,
    SERIES_NUMBERS,
    Stamp,
    finish,
    join_study,
)
from qct.export.dicom_seg import SEGMENTATION_CLASS, tracking_uid
from qct.export.dicom_source import Source
from qct.export.extras import optional
from qct.export.shown import is_told, rounded
from qct.findings import Analysis, Measured
from qct.flags import Flag, Status
from qct.regions import REGIONS, Region


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who answers for the content, and since when."""

    name: str
    """As in DICOM, ``Family^Given``."""
    organization: str
    when: datetime


def structured_report(
    analysis: Analysis,
    source: Source,
    stamp: Stamp,
    segmentation: Dataset,
    *,
    signature: Signature | None = None,
    previous: Sequence[Dataset] = (),
) -> Dataset:
    """Make the Comprehensive 3D SR of one analysis.

    Parameters
    ----------
    segmentation : Dataset
        The object that `qct.export.dicom_seg.segmentation` made; groups refer to its segments.
    signature : Signature, optional
        With one the document is COMPLETE, VERIFIED and FINAL; without, PARTIAL, UNVERIFIED and
        PRELIMINARY.
    previous : sequence of Dataset
        Documents that this one replaces.

    Raises
    ------
    OptionError
        If highdicom is not installed.
    """
    sr = optional("highdicom.sr")
    signed = signature is not None
    salt = [] if signature is None else [signature.name, signature.when.isoformat()]
    salt += [str(one.SOPInstanceUID) for one in previous]
    verified: dict[str, Any] = {}
    if signature is not None:
        verified = {
            "verifying_observer_name": signature.name,
            "verifying_organization": signature.organization,
        }
    ds: Dataset = sr.Comprehensive3DSR(
        evidence=_evidence(source, segmentation),
        content=_content(sr, analysis, source, stamp, segmentation)[0],
        series_instance_uid=stamp.uid("sr", "series"),
        series_number=SERIES_NUMBERS["sr"],
        sop_instance_uid=stamp.uid("sr", "instance", *salt),
        instance_number=1 + len(previous),
        manufacturer=MANUFACTURER,
        is_complete=signed,
        is_final=signed,
        is_verified=signed,
        previous_versions=list(previous) or None,
        **verified,
    )
    _complete(ds, source, stamp, signature)
    return ds


def _complete(ds: Dataset, source: Source, stamp: Stamp, signature: Signature | None) -> None:
    """Set what highdicom leaves to its caller, and the times."""
    join_study(ds, source.first)
    finish(ds, source, stamp)
    ds.SeriesDescription = "Lung CT measurements (qct)"
    ds.CodingSchemeIdentificationSequence = [scheme_item()]
    if signature is None:
        ds.CompletionFlagDescription = RESEARCH_USE
    else:
        ds.VerifyingObserverSequence[0].VerificationDateTime = signature.when.strftime(
            "%Y%m%d%H%M%S"
        )
    when = stamp.created.strftime("%Y%m%d%H%M%S")
    for item in ds.ContentSequence:
        if "ObservationDateTime" in item:  # pragma: no cover - set by some versions of highdicom
            item.ObservationDateTime = when


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
    sr: Any, analysis: Analysis, source: Source, stamp: Stamp, segmentation: Dataset
) -> Any:
    groups = [
        _group(sr, region, analysis, source, stamp, segmentation)
        for region in REGIONS.values()
        if any(one.region == region.key for one in analysis.measured)
    ]
    groups.append(_quality_group(sr, analysis, stamp))
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
    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=device),
        procedure_reported=CT_CHEST,
        imaging_measurements=groups,
        title=Code("126000", "DCM", "Imaging Measurement Report"),
    )


def _group(
    sr: Any,
    region: Region,
    analysis: Analysis,
    source: Source,
    stamp: Stamp,
    segmentation: Dataset,
) -> Any:
    """Make the measurement group of one region."""
    numbers = [one for one in analysis.measured if one.region == region.key]
    codes = quantity_codes(analysis.options.profile)
    doubts = analysis.segmentation.region_flags.get(region.key, frozenset())
    doubts = doubts.union(*(one.flags for one in numbers))
    common = {
        "tracking_identifier": sr.TrackingIdentifier(
            uid=tracking_uid(stamp, region.key), identifier=f"qct {region.key}"
        ),
        "finding_type": structure_code(region),
        "finding_category": Code("123037004", "SCT", "Anatomical Structure"),
        "finding_sites": [_site(sr, region)],
        "algorithm_id": _algorithm(sr, analysis, stamp),
        "measurements": [
            _measurement(sr, one, codes[one.quantity]) for one in numbers if is_told(one)
        ],
        "qualitative_evaluations": _remarks(sr, numbers, doubts, codes),
    }
    segment = _segment_number(segmentation, region)
    if segment is None:
        return sr.MeasurementsAndQualitativeEvaluations(**common)
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        referenced_segment=sr.ReferencedSegment(
            SEGMENTATION_CLASS,
            segmentation.SOPInstanceUID,
            segment,
            source_series=sr.SourceSeriesForSegmentation(source.first.SeriesInstanceUID),
        ),
        **common,
    )


def _measurement(sr: Any, one: Measured, code: QuantityCode) -> Any:
    assert one.value is not None
    return sr.Measurement(
        name=code.name,
        value=rounded(one.value, code.decimals),
        unit=code.unit,
        derivation=code.derivation,
    )


def _remarks(
    sr: Any, numbers: Iterable[Measured], doubts: Iterable[Flag], codes: dict[str, QuantityCode]
) -> list[Any]:
    """Name the doubts, the numbers that are withheld, and those with a caveat."""
    remarks = [
        sr.QualitativeEvaluation(FLAG_NAME, flag_code(flag))
        for flag in sorted(doubts, key=lambda flag: flag.key)
    ]
    for one in numbers:
        name = {Status.WITHHELD: WITHHELD_NAME, Status.CAVEAT: CAVEAT_NAME}.get(one.status)
        if name is not None:
            remarks.append(sr.QualitativeEvaluation(name, _own_code(one.quantity, codes)))
    return remarks


def _own_code(quantity: str, codes: dict[str, QuantityCode]) -> Code:
    """Name a quantity by one code, also where its standard code needs a derivation."""
    code = codes[quantity]
    if code.name.scheme_designator == SCHEME:
        return code.name
    meaning = code.name.meaning if code.derivation is None else f"{code.derivation.meaning} HU"
    return Code(code_value(quantity), SCHEME, meaning)


def _site(sr: Any, region: Region) -> Any:
    return sr.FindingSite(structure_code(region), side_code(region), PARTS.get(region.key))


def _segment_number(segmentation: Dataset, region: Region) -> int | None:
    for item in segmentation.SegmentSequence:
        if item.TrackingID == f"qct {region.key}":
            return int(item.SegmentNumber)
    return None


def _algorithm(sr: Any, analysis: Analysis, stamp: Stamp) -> Any:
    """Name version and parameters (TID 4019)."""
    parameters = [f"{k}={v}" for k, v in analysis.options.as_dict().items() if k != "threads"]
    parameters += [f"{k}={v}" for k, v in sorted(analysis.segmentation.method.items())]
    return sr.AlgorithmIdentification("qct", stamp.version, parameters)


def _quality_group(sr: Any, analysis: Analysis, stamp: Stamp) -> Any:
    """Say what holds for the whole scan: the verdict, every doubt, its sentence."""
    verdict = analysis.verdict
    overall = Code(verdict.overall.name, SCHEME, verdict.overall.value.replace("_", " "))
    remarks = [sr.QualitativeEvaluation(OVERALL_NAME, overall)]
    remarks += [
        sr.QualitativeEvaluation(FLAG_NAME, flag_code(flag))
        for flag in sorted(analysis.flags, key=lambda flag: flag.key)
    ]
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=tracking_uid(stamp, "quality"), identifier="qct quality"
        ),
        algorithm_id=_algorithm(sr, analysis, stamp),
        qualitative_evaluations=remarks,
    )
    for sentence in (RESEARCH_USE, *(reason.says for reason in verdict.reasons)):
        group[0].ContentSequence.append(_comment(sr, sentence))
    return group


def _comment(sr: Any, sentence: str) -> Any:
    return sr.TextContentItem(
        name=sr.CodedConcept(COMMENT.value, COMMENT.scheme_designator, COMMENT.meaning),
        value=sentence,
        relationship_type=sr.RelationshipTypeValues.CONTAINS,
    )
