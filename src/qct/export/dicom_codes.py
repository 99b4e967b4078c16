"""Codes of every region, number and doubt in DICOM, FHIR and HL7; one table each.

Codes of SNOMED CT, DCM and UCUM are those that DICOM PS3.16 lists (CID 6170 and TID 1419 among others).
What has no standard code is coded in a scheme of our own, which every object declares: `SCHEME`.
"""

from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from qct.flags import Flag
from qct.quantities import Dictionary, quantities_of
from qct.regions import (
    CORE,
    HEIGHT_THIRDS,
    PEEL,
    SNOMED_CODES,
    SNOMED_LUNG,
    SNOMED_SIDES,
    THIRDS,
    UPPER_AND_MIDDLE,
    Region,
)

SCHEME = "99QCT"
"""Designator of our own coding scheme; 99 marks a private one (PS3.16 section 8.2)."""

SCHEME_NAME = "qct private codes"

ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
"""Segmented property category of a normal structure (PS3.16 CID 7150)."""

ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")

AIRLESS = Code("AIRLESS", SCHEME, "Airless lung")
"""What consolidation, tumour, collapse and fluid have in common; SNOMED CT has no term for that."""

AIRLESS_COLOUR = "#cc79a7"

LUNG = Code(SNOMED_LUNG, "SCT", "Lung")

MEANINGS = {
    "45653009": "Upper lobe of lung",
    "72481006": "Middle lobe of right lung",
    "90572001": "Lower lobe of lung",
    "110726009": "Trachea and bronchus",
}
"""What the codes of `qct.regions.SNOMED_CODES` mean."""

SIDES = {side: Code(value, "SCT", side.value.capitalize()) for side, value in SNOMED_SIDES.items()}
BOTH_SIDES = Code("51440002", "SCT", "Right and left")

PARTS = {
    **{
        one.key: Code(
            f"{one.slab.name}_THIRD", SCHEME, f"{one.slab.name.capitalize()} third of lung"
        )
        for one in THIRDS
        if one.slab is not None
    },
    **{
        one.key: Code(
            f"{one.slab.name}_THIRD_H",
            SCHEME,
            f"{one.slab.name.capitalize()} third of lung by height",
        )
        for one in HEIGHT_THIRDS
        if one.slab is not None
    },
    UPPER_AND_MIDDLE.key: Code("RUL_RML", SCHEME, "Upper and middle lobe of right lung"),
    CORE.key: Code("CORE", SCHEME, "Lung away from its surface"),
    PEEL.key: Code("PEEL", SCHEME, "Lung near its surface"),
}
"""What a region is a part of a lung by, by region key."""

MEAN = Code("373098007", "SCT", "Mean")
MEDIAN = Code("373099004", "SCT", "Median")
MODE = Code("373100007", "SCT", "Mode")
DEVIATION = Code("386136009", "SCT", "Standard Deviation")
ATTENUATION = Code("112031", "DCM", "Attenuation Coefficient")

UNITS = {
    "mL": Code("cm3", "UCUM", "cubic centimeter"),
    "[hnsf'U]": Code("[hnsf'U]", "UCUM", "Hounsfield unit"),
    "%": Code("%", "UCUM", "Percent"),
    "g": Code("g", "UCUM", "gram"),
    "g/L": Code("g/L", "UCUM", "gram per liter"),
    "1": Code("1", "UCUM", "no units"),
    "mm": Code("mm", "UCUM", "millimeter"),
}
"""DICOM unit of a UCUM code of the dictionary; PS3.16 has volumes in cubic units."""

ALGORITHM_FAMILY = Code("123104", "DCM", "Morphological Operations")
"""Nearest of CID 7162 to region growing and fitted surfaces without a network."""

