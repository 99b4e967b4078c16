"""The result as a FHIR R4 bundle: a DiagnosticReport, its Observations, and what they refer to.

http://hl7.org/fhir/R4/. Numbers are Observations with UCUM units; a number that is withheld is an
Observation without a value, with the reason why. Everything is preliminary: finalising is the physician's.
"""

import base64
import json
import uuid
from datetime import datetime
from typing import Any

from pydicom.sr.coding import Code

from qct.export.dicom_codes import (
    SCHEME,
    SCHEME_NAME,
    code_value,
    quantity_codes,
    side_code,
    structure_code,
)
from qct.export.dicom_instance import MANUFACTURER, RESEARCH_USE, Stamp, stamp_of
from qct.export.shown import is_told, rounded
from qct.findings import Analysis, Measured
from qct.flags import Status
from qct.quantities import quantities_of
from qct.regions import REGIONS

SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "UCUM": "http://unitsofmeasure.org",
}
"""Coding scheme designator of DICOM to system of FHIR."""

OWN_SYSTEM = "urn:uuid:0f5fd1b1-6a4c-4a0c-9f3f-0c3b8e0f7a51"
"""System of our own codes (drawn once at random)."""

ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
DICOM_UID = "urn:dicom:uid"
GENDERS = {"M": "male", "F": "female", "O": "other"}
CT_CHEST = Code("24627-2", "LN", "CT Chest")

Resource = dict[str, Any]


def fhir_bundle(
    analysis: Analysis, *, created: datetime | None = None, pdf: bytes | None = None
) -> dict[str, Any]:
    """Return the bundle (type ``collection``) as plain dictionaries.

    Parameters
    ----------
    created : datetime, optional
        When the report was issued, with its time zone; now if left out.
    pdf : bytes, optional
        The report, attached in ``presentedForm``.
    """
    created = created or datetime.now().astimezone()
    build = _Bundle(analysis, stamp_of(analysis, created))
    return build.bundle(pdf)


def fhir_json(
    analysis: Analysis, *, created: datetime | None = None, pdf: bytes | None = None
) -> bytes:
    """Return the bundle as JSON."""
    bundle = fhir_bundle(analysis, created=created, pdf=pdf)
    return (json.dumps(bundle, ensure_ascii=False, indent=1) + "\n").encode()


