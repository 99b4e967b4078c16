"""An order from where it is kept: ``order.toml``, a modality worklist item (DICOM), or an HL7 v2 order.

Only what is said is taken over, word for word; nothing is concluded. Fields of PS3.4 annex K and of HL7 v2.5.1
chapter 4.
"""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from qct.errors import ReadError
from qct.order import Order, Smoking

PREFIX = b"DICM"
"""Stands at byte 128 of a DICOM file."""

ICD10 = ("I10", "I10C", "ICD10", "ICD-10", "ICD-10-CM", "ICD10CM")
"""Coding schemes of diagnoses that are taken over."""


def read_order(path: Path) -> Order:
    """Read an order.

    Raises
    ------
    ReadError
        If the file cannot be read.
    OptionError
        If it is an ``order.toml`` with an unknown name or a wrong value.
    """
    try:
        content = path.read_bytes()
        if content[128:132] == PREFIX:
            return _from_worklist(path)
        if content.lstrip(b"\x0b\r\n ").startswith(b"MSH"):
            return _from_hl7(_decoded(content))
        return Order.from_toml(content.decode("utf-8"))
    except OSError as error:
        why = error.strerror or "not a file"
    except (UnicodeDecodeError, ValueError, TypeError, LookupError):
        why = "it is no order.toml (UTF-8), worklist item or HL7 order"
    raise ReadError(
        f"the order {path.name} cannot be read: {why}",
        hint="Check the path, and what docs/report.md says.",
    )


# --- DICOM ----------------------------------------------------------------------------------------


def _from_worklist(path: Path) -> Order:
    """Read a modality worklist item that was stored as a file."""
    import pydicom

    item = pydicom.dcmread(path)

    def text(*keywords: str) -> str | None:
        values = (str(item.get(keyword) or "").strip() for keyword in keywords)
        return next((value for value in values if value), None)

    return Order(
        patient_id=text("PatientID"),
        question=text("ReasonForTheRequestedProcedure"),
        indication=text("AdmittingDiagnosesDescription"),
        history=text("AdditionalPatientHistory"),
        referrer=text("RequestingPhysician", "ReferringPhysicianName"),
        facility=text("InstitutionName"),
        order_number=text("PlacerOrderNumberImagingServiceRequest", "AccessionNumber"),
        order_date=_day(text("IssueDateOfImagingServiceRequest")),
        diagnoses=tuple(_coded(item.get("AdmittingDiagnosesCodeSequence") or ())),
        smoking=Smoking(status=_smoking(text("SmokingStatus"))),
    )


def _coded(sequence: Any) -> Iterator[str]:
    for one in sequence:
        if str(one.get("CodingSchemeDesignator", "")).upper() in ICD10 and one.get("CodeValue"):
            yield str(one.CodeValue)


def _smoking(status: str | None) -> str | None:
    """Translate a smoking status; NO does not say whether never or no longer, so it says nothing."""
    return {"YES": "current", "UNKNOWN": "unknown"}.get((status or "").upper())


# --- HL7 ------------------------------------------------------------------------------------------


def _decoded(content: bytes) -> str:
    """Decode a message; what is not UTF-8 is taken for Latin-1."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


class _Message:
    """Fields of an HL7 v2 message, by segment and number."""

    def __init__(self, text: str) -> None:
        start = text.index("MSH")
        self._field, self._marks = text[start + 3], text[start + 4 : start + 8]
        lines = (
            text[start:].replace("\x1c", "").replace("\r\n", "\r").replace("\n", "\r").split("\r")
        )
        self._segments = [line.split(self._field) for line in lines if line]

    def every(self, segment: str, field: int, component: int = 1) -> Iterator[str]:
        """Yield a component of every segment of that name; empty ones are left out."""
        at = field - 1 if segment == "MSH" else field  # the separator itself is MSH-1
        for parts in self._segments:
            if parts[0] == segment and len(parts) > at:
                first = parts[at].split(self._marks[1])[0]
                components = first.split(self._marks[0])
                if len(components) >= component and components[component - 1].strip():
                    yield self._plain(components[component - 1].strip())

    def first(self, segment: str, field: int, *components: int) -> str | None:
        """Return the first of the components that says something."""
        found = (value for c in components or (1,) for value in self.every(segment, field, c))
        return next(found, None)

    def _plain(self, value: str) -> str:
        """Undo the escapes of separators (HL7 v2.5.1, 2.7)."""
        escape = self._marks[2]
        signs = {"F": self._field, "S": self._marks[0], "R": self._marks[1], "T": self._marks[3]}
        for letter, sign in signs.items():
            value = value.replace(f"{escape}{letter}{escape}", sign)
        return value.replace(f"{escape}.br{escape}", "\n").replace(f"{escape}E{escape}", escape)


def _from_hl7(text: str) -> Order:
    """Read an order message (ORM^O01, OMI^O23)."""
    said = _Message(text)
    codes = zip(said.every("DG1", 3, 1), said.every("DG1", 3, 3), strict=False)
    return Order(
        patient_id=said.first("PID", 3),
        question=said.first("OBR", 31, 2, 1),
        indication=said.first("DG1", 4) or said.first("DG1", 3, 2),
        history=said.first("OBR", 13),
        referrer=_name(said, "ORC", 12) or _name(said, "OBR", 16),
        facility=said.first("MSH", 4),
        order_number=said.first("ORC", 2) or said.first("OBR", 2),
        order_date=_day(said.first("ORC", 9)),
        diagnoses=tuple(code for code, scheme in codes if scheme.upper() in ICD10),
    )


def _name(said: _Message, segment: str, field: int) -> str | None:
    """Return a person (XCN) as a DICOM name."""
    family, given = said.first(segment, field, 2), said.first(segment, field, 3)
    return "^".join(part for part in (family, given) if part) or None


def _day(text: str | None) -> date | None:
    try:
        return datetime.strptime((text or "")[:8], "%Y%m%d").date()  # noqa: DTZ007  (a day)
    except ValueError:
        return None
