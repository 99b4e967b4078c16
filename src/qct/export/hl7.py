"""The result as an HL7 v2.5.1 message: ORU^R01, one OBX per number, the report as a last OBX.

Results are preliminary (OBR-25 and OBX-11 ``P``) until a physician has signed: then ``F``, and ``C`` for a
correction of what was final. A number that is withheld is told as ``X`` (cannot be obtained).
"""

import base64
import re
from collections.abc import Sequence
from datetime import datetime

from qct.export.dicom_codes import SCHEME, code_value
from qct.export.dicom_instance import stamp_of
from qct.export.shown import is_told, rounded
from qct.findings import Analysis, Measured
from qct.flags import Status
from qct.quantities import quantities_of
from qct.regions import REGIONS

STATUSES = ("P", "F", "C")
"""HL7 table 0085: preliminary, final, corrected."""

SEPARATORS = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
"""Escapes of HL7 v2.5.1, 2.7.1."""


def oru_message(
    analysis: Analysis,
    *,
    created: datetime | None = None,
    pdf: bytes | None = None,
    status: str = "P",
) -> bytes:
    """Return the message in UTF-8; segments end in a carriage return.

    Parameters
    ----------
    created : datetime, optional
        Time of the message; now if left out.
    pdf : bytes, optional
        The report, sent as encapsulated data (``ED``).
    status : str
        One of `STATUSES`.

    Raises
    ------
    ValueError
        If `status` is none of them.
    """
    if status not in STATUSES:
        msg = f"status {status!r} is none of {', '.join(STATUSES)}"
        raise ValueError(msg)
    created = created or datetime.now().astimezone()
    control = stamp_of(analysis, created).fingerprint[:20]
    segments = [
        _msh(created, control),
        _pid(analysis),
        _orc(analysis),
        _obr(analysis, created, status),
    ]
    rows = [_number(analysis, one, status) for one in analysis.measured]
    rows += [
        _text("REASON", "Reason for doubt", one.says, status) for one in analysis.verdict.reasons
    ]
    if pdf is not None:
        rows.append(_attached(pdf, status))
    segments += [_obx(n, row) for n, row in enumerate(rows, start=1)]
    return "".join(f"{segment}\r" for segment in segments).encode()


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
    name = "^".join(escaped(part) for part in (patient.name or "").split("=")[0].split("^"))
    sex = patient.sex if patient.sex in ("M", "F", "O") else "U"
    number = escaped(patient.patient_id or "")
    return _join("PID", ["1", "", number, "", name, "", _digits(patient.birth_date), sex])


def _orc(analysis: Analysis) -> str:
    accession = escaped(analysis.scan.study.accession or "")
    return _join("ORC", ["RE", "", accession])


def _obr(analysis: Analysis, created: datetime, status: str) -> str:
    study = analysis.scan.study
    observed = _digits(study.date) + (_digits(study.time) if study.date else "")
    fields = ["1", "", escaped(study.accession or ""), "24627-2^CT Chest^LN"]
    fields += [""] * 2 + [observed] + [""] * 14 + [_time(created), "", "CT", status]
    return _join("OBR", fields)


def _number(analysis: Analysis, one: Measured, status: str) -> list[str]:
    row = quantities_of(analysis.options.profile)[one.quantity]
    region = REGIONS[one.region]
    name = f"{code_value(one.quantity)}^{escaped(row.label)}^{SCHEME}"
    told = is_told(one)
    value = str(rounded(one.value, row.decimals)) if told and one.value is not None else ""
    unit = escaped(row.unit) + "^^UCUM"
    abnormal = "*" if one.status is Status.CAVEAT else ""
    return ["NM", name, region.key, value, unit, "", abnormal, "", "", status if told else "X"]


def _text(code: str, meaning: str, text: str, status: str) -> list[str]:
    return ["ST", f"{code}^{meaning}^{SCHEME}", "", escaped(text), "", "", "", "", "", status]


def _attached(pdf: bytes, status: str) -> list[str]:
    content = base64.b64encode(pdf).decode("ascii")
    name = "18748-4^Diagnostic imaging study^LN"
    return ["ED", name, "", f"^application^pdf^Base64^{content}", "", "", "", "", "", status]


def _obx(number: int, fields: list[str]) -> str:
    return _join("OBX", [str(number), *fields])