class _Bundle:
    """Resources of one analysis and their identifiers."""

    def __init__(self, analysis: Analysis, stamp: Stamp) -> None:
        self._analysis = analysis
        self._stamp = stamp
        self._codes = quantity_codes(analysis.options.profile)
        self._rows = quantities_of(analysis.options.profile)

    def bundle(self, pdf: bytes | None) -> Resource:
        numbers = [(f"{one.region} {one.quantity}", one) for one in self._analysis.measured]
        observations = [(name, self._observation(one)) for name, one in numbers]
        resources = [
            ("report", self._report([name for name, _ in numbers], pdf)),
            ("patient", self._patient()),
            ("study", self._study()),
            ("device", self._device()),
            *((f"body {key}", self._body(key)) for key in self._regions()),
            *observations,
        ]
        return {
            "resourceType": "Bundle",
            "type": "collection",
            "timestamp": self._stamp.created.isoformat(timespec="seconds"),
            "entry": [{"fullUrl": self._url(name), "resource": one} for name, one in resources],
        }

    def _regions(self) -> list[str]:
        return list(dict.fromkeys(one.region for one in self._analysis.measured))

    def _url(self, name: str) -> str:
        return uuid.uuid5(uuid.NAMESPACE_OID, f"{self._stamp.fingerprint} {name}").urn

    def _to(self, name: str) -> Resource:
        return {"reference": self._url(name)}

    def _report(self, names: list[str], pdf: bytes | None) -> Resource:
        study = self._analysis.scan.study
        reasons = [one.says for one in self._analysis.verdict.reasons]
        report: Resource = {
            "resourceType": "DiagnosticReport",
            "identifier": [
                {"system": DICOM_UID, "value": f"urn:oid:{self._stamp.uid('sr', 'instance')}"}
            ],
            "status": "preliminary",
            "category": [_concept(Code("18748-4", "LN", "Diagnostic imaging study"))],
            "code": _concept(CT_CHEST),
            "subject": self._to("patient"),
            "issued": self._stamp.created.isoformat(timespec="seconds"),
            "imagingStudy": [self._to("study")],
            "result": [self._to(name) for name in names],
            "conclusion": " ".join([RESEARCH_USE, "Not reviewed by a physician.", *reasons]),
        }
        if study.date:
            report["effectiveDateTime"] = study.date
        if pdf is not None:
            content = base64.b64encode(pdf).decode("ascii")
            title = "Quantitative lung CT, preliminary report"
            attached = {"contentType": "application/pdf", "data": content, "title": title}
            report["presentedForm"] = [attached]
        return report

    def _patient(self) -> Resource:
        patient = self._analysis.scan.patient
        found: Resource = {"resourceType": "Patient"}
        if patient.patient_id:
            found["identifier"] = [{"value": patient.patient_id}]
        if patient.name:
            found["name"] = [_human_name(patient.name)]
        if patient.sex in GENDERS:
            found["gender"] = GENDERS[patient.sex]
        if patient.birth_date:
            found["birthDate"] = patient.birth_date
        return found

    def _study(self) -> Resource:
        scan = self._analysis.scan
        study: Resource = {
            "resourceType": "ImagingStudy",
            "status": "available",
            "subject": self._to("patient"),
            "modality": [_coding(Code("CT", "DCM", "Computed Tomography"))],
        }
        identifiers: list[Resource] = []
        if scan.study.study_uid:
            identifiers.append({"system": DICOM_UID, "value": f"urn:oid:{scan.study.study_uid}"})
        if scan.study.accession:
            kind = "http://terminology.hl7.org/CodeSystem/v2-0203"
            typed: Resource = {"coding": [{"system": kind, "code": "ACSN"}]}
            identifiers.append({"type": typed, "value": scan.study.accession})
        if identifiers:
            study["identifier"] = identifiers
        if scan.study.date:
            study["started"] = scan.study.date
        if scan.acquisition.series_uid:
            series = {
                "uid": scan.acquisition.series_uid,
                "modality": _coding(Code("CT", "DCM", "Computed Tomography")),
                "numberOfInstances": len({one.sop_instance_uid for one in scan.slices}),
            }
            study["series"] = [series]
        return study

    def _device(self) -> Resource:
        return {
            "resourceType": "Device",
            "manufacturer": MANUFACTURER,
            "deviceName": [{"name": "qct", "type": "model-name"}],
            "version": [{"value": self._stamp.version}],
            "note": [{"text": RESEARCH_USE}],
        }

    def _body(self, key: str) -> Resource:
        region = REGIONS[key]
        structure: Resource = {
            "resourceType": "BodyStructure",
            "patient": self._to("patient"),
            "location": _concept(structure_code(region)),
            "description": region.name,
        }
        side = side_code(region)
        if side is not None:
            structure["locationQualifier"] = [_concept(side)]
        return structure

    def _observation(self, one: Measured) -> Resource:
        region, row = REGIONS[one.region], self._rows[one.quantity]
        observation: Resource = {
            "resourceType": "Observation",
            "status": "preliminary",
            "category": [{"coding": [{"system": CATEGORY, "code": "imaging"}]}],
            "code": self._quantity(one.quantity),
            "subject": self._to("patient"),
            "device": self._to("device"),
            "bodySite": _concept(structure_code(region), region.name),
            "extension": [_body_structure(self._url(f"body {one.region}"))],
        }
        if self._analysis.scan.study.date:
            observation["effectiveDateTime"] = self._analysis.scan.study.date
        if is_told(one):
            assert one.value is not None
            observation["valueQuantity"] = {
                "value": rounded(one.value, row.decimals),
                "unit": row.unit,
                "system": SYSTEMS["UCUM"],
                "code": row.unit,
            }
        else:
            code = "not-performed" if one.status is Status.NOT_MEASURED else "masked"
            absent = {"coding": [{"system": ABSENT, "code": code}]}
            observation["dataAbsentReason"] = absent | {"text": one.status.value.replace("_", " ")}
        notes = sorted(flag.meaning for flag in one.flags)
        if one.status is Status.CAVEAT:
            notes.insert(0, "With caveat.")
        if notes:
            observation["note"] = [{"text": note} for note in notes]
        return observation

    def _quantity(self, key: str) -> Resource:
        """Code a quantity by its own code, and by the standard one where there is one."""
        row, code = self._rows[key], self._codes[key]
        own = {
            "system": OWN_SYSTEM,
            "version": SCHEME_NAME,
            "code": code_value(key),
            "display": row.label,
        }
        codings = [own]
        if code.name.scheme_designator != SCHEME and code.derivation is None:
            codings.append(_coding(code.name))
        return {"coding": codings, "text": row.label}


def _body_structure(url: str) -> Resource:
    """Refer to a BodyStructure (standard extension, R4)."""
    return {
        "url": "http://hl7.org/fhir/StructureDefinition/bodySite",
        "valueReference": {"reference": url},
    }


def _coding(code: Code) -> Resource:
    system = SYSTEMS.get(code.scheme_designator, OWN_SYSTEM)
    return {"system": system, "code": code.value, "display": code.meaning}


def _concept(code: Code, text: str | None = None) -> Resource:
    return {"coding": [_coding(code)], "text": text or code.meaning}


def _human_name(name: str) -> Resource:
    """Split a DICOM person name: ``family^given^middle^prefix^suffix``; first group only."""
    parts = [*name.split("=")[0].split("^"), "", "", "", "", ""][:5]
    family, given, middle, prefix, suffix = (part.strip() for part in parts)
    found: Resource = {}
    if family:
        found["family"] = family
    if given or middle:
        found["given"] = [part for part in (given, middle) if part]
    if prefix:
        found["prefix"] = [prefix]
    if suffix:
        found["suffix"] = [suffix]
    return found or {"text": name}
