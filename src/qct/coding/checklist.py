"""What a report that survives an audit holds: each element found or missing."""

from collections.abc import Iterator
from functools import cache
from math import isfinite
from typing import Any

from qct.coding.catalogue import Kind, data, find, words
from qct.coding.facts import StudyFacts
from qct.coding.worksheet import Element, Issue, Level, State
from qct.order import Order
from qct.regions import LOBES


@cache
def elements() -> tuple[tuple[str, str, str], ...]:
    """Return (group, key, label) of every element, in the order of the report."""
    groups = data("checklist.toml")["element"]
    return tuple((g["group"], one["key"], one["label"]) for g in groups for one in g["items"])


def check_documentation(order: Order, facts: StudyFacts) -> tuple[Element, ...]:
    """Look for every element; its text if found."""
    found = (
        _who(order, facts) | _technique(facts) | _method(order, facts) | _physician(order, facts)
    )
    return tuple(_element(group, key, label, found[key]) for group, key, label in elements())


def check_elements(checklist: tuple[Element, ...]) -> Iterator[Issue]:
    """Say what is missing, so that a worksheet without open points does not hide a thin report."""
    missing = [one.label for one in checklist if one.state is State.MISSING]
    if missing:
        says = words("standing.missing", n=len(missing), what="; ".join(missing))
        yield Issue(Level.WARNING, "documentation", says)


def _element(group: str, key: str, label: str, value: Any) -> Element:
    if isinstance(value, State):
        return Element(group, key, label, value)
    text = "" if value is None or value is False else "yes" if value is True else str(value).strip()
    return Element(group, key, label, State.FOUND if text else State.MISSING, text)


def _who(order: Order, facts: StudyFacts) -> dict[str, Any]:
    patient, study, series = facts.patient, facts.study, facts.acquisition
    said = order.service.concurrent
    return {
        "facility": order.facility or study.institution,
        "patient": patient.name,
        "second_identifier": patient.patient_id or patient.birth_date,
        "age": _with_unit(patient.age_years, "years", 0),
        "sex": patient.sex,
        "referrer": order.referrer or study.referrer,
        "order": order.order_number or order.order_date,
        "exam": study.description or series.protocol or series.series_description,
        "exam_date": study.date,
        "exam_time": study.time,
        "accession": study.accession,
        "study_uid": study.study_uid,
        "series_uid": series.series_uid,
        "acquisition_date": series.date,
        "attestation": None if said is None else "concurrent" if said else "not concurrent",
        "indication": order.indication,
        "question": order.question,
        "diagnoses": ", ".join(order.diagnoses),
    }


def _technique(facts: StudyFacts) -> dict[str, Any]:
    series = facts.acquisition
    contrast = series.has_contrast
    given = "given" if contrast is True else "not given" if contrast is False else None
    return {
        "kvp": _with_unit(series.kvp, "kV", 0),
        "recon_kernel": series.recon_kernel,
        "slice": _with_unit(series.slice_mm, "mm", 2),
        "spacing": _with_unit(facts.spacing_mm, "mm", 2),
        "dose": _with_unit(series.ctdi_vol_mgy, "mGy CTDIvol", 2),
        "contrast": series.contrast_agent or given,
        "inspiration": facts.inspiration,
        "quality": facts.gate,
    }


def _method(order: Order, facts: StudyFacts) -> dict[str, Any]:
    n = len(facts.lobes_measured)
    return {
        "software": facts.software,
        "parameters": facts.parameters,
        "thresholds": facts.profile and f"profile {facts.profile}",
        "segmentation": facts.segmentation,
        "confidence": facts.confidence,
        "lobe_results": f"{n} of {len(LOBES)} lobes" if n else None,
        "reference": facts.has_reference,
        "uncertainty": facts.has_uncertainty,
        "comparison": order.reading.comparison or facts.has_priors,
        "key_images": facts.n_key_images or None,
        "limitations": "; ".join(facts.limitations),
    }


def _physician(order: Order, facts: StudyFacts) -> dict[str, Any]:
    reading, signed = order.reading, facts.signature
    needing = [one for one in order.modifiers if _needs_reason(one.code)]
    reasons = [one.reason for one in needing if one.reason]
    written = signed.interpretation if signed else reading.interpretation
    return {
        "interpretation": "written" if written else None,
        "answer": reading.answer,
        "impression": (signed and signed.impression) or reading.impression,
        "modifier_reasons": State.NOT_NEEDED
        if not needing
        else "; ".join(reasons)
        if len(reasons) == len(needing)
        else None,
        "fda_status": words("standing.not_cleared"),
        "signer": _signer(order, facts),
        "addenda": facts.addenda or State.NOT_NEEDED,
    }


def _signer(order: Order, facts: StudyFacts) -> str | None:
    """Name who signed: of the report if it is signed, else as the order says, if it says all."""
    if facts.signature is not None:
        one = facts.signature
        return f"{one.signer}, {one.credentials}, {one.signed_at.date()}"
    said = order.signer
    complete = said.name and said.credentials and said.signed_on
    return f"{said.name}, {said.credentials}, {said.signed_on}" if complete else None


def _needs_reason(code: str) -> bool:
    row = find(code, Kind.MODIFIER)
    return row is not None and row.reason_required


def _with_unit(value: float | None, unit: str, decimals: int) -> str | None:
    """Write a number with its unit; None and what is no number stay missing."""
    if not isinstance(value, int | float) or not isfinite(value):
        return None
    return f"{value:.{decimals}f} {unit}"
