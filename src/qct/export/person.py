"""Names of people, from how they are read to how DICOM, FHIR and HL7 write them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PersonName:
    """A name in the parts that the standards have.

    Attributes
    ----------
    family, given : str
        Given names are parted by spaces; empty if there are none.
    """

    family: str
    given: str = ""

    @property
    def dicom(self) -> str:
        """Value of a DICOM attribute (value representation PN)."""
        parts = [_without(part, "^=\\") for part in (self.family, self.given)]
        return "^".join(parts).rstrip("^")


def parted(name: str) -> PersonName:
    """Take a name apart: ``Family, Given (other scripts)`` as it is read, or ``Family^Given`` as in DICOM.

    >>> parted("Muster, Erika"), parted("Muster^Ada^B")
    (PersonName(family='Muster', given='Erika'), PersonName(family='Muster', given='Ada B'))
    >>> parted("山田, 太郎 (やまだ)").dicom
    '山田^太郎'
    """
    if "^" in name or "=" in name:
        family, *rest = name.partition("=")[0].split("^")
        return PersonName(family.strip(), " ".join(p.strip() for p in rest[:2] if p.strip()))
    shown = name.partition(" (")[0] or name
    family, _, given = shown.partition(", ")
    return PersonName(family.strip(), given.strip())


def _without(text: str, letters: str) -> str:
    return text.translate({ord(letter): " " for letter in letters}).strip()
