"""The measurement groups of the structured report: one per region, and one for the quality of the whole.

A region that is a segment is a volumetric group (TID 1411), which shares its tracking identifier and UID with
the segment; the others (both lungs, thirds) are groups without a segment (TID 1501). Numbers stand as the
report prints them: rounded to the digits the method can defend. A number that is withheld is named, and its
value is not there.
"""

from collections.abc import Iterable
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from qct.export.beside import Beside
from qct.export.dicom_codes import (
    CAVEAT_NAME,
    COMMENT,
    FLAG_NAME,
    LOWER_LIMIT,
    OVERALL_NAME,
    PARTS,
    PERCENTILE,
    PREDICTED,
    SCHEME,
    UPPER_LIMIT,
    WITHHELD_NAME,
    Z_SCORE,
    QuantityCode,
    QuantityCodes,
    code_value,
    flag_code,
    quantity_codes,
    side_code,
    structure_code,
)
from qct.export.dicom_instance import RESEARCH_USE, Stamp
from qct.export.dicom_seg import SEGMENTATION_CLASS, tracking_uid
from qct.export.dicom_source import Source
from qct.export.shown import is_told, rounded
from qct.findings import Analysis, Measured, Reference
from qct.flags import Flag, Status
from qct.regions import REGIONS, Region

NO_UNITS = Code("1", "UCUM", "no units")


def measurement_groups(
    sr: Any, analysis: Analysis, source: Source, stamp: Stamp, segmentation: Dataset
) -> list[Any]:
    """Make every group of one analysis; `sr` is the module ``highdicom.sr``."""
    maker = _Groups(sr, analysis, stamp)
    groups = [
        maker.region(region, source, segmentation)
        for region in REGIONS.values()
        if any(one.region == region.key for one in analysis.measured)
    ]
    return [*groups, maker.quality()]


