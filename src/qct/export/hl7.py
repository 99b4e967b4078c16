"""The result as an HL7 v2.5.1 message: ORU^R01, one OBX per number, the report as a last OBX.

Results are preliminary (OBR-25 and OBX-11 ``P``) until a physician has signed: then ``F``, and ``C`` for a
correction of what was final, an addendum too. A number that is withheld is told as ``X`` (cannot be obtained).
Doubts, reference values and uncertainties of a number stand in notes (NTE) under it.
"""

import base64
import re
from collections.abc import Sequence
from datetime import datetime

from pydicom.sr.coding import Code

from qct.export.beside import Beside
from qct.export.dicom_codes import (
    ADDENDUM,
    CT_CHEST,
    FINDINGS,
    IMPRESSIONS,
    SCHEME,
    code_value,
)
from qct.export.dicom_instance import stamp_of
from qct.export.person import parted
from qct.export.shown import is_told, rounded
from qct.findings import Analysis, Measured, Reference
from qct.flags import Status
from qct.quantities import quantities_of
from qct.regions import REGIONS
from qct.signature import Signature

SEPARATORS = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
"""Escapes of HL7 v2.5.1, 2.7.1."""


def oru_message(
    analysis: Analysis,
    *,
    created: datetime | None = None,
    pdf: bytes | None = None,
    amends: bool = False,
) -> bytes:
    """Return the message in UTF-8; segments end in a carriage return.

    Parameters
    ----------
    created : datetime, optional
        Time of the message; now if left out.
    pdf : bytes, optional
        The report, sent as encapsulated data (``ED``).
    amends : bool
        A signed report of the study went out before, and this one takes its place.
    """
    signature = analysis.signature
    status = status_of(signature, amends=amends)
    created = created or datetime.now().astimezone()
    control = stamp_of(analysis, created).fingerprint[:20]
    segments = [
        _msh(created, control),
        _pid(analysis),
        _orc(analysis),
        _obr(analysis, created, status, signature),
    ]
    beside = Beside(analysis)
    rows = [
        (_number(analysis, one, status, beside), _notes(one, beside)) for one in analysis.measured
    ]
    rows += [
        (_text(f"REASON^Reason for doubt^{SCHEME}", one.says, status), [])
        for one in analysis.verdict.reasons
    ]
    rows += [(row, []) for row in _signed_words(signature, status)]
    if pdf is not None:
        rows.append((_attached(pdf, status), []))
    for number, (row, notes) in enumerate(rows, start=1):
        segments.append(_join("OBX", [str(number), *row]))
        segments += [_join("NTE", [str(n), "", escaped(note)]) for n, note in enumerate(notes, 1)]
    return "".join(f"{segment}\r" for segment in segments).encode()


def status_of(signature: Signature | None, *, amends: bool) -> str:
    """Return the result status, HL7 table 0085: preliminary, final or corrected."""
    if signature is None:
        return "P"
    return "C" if amends or signature.addenda else "F"


def escaped(text: str) -> str:
    r"""Escape separators, and turn line breaks into ``\.br\``.

    >>> escaped("50 % | A^B & C")
    '50 % \\F\\ A\\S\\B \\T\\ C'
    """
    safe = "".join(SEPARATORS.get(letter, letter) for letter in text)
    return re.sub(r"\r\n|\r|\n", r"\\.br\\", safe)


def _join(name: str, fields: Sequence[str]) -> str:
    return "|".join((name, *fields)).rstrip("|")


def _time(moment: datetime) -> str:
    return moment.strftime("%Y%m%d%H%M%S%z")


def _digits(iso: str | None) -> str:
    """Turn an ISO 8601 date or time into HL7's digits."""
    return re.sub(r"\D", "", (iso or "").partition(".")[0])


def _msh(created: datetime, control: str) -> str:
    head = ["^~\\&", "QCT", "", "", "", _time(created), "", "ORU^R01^ORU_R01", control, "P"]
    return _join("MSH", [*head, "2.5.1", "", "", "", "", "", "UNICODE UTF-8"])


