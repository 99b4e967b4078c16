"""The result as a FHIR R4 bundle: a DiagnosticReport, its Observations, and what they refer to.

http://hl7.org/fhir/R4/. Numbers are Observations with UCUM units; a number that is withheld is an
Observation without a value, with the reason why. Everything is preliminary until a physician has signed;
then it is final, with the words and the name of the signer, ``appended`` with an addendum, ``amended`` where
the report takes the place of an earlier one.
"""

import base64
import json
import uuid
from datetime import datetime
from typing import Any

from pydicom.sr.coding import Code

from qct.export.beside import Beside, reference_words
from qct.export.dicom_codes import (
    CT_CHEST,
    SCHEME,
    SCHEME_NAME,
    Z_SCORE,
    code_value,
    quantity_codes,
    side_code,
    structure_code,
)
from qct.export.dicom_instance import MANUFACTURER, RESEARCH_USE, Stamp, stamp_of
from qct.export.dicom_pdf import document_title
from qct.export.dicom_sr import versions
from qct.export.person import parted
from qct.export.shown import is_told, rounded
from qct.findings import Analysis, Measured
from qct.flags import Status
from qct.quantities import quantities_of
from qct.regions import REGIONS
from qct.signature import Signature

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

Resource = dict[str, Any]


def fhir_bundle(
    analysis: Analysis,
    *,
    created: datetime | None = None,
    pdf: bytes | None = None,
    amends: bool = False,
) -> dict[str, Any]:
    """Return the bundle (type ``collection``) as plain dictionaries.

    Parameters
    ----------
    created : datetime, optional
        When the report was issued, with its time zone; now if left out.
    pdf : bytes, optional
        The report, attached in ``presentedForm``.
    amends : bool
        A signed report of the study went out before, and this one takes its place.
    """
    created = created or datetime.now().astimezone()
    build = _Bundle(
        analysis, stamp_of(analysis, created), status_of(analysis.signature, amends=amends)
    )
    return build.bundle(pdf)


def fhir_json(
    analysis: Analysis,
    *,
    created: datetime | None = None,
    pdf: bytes | None = None,
    amends: bool = False,
) -> bytes:
    """Return the bundle as JSON."""
    bundle = fhir_bundle(analysis, created=created, pdf=pdf, amends=amends)
    return (json.dumps(bundle, ensure_ascii=False, indent=1) + "\n").encode()


def status_of(signature: Signature | None, *, amends: bool) -> str:
    """Return the status of the report (value set diagnostic-report-status)."""
    if signature is None:
        return "preliminary"
    if amends:
        return "amended"
    return "appended" if signature.addenda else "final"


class _Bundle:
    """Resources of one analysis and their identifiers."""

    def __init__(self, analysis: Analysis, stamp: Stamp, status: str) -> None:
        self._analysis = analysis
        self._stamp = stamp
        self._signature = analysis.signature
        self._status = status
        self._beside = Beside(analysis)
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
            *((f"author {n}", one) for n, one in enumerate(self._authors())),
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
        study, signed = self._analysis.scan.study, self._signature
        issued = self._stamp.created if signed is None else _last_word(signed)
        report: Resource = {
            "resourceType": "DiagnosticReport",
            "identifier": [
                {"system": DICOM_UID, "value": f"urn:oid:{versions(self._stamp, signed)[-1]}"}
            ],
            "status": self._status,
            "category": [_concept(Code("18748-4", "LN", "Diagnostic imaging study"))],
            "code": _concept(CT_CHEST),
            "subject": self._to("patient"),
            "issued": issued.isoformat(timespec="seconds"),
            "imagingStudy": [self._to("study")],
            "result": [self._to(name) for name in names],
            "conclusion": "\n\n".join(self._conclusion()),
        }
        if signed is not None:
            people = range(1 + len(signed.addenda))
            report["resultsInterpreter"] = [self._to(f"author {n}") for n in people]
        if study.date:
            report["effectiveDateTime"] = study.date
        if pdf is not None:
            content = base64.b64encode(pdf).decode("ascii")
            title = document_title(signed)
            attached = {"contentType": "application/pdf", "data": content, "title": title}
            report["presentedForm"] = [attached]
        return report

    def _conclusion(self) -> list[str]:
        """Return what the physician wrote, if somebody did; and what the software has to say."""
        signed = self._signature
        reasons = [one.says for one in self._analysis.verdict.reasons]
        if signed is None:
            return [" ".join([RESEARCH_USE, "Not reviewed by a physician.", *reasons])]
        words = [signed.impression, signed.interpretation]
        words += [
            f"Addendum, {one.author}, {one.credentials}, {one.written_at.isoformat()}: {one.text}"
            for one in signed.addenda
        ]
        return [text for text in words if text] + [" ".join([RESEARCH_USE, *reasons])]

    def _authors(self) -> list[Resource]:
        """Return who signed, then who wrote each addendum."""
        signed = self._signature
        if signed is None:
            return []
        people = [(signed.signer, signed.credentials)]
        people += [(one.author, one.credentials) for one in signed.addenda]
        return [
            {
                "resourceType": "Practitioner",
                "name": [_human_name(name)],
                "qualification": [{"code": {"text": credentials}}],
            }
            for name, credentials in people
        ]

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
            "status": "final" if self._status == "appended" else self._status,
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
            observation["valueQuantity"] = _amount(one.value, row.decimals, row.unit)
            observation |= self._usual(one)
        else:
            code = "not-performed" if one.status is Status.NOT_MEASURED else "masked"
            absent = {"coding": [{"system": ABSENT, "code": code}]}
            observation["dataAbsentReason"] = absent | {"text": one.status.value.replace("_", " ")}
        notes = sorted(flag.meaning for flag in one.flags)
        if one.status is Status.CAVEAT:
            notes.insert(0, "With caveat.")
        notes += self._beside.sentences(one)
        if notes:
            observation["note"] = [{"text": note} for note in notes]
        return observation

    def _usual(self, one: Measured) -> Resource:
        """Say what is usual for people like this one, and where the number stands in it."""
        usual, row = self._beside.usual(one), self._rows[one.quantity]
        if usual is None:
            return {}
        limits = {"low": usual.lower, "high": usual.upper}
        spread: Resource = {
            name: _amount(limit, row.decimals, row.unit)
            for name, limit in limits.items()
            if limit is not None
        }
        found: Resource = {"referenceRange": [spread | {"text": reference_words(usual, row)}]}
        if usual.z_score is not None:
            value = _amount(usual.z_score, 1, "1")
            found["component"] = [{"code": _concept(Z_SCORE), "valueQuantity": value}]
        return found

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


def _amount(value: float, decimals: int, unit: str) -> Resource:
    number = rounded(value, decimals)
    return {"value": number, "unit": unit, "system": SYSTEMS["UCUM"], "code": unit}


def _last_word(signature: Signature) -> datetime:
    return signature.addenda[-1].written_at if signature.addenda else signature.signed_at


def _human_name(name: str) -> Resource:
    parts = parted(name)
    found: Resource = {"text": name}
    if parts.family:
        found["family"] = parts.family
    if parts.given:
        found["given"] = parts.given.split()
    return found