FLAG_NAME = Code("FLAG", SCHEME, "Quality flag")
WITHHELD_NAME = Code("WITHHELD", SCHEME, "Measurement withheld")
CAVEAT_NAME = Code("CAVEAT", SCHEME, "Measurement with caveat")
OVERALL_NAME = Code("VERDICT", SCHEME, "Overall verdict")
COMMENT = Code("121106", "DCM", "Comment")
LOWER_LIMIT = Code("385524004", "SCT", "Normal Range Lower Limit")
UPPER_LIMIT = Code("371933006", "SCT", "Normal Range Upper Limit")
PREDICTED = Code("PREDICTED", SCHEME, "Reference value of the population")
Z_SCORE = Code("121416", "DCM", "Z-Score of measurement")
PERCENTILE = Code("121415", "DCM", "Percentile Ranking of measurement")
FINDINGS = Code("59776-5", "LN", "Findings")
FINDING = Code("121071", "DCM", "Finding")
IMPRESSIONS = Code("19005-8", "LN", "Impressions")
IMPRESSION = Code("121073", "DCM", "Impression")
ADDENDUM = Code("55107-7", "LN", "Addendum")
CT_CHEST = Code("24627-2", "LN", "CT Chest")
QUANTITATIVE_REPORT = Code("126000", "DCM", "Imaging Measurement Report")

VALUE_CHARS = 16
"""Longest code value (value representation SH)."""

MEANING_CHARS = 64
"""Longest code meaning (value representation LO)."""

_STANDARD = {
    "volume_ml": (Code("118565006", "SCT", "Volume"), None),
    "mass_g": (Code("118538004", "SCT", "Mass"), None),
    "mean_hu": (ATTENUATION, MEAN),
    "median_hu": (ATTENUATION, MEDIAN),
    "mode_hu": (ATTENUATION, MODE),
    "sd_hu": (ATTENUATION, DEVIATION),
    "skewness": (Code("126051", "DCM", "Skewness"), None),
    "kurtosis": (Code("126052", "DCM", "Kurtosis"), None),
}


@dataclass(frozen=True, slots=True)
class QuantityCode:
    """How one number of the dictionary is coded: concept, derivation if any, unit."""

    name: Code
    derivation: Code | None
    unit: Code
    decimals: int
    label: str


class QuantityCodes(dict[str, QuantityCode]):
    """Codes by key of the dictionary; that of a threshold asked for is made when it is looked up."""

    def __init__(self, rows: Dictionary) -> None:
        self._rows = rows
        super().__init__((key, self.__missing__(key)) for key in rows)

    def __missing__(self, key: str) -> QuantityCode:
        row = self._rows[key]
        own = Code(code_value(key), SCHEME, row.label[:MEANING_CHARS])
        name, derivation = _STANDARD.get(key, (own, None))
        return QuantityCode(name, derivation, UNITS[row.unit], row.decimals, row.label)


def quantity_codes(profile: str) -> QuantityCodes:
    """Code of every number, as one profile defines it."""
    return QuantityCodes(quantities_of(profile))


def structure_code(region: Region) -> Code:
    """Anatomy of a region, without its side."""
    value = SNOMED_CODES.get(region.key)
    return LUNG if value is None else Code(value, "SCT", MEANINGS[value])


def side_code(region: Region) -> Code | None:
    """Side of a region; None for the airways, which have none."""
    if region.side is not None:
        return SIDES[region.side]
    return BOTH_SIDES if structure_code(region) == LUNG else None


def flag_code(flag: Flag) -> Code:
    """Code of a doubt."""
    return Code(code_value(flag.key), SCHEME, flag.meaning[:MEANING_CHARS])


def code_value(key: str) -> str:
    """Turn a key into a code value, which has 16 characters at most (value representation SH).

    >>> code_value("laa950_percent"), code_value("laa_cluster_large_percent")
    ('LAA950_PERCENT', 'LAA_CLSTR_LRG_PR')
    """
    value = key.upper()
    return value if len(value) <= VALUE_CHARS else _short(value)


def _short(value: str) -> str:
    """Shorten a key to what a code value may have: drop vowels from its end, then letters."""
    head, tail = value[:4], value[4:]
    while len(head) + len(tail) > VALUE_CHARS:
        at = max((tail.rfind(vowel) for vowel in "AEIOU"), default=-1)
        tail = tail[:-1] if at < 0 else tail[:at] + tail[at + 1 :]
    return head + tail


def code_item(code: Code) -> Dataset:
    """Return a code as an item of a code sequence."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def scheme_item() -> Dataset:
    """Declare our own coding scheme (Coding Scheme Identification Sequence, PS3.3 C.12.1)."""
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = SCHEME_NAME
    item.CodingSchemeResponsibleOrganization = "The qct developers"
    return item
