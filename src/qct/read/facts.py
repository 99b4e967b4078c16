"""From header elements to `Patient`, `Study` and `Acquisition`. What is not said stays None."""

import re
import warnings
from datetime import date
from typing import Any

from pydicom.uid import UID

from qct.acquisition import Acquisition, Patient, Study
from qct.read.choose import is_monoenergetic
from qct.read.geometry import Grid
from qct.read.headers import HEADER_ERRORS, Slice
from qct.read.recon_kernels import recon_kernel, says_iterative

AGE_UNITS_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
"""Units of the DICOM age string (PS3.5 6.2, AS)."""

HEIGHT_M = (0.3, 2.6)
"""Heights outside are mistakes (centimetres, zeros)."""

WEIGHT_KG = (0.3, 500.0)
"""Weights outside are mistakes."""

NO_AGENT = re.compile(r"(?i)^\s*(no|none|without|w/?o|nativ|keines?|sans|n/?a)\b")
"""Agents that say that none was given."""

SAYS_WITHOUT = re.compile(
    r"(?i)(\bnon[- _]?con|\bw/?o\b|\bwithout\b|\bunenhanced\b|\bnative?\b|\bsans\b|\bC-(?=\W|$|_))"
)
SAYS_WITH = re.compile(
    r"(?i)(contrast|\benhanced\b|\bCECT\b|\bC\+|\bangio|\bCTA\b|\bCTPA\b|\barterial\b|\bvenous\b)"
)

_CONTRAST_KEYWORDS = (
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
    "ContrastBolusRoute",
    "ContrastBolusVolume",
    "ContrastBolusStartTime",
    "ContrastBolusTotalDose",
    "ContrastBolusIngredient",
)