def _pid(analysis: Analysis) -> str:
    patient = analysis.scan.patient
    name = _name(patient.name or "")
    sex = patient.sex if patient.sex in ("M", "F", "O") else "U"
    number = escaped(patient.patient_id or "")
    return _join("PID", ["1", "", number, "", name, "", _digits(patient.birth_date), sex])


def _orc(analysis: Analysis) -> str:
    accession = escaped(analysis.scan.study.accession or "")
    return _join("ORC", ["RE", "", accession])


def _name(name: str) -> str:
    """Write a person's name (data type XPN)."""
    parts = parted(name)
    return f"{escaped(parts.family)}^{escaped(parts.given)}".rstrip("^")


def _obr(analysis: Analysis, created: datetime, status: str, signature: Signature | None) -> str:
    study = analysis.scan.study
    changed = _time(created if signature is None else _last_word(signature))
    observed = _digits(study.date) + (_digits(study.time) if study.date else "")
    fields = ["1", "", escaped(study.accession or ""), _coded(CT_CHEST)]
    fields += [""] * 2 + [observed] + [""] * 14 + [changed, "", "CT", status]
    if signature is not None:  # OBR-32, principal result interpreter (NDL of CNN: no number, names)
        fields += [""] * 6 + ["&" + _name(signature.signer).replace("^", "&")]
    return _join("OBR", fields)


def _last_word(signature: Signature) -> datetime:
    return signature.addenda[-1].written_at if signature.addenda else signature.signed_at


def _number(analysis: Analysis, one: Measured, status: str, beside: Beside) -> list[str]:
    row = quantities_of(analysis.options.profile)[one.quantity]
    region = REGIONS[one.region]
    name = f"{code_value(one.quantity)}^{escaped(row.label)}^{SCHEME}"
    told = is_told(one)
    value = str(rounded(one.value, row.decimals)) if told and one.value is not None else ""
    unit = escaped(row.unit) + "^^UCUM"
    usual = _range(beside.usual(one), row.decimals) if told else ""
    return ["NM", name, region.key, value, unit, usual, "", "", "", status if told else "X"]


def _range(usual: Reference | None, decimals: int) -> str:
    """Write reference limits (OBX-7): ``low-high``, ``>low`` or ``<high``."""
    low, high = (None, None) if usual is None else (usual.lower, usual.upper)
    if low is not None and high is not None:
        return f"{rounded(low, decimals)}-{rounded(high, decimals)}"
    if low is not None:
        return f">{rounded(low, decimals)}"
    return "" if high is None else f"<{rounded(high, decimals)}"


def _notes(one: Measured, beside: Beside) -> list[str]:
    """Put into words what a reader of the number has to know."""
    doubts = [flag.meaning for flag in sorted(one.flags, key=lambda flag: flag.key)]
    if one.status is Status.CAVEAT:
        doubts.insert(0, "With caveat.")
    return doubts + beside.sentences(one)


def _text(name: str, text: str, status: str) -> list[str]:
    return ["TX", name, "", escaped(text), "", "", "", "", "", status]


def _signed_words(signature: Signature | None, status: str) -> list[list[str]]:
    """Return what the physician wrote: findings, impression, addenda."""
    if signature is None:
        return []
    rows = [_text(_coded(FINDINGS), signature.interpretation, status)]
    if signature.impression:
        rows.append(_text(_coded(IMPRESSIONS), signature.impression, status))
    for one in signature.addenda:
        text = f"{one.text}\n{one.author}, {one.credentials}, {one.written_at.isoformat()}"
        rows.append(_text(_coded(ADDENDUM), text, status))
    return rows


def _coded(code: Code) -> str:
    return f"{code.value}^{code.meaning}^{code.scheme_designator}"


def _attached(pdf: bytes, status: str) -> list[str]:
    content = base64.b64encode(pdf).decode("ascii")
    name = "18748-4^Diagnostic imaging study^LN"
    return ["ED", name, "", f"^application^pdf^Base64^{content}", "", "", "", "", "", status]