class _Groups:
    """What all groups of one document are made with."""

    def __init__(self, sr: Any, analysis: Analysis, stamp: Stamp) -> None:
        self._sr = sr
        self._analysis = analysis
        self._stamp = stamp
        self._codes = quantity_codes(analysis.options.profile)
        self._beside = Beside(analysis)
        self._concepts: dict[Code, Any] = {}
        self._remarked: dict[tuple[Code, Code], Any] = {}
        self._algorithm = (
            self._identified()
        )  # the same items in every group: a third of their making

    def region(self, region: Region, source: Source, segmentation: Dataset) -> Any:
        """Make the group of one region."""
        sr = self._sr
        numbers = [one for one in self._analysis.measured if one.region == region.key]
        doubts = self._analysis.segmentation.region_flags.get(region.key, frozenset())
        doubts = doubts.union(*(one.flags for one in numbers))
        common = {
            "tracking_identifier": self._tracking(region.key),
            "finding_type": structure_code(region),
            "finding_category": Code("123037004", "SCT", "Anatomical Structure"),
            "finding_sites": [self._site(region)],
            "algorithm_id": self._algorithm,
            "measurements": [self._measurement(one) for one in numbers if is_told(one)],
            "qualitative_evaluations": self._remarks(numbers, doubts),
        }
        segment = _segment_number(segmentation, region)
        if segment is None:
            group = sr.MeasurementsAndQualitativeEvaluations(**common)
        else:
            group = sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
                referenced_segment=sr.ReferencedSegment(
                    SEGMENTATION_CLASS,
                    segmentation.SOPInstanceUID,
                    segment,
                    source_series=sr.SourceSeriesForSegmentation(source.first.SeriesInstanceUID),
                ),
                **common,
            )
        for sentence in self._sentences(numbers):
            group[0].ContentSequence.append(self._comment(sentence))
        return group

    def quality(self) -> Any:
        """Say what holds for the whole scan: the verdict, every doubt, its sentence."""
        sr, verdict = self._sr, self._analysis.verdict
        overall = Code(verdict.overall.name, SCHEME, verdict.overall.value.replace("_", " "))
        remarks = [sr.QualitativeEvaluation(OVERALL_NAME, overall)]
        remarks += [self._flag(flag) for flag in _in_order(self._analysis.flags)]
        group = sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=self._tracking("quality"),
            algorithm_id=self._algorithm,
            qualitative_evaluations=remarks,
        )
        for sentence in (RESEARCH_USE, *(reason.says for reason in verdict.reasons)):
            group[0].ContentSequence.append(self._comment(sentence))
        return group

    def _tracking(self, key: str) -> Any:
        uid = tracking_uid(self._stamp, key)
        return self._sr.TrackingIdentifier(uid=uid, identifier=f"qct {key}")

    def _identified(self) -> Any:
        """Name version and parameters (TID 4019)."""
        analysis = self._analysis
        parameters = [f"{k}={v}" for k, v in analysis.options.as_dict().items() if k != "threads"]
        parameters += [f"{k}={v}" for k, v in sorted(analysis.segmentation.method.items())]
        return self._sr.AlgorithmIdentification("qct", self._stamp.version, parameters)

    def _measurement(self, one: Measured) -> Any:
        assert one.value is not None
        code, usual = self._codes[one.quantity], self._beside.usual(one)
        return self._sr.Measurement(
            name=self._concept(code.name),
            value=rounded(one.value, code.decimals),
            unit=self._concept(code.unit),
            derivation=None if code.derivation is None else self._concept(code.derivation),
            properties=None if usual is None else self._usual(usual, code),
        )

    def _usual(self, usual: Reference, code: QuantityCode) -> Any:
        """Say what is usual, and where the number stands in it (TID 310 to 312)."""
        sr = self._sr
        limits = [
            self._number(name, rounded(limit, code.decimals), code.unit)
            for name, limit in ((LOWER_LIMIT, usual.lower), (UPPER_LIMIT, usual.upper))
            if limit is not None
        ]
        stands = []
        if usual.predicted is not None:
            predicted = rounded(usual.predicted, code.decimals)
            stands.append(self._number(PREDICTED, predicted, code.unit))
        if usual.z_score is not None:
            stands.append(self._number(Z_SCORE, rounded(usual.z_score, 1), NO_UNITS))
        if usual.percentile is not None:
            rank = rounded(usual.percentile, 0)
            stands.append(self._number(PERCENTILE, rank, Code("%", "UCUM", "Percent")))
        told = {"description": usual.population, "authority": usual.source}
        return sr.MeasurementProperties(
            measurement_statistical_properties=sr.MeasurementStatisticalProperties(stands, **told)
            if stands
            else None,
            normal_range_properties=sr.NormalRangeProperties(limits, **told) if limits else None,
        )

    def _number(self, name: Code, value: float, unit: Code) -> Any:
        sr = self._sr
        return sr.NumContentItem(
            name=self._concept(name),
            value=value,
            unit=self._concept(unit),
            relationship_type=sr.RelationshipTypeValues.HAS_PROPERTIES,
        )

    def _concept(self, code: Code) -> Any:
        """Make the item of a code, once: most of them stand in many places."""
        if code not in self._concepts:
            self._concepts[code] = self._sr.CodedConcept(*code)
        return self._concepts[code]

    def _remarks(self, numbers: Iterable[Measured], doubts: Iterable[Flag]) -> list[Any]:
        """Name the doubts, the numbers that are withheld, and those with a caveat."""
        remarks = [self._flag(flag) for flag in _in_order(doubts)]
        for one in numbers:
            name = {Status.WITHHELD: WITHHELD_NAME, Status.CAVEAT: CAVEAT_NAME}.get(one.status)
            if name is not None:
                code = _own_code(one.quantity, self._codes)
                remarks.append(self._remark(name, code))
        return remarks

    def _flag(self, flag: Flag) -> Any:
        return self._remark(FLAG_NAME, flag_code(flag))

    def _remark(self, name: Code, code: Code) -> Any:
        """Make a remark, once: most of them hold for many regions."""
        if (name, code) not in self._remarked:
            concepts = self._concept(name), self._concept(code)
            self._remarked[name, code] = self._sr.QualitativeEvaluation(*concepts)
        return self._remarked[name, code]

    def _sentences(self, numbers: Iterable[Measured]) -> list[str]:
        """Put into words what stands beside the numbers of a region, each with the name of its number."""
        return [
            f"{self._codes[one.quantity].label}. {words}"
            for one in numbers
            for words in self._beside.sentences(one)
        ]

    def _site(self, region: Region) -> Any:
        return self._sr.FindingSite(
            structure_code(region), side_code(region), PARTS.get(region.key)
        )

    def _comment(self, sentence: str) -> Any:
        sr = self._sr
        return sr.TextContentItem(
            name=self._concept(COMMENT),
            value=sentence,
            relationship_type=sr.RelationshipTypeValues.CONTAINS,
        )


def _in_order(flags: Iterable[Flag]) -> list[Flag]:
    return sorted(flags, key=lambda flag: flag.key)


def _own_code(quantity: str, codes: QuantityCodes) -> Code:
    """Name a quantity by one code, also where its standard code needs a derivation."""
    code = codes[quantity]
    if code.name.scheme_designator == SCHEME:
        return code.name
    meaning = code.name.meaning if code.derivation is None else f"{code.derivation.meaning} HU"
    return Code(code_value(quantity), SCHEME, meaning)


def _segment_number(segmentation: Dataset, region: Region) -> int | None:
    for item in segmentation.SegmentSequence:
        if item.TrackingID == f"qct {region.key}":
            return int(item.SegmentNumber)
    return None