class Facts:
    """Reads elements of one header with its character set; a damaged element counts as absent."""

    def __init__(self, elements: Any) -> None:
        self._elements = elements

    def text(self, keyword: str) -> str | None:
        """Return an element as text, many values joined by a backslash."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = self._elements.get(keyword)
                if value is None:
                    return None
                many = value if isinstance(value, (list, tuple)) or _is_many(value) else (value,)
                text = "\\".join(str(one) for one in many)
        except HEADER_ERRORS:
            return None
        clean = "".join(c for c in text if c.isprintable()).strip()
        return clean or None

    def number(self, keyword: str) -> float | None:
        """Return the first value of an element as a number."""
        text = self.text(keyword)
        try:
            number = float(text.split("\\")[0]) if text else None
        except ValueError:
            return None
        return number if number is not None and abs(number) < float("inf") else None

    def date(self, keyword: str) -> str | None:
        """Return a date as ISO 8601."""
        digits = re.sub(r"\D", "", self.text(keyword) or "")[:8]
        try:
            return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])).isoformat()
        except ValueError:
            return None

    def time(self, keyword: str) -> str | None:
        """Return a time of day as ISO 8601, to the second."""
        match = re.match(r"([01]\d|2[0-3]):?([0-5]\d):?([0-5]\d)?", self.text(keyword) or "")
        return f"{match[1]}:{match[2]}:{match[3] or '00'}" if match else None

    def person(self, keyword: str) -> str | None:
        """Return a name to read: family, given; other scripts in brackets."""
        text = self.text(keyword)
        if not text:
            return None
        groups = [_readable_name(group) for group in text.split("=")]
        alphabetic, *others = groups
        shown = [alphabetic, *(f"({other})" for other in others if other)]
        if not alphabetic:
            shown = [other for other in others if other]
        return " ".join(part for part in shown if part) or None


def patient_of(facts: Facts) -> Patient:
    """Read who was scanned."""
    height, weight = facts.number("PatientSize"), facts.number("PatientWeight")
    sex = (facts.text("PatientSex") or "").upper()[:1]
    return Patient(
        name=facts.person("PatientName"),
        patient_id=facts.text("PatientID"),
        birth_date=facts.date("PatientBirthDate"),
        sex=sex if sex in ("M", "F", "O") else None,
        age_years=_age_years(facts),
        height_m=_within(height, HEIGHT_M),
        weight_kg=_within(weight, WEIGHT_KG),
    )


def study_of(facts: Facts, one: Slice) -> Study:
    """Read which examination it is."""
    return Study(
        study_uid=one.study_uid,
        study_id=facts.text("StudyID"),
        accession=facts.text("AccessionNumber"),
        description=facts.text("StudyDescription"),
        date=facts.date("StudyDate"),
        time=facts.time("StudyTime"),
        referrer=facts.person("ReferringPhysicianName"),
        institution=facts.text("InstitutionName"),
        frame_of_reference_uid=one.frame_of_reference,
    )


def acquisition_of(facts: Facts, one: Slice, grid: Grid, floor_hu: int | None) -> Acquisition:
    """Read how the chosen series was made."""
    manufacturer = facts.text("Manufacturer")
    kernel = recon_kernel(one.kernel, manufacturer)
    return Acquisition(
        series_uid=one.series_uid,
        series_number=one.series_number,
        series_description=facts.text("SeriesDescription"),
        protocol=facts.text("ProtocolName"),
        body_part=facts.text("BodyPartExamined"),
        date=facts.date("AcquisitionDate") or facts.date("SeriesDate"),
        time=facts.time("AcquisitionTime") or facts.time("SeriesTime"),
        manufacturer=manufacturer,
        model=facts.text("ManufacturerModelName"),
        software=facts.text("SoftwareVersions"),
        kvp=facts.number("KVP"),
        exposure_mas=_exposure_mas(facts),
        ctdi_vol_mgy=facts.number("CTDIvol"),
        recon_kernel=one.kernel,
        kernel_family=kernel.family,
        is_iterative=_is_iterative(facts, one, by_name=kernel.is_iterative),
        slice_mm=one.thickness_mm,
        has_contrast=has_contrast(facts),
        contrast_agent=facts.text("ContrastBolusAgent"),
        patient_position=facts.text("PatientPosition"),
        image_type=one.image_type,
        is_monoenergetic=is_monoenergetic(one.image_type),
        monoenergetic_kev=_kev(facts) if is_monoenergetic(one.image_type) else None,
        transfer_syntax=_syntax_name(one),
        is_lossy=is_lossy(one),
        gantry_tilt_deg=round(grid.tilt_deg, 2) + 0.0,
        floor_hu=floor_hu,
        n_slices=grid.shape[0],
    )


def has_contrast(facts: Facts) -> bool | None:
    """Tell whether contrast was given: from the attributes, else from the words of the protocol."""
    agent = facts.text("ContrastBolusAgent")
    if agent and NO_AGENT.match(agent):
        return False
    if any(facts.text(keyword) for keyword in _CONTRAST_KEYWORDS):
        return True
    keywords = ("SeriesDescription", "ProtocolName", "StudyDescription")
    words = [re.sub("_", " ", facts.text(keyword) or "") for keyword in keywords]
    for text in words:
        if SAYS_WITHOUT.search(text):
            return False
        if SAYS_WITH.search(text):
            return True
    return None


def is_lossy(one: Slice) -> bool:
    """Tell whether pixels ever went through lossy compression."""
    return one.is_lossy or one.pixels.transfer_syntax in LOSSY_SYNTAXES


LOSSY_SYNTAXES = {
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.53",
    "1.2.840.10008.1.2.4.55",
    "1.2.840.10008.1.2.4.81",
}
"""Transfer syntaxes that always lose something (PS3.5 8.2); 4.91 and 4.203 may, LossyImageCompression tells."""


def _syntax_name(one: Slice) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of a damaged identifier
        return str(UID(one.pixels.transfer_syntax).name)


def _kev(facts: Facts) -> float | None:
    """Return the energy of a virtual monoenergetic image: from its attribute, else from its description."""
    kev = facts.number("MonoenergeticEnergyEquivalent")
    if kev is not None:
        return kev
    for keyword in ("SeriesDescription", "ProtocolName", "ImageComments"):
        match = re.search(r"(\d{2,3}(?:\.\d)?) ?keV", facts.text(keyword) or "", re.IGNORECASE)
        if match:
            return float(match[1])
    return None


def _is_iterative(facts: Facts, one: Slice, *, by_name: bool) -> bool | None:
    algorithm = facts.text("ReconstructionAlgorithm") or ""
    if by_name or "ITERATIVE" in algorithm.upper():
        return True
    texts = (facts.text(k) for k in ("ProtocolName", "SeriesDescription", "ImageComments"))
    if says_iterative(one.kernel, algorithm, *texts):
        return True
    return False if "BACK" in algorithm.upper() else None


def _exposure_mas(facts: Facts) -> float | None:
    mas = facts.number("Exposure") or facts.number("ExposureInmAs")
    if mas:
        return mas
    micro = facts.number("ExposureInuAs")
    return micro / 1000.0 if micro else None


def _age_years(facts: Facts) -> float | None:
    """Return the age at the study; a scanner that does not know it writes 000Y."""
    match = re.fullmatch(r"\s*(\d{1,3})([DWMY])\s*", facts.text("PatientAge") or "")
    if match and int(match[1]) > 0:
        return round(int(match[1]) * AGE_UNITS_YEARS[match[2]], 2)
    born, studied = facts.date("PatientBirthDate"), facts.date("StudyDate")
    if not born or not studied:
        return None
    years = (date.fromisoformat(studied) - date.fromisoformat(born)).days / 365.25
    return round(years, 2) if 0 < years < 130 else None


def _within(value: float | None, limits: tuple[float, float]) -> float | None:
    return value if value is not None and limits[0] <= value <= limits[1] else None


def _readable_name(group: str) -> str:
    family, given, middle, *_ = (*(part.strip() for part in group.split("^")), "", "", "")
    rest = " ".join(part for part in (given, middle) if part)
    return f"{family}, {rest}" if family and rest else family or rest


def _is_many(value: Any) -> bool:
    return type(value).__name__ == "MultiValue"
