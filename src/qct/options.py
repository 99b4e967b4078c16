"""Every setting: unit, default, limits; stored with every result."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, Self

from qct.errors import OptionError

PROFILES = ("default", "le", "cip", "cip_histogram", "pyradiomics")
"""Named sets of definitions; see docs/metrics.md."""

EMBEDDED = "surfaces"
"""The segmenter that needs no network."""

SEGMENTERS = (EMBEDDED, "lungmask", "totalsegmentator")
"""Who finds lungs and lobes: ``surfaces`` fits fissure surfaces, without a network; the others are
networks of other people, which are installed apart (extras of the same name)."""

SEXES = ("M", "F", "O")
"""As in DICOM."""

PERSON_LIMITS = {"age_years": (0, 130), "height_cm": (30, 250), "weight_kg": (1, 400)}
"""What a person can have; meant to catch a wrong unit."""

SCAN_LIMITS = {"kvp": (40, 200), "slice_mm": (0.1, 20), "ctdi_vol_mgy": (0.01, 500)}
"""What a scan can have; likewise."""

POSITIONS = ("HFS", "HFP", "FFS", "FFP", "HFDR", "HFDL", "FFDR", "FFDL")
"""As in DICOM PatientPosition (PS3.3 C.7.3.1.1.2)."""

TOLD = (
    "recon_kernel",
    "manufacturer",
    "kvp",
    "slice_mm",
    "ctdi_vol_mgy",
    "has_contrast",
    "patient_position",
)
"""Settings that fill what a header does not say of the acquisition; named like its fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Settings of one analysis.

    Raises
    ------
    OptionError
        If a setting is outside its limits.
    """

    series_uid: str | None = None
    """Measure this series, whatever the ranking says."""

    profile: str = "default"
    """Which variant of each definition is used."""

    segmenter: str = EMBEDDED
    """Who finds lungs and lobes."""

    weights: str | None = None
    """Where the weights of a network are; None looks where it keeps them itself."""

    allow_download: bool = False
    """May a network fetch weights that are not there?"""

    threads: int = 0
    """Threads to compute with; 0 means every core. No number depends on it."""

    laa_hu: tuple[int, ...] = ()
    """More thresholds of low attenuation, as positive numbers: 920 stands for -920 HU."""

    percentiles: tuple[int, ...] = ()
    """More percentiles of HU, percent."""

    peel_mm: float = 10.0
    """The peel is what lies less deep than this under the pleura; the core is the rest."""

    normalise: bool = False
    """Also measure low attenuation as a soft kernel would show it."""

    age_years: float | None = None
    """Age at the scan, where the header does not say it or says it wrong."""

    sex: str | None = None
    """``M``, ``F`` or ``O``, likewise."""

    height_cm: float | None = None
    """Height, likewise."""

    weight_kg: float | None = None
    """Weight, likewise."""

    recon_kernel: str | None = None
    """Reconstruction kernel, where the header does not say it."""

    manufacturer: str | None = None
    """Who made the scanner, likewise; tells what the kernel's name means."""

    kvp: float | None = None
    """Tube voltage (kV), likewise."""

    slice_mm: float | None = None
    """Slice thickness, likewise."""

    ctdi_vol_mgy: float | None = None
    """Dose, likewise."""

    has_contrast: bool | None = None
    """Whether contrast medium was given, likewise."""

    patient_position: str | None = None
    """As in DICOM (HFS is on the back, head first), likewise."""

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            msg = f"profile = {self.profile!r} is none of {', '.join(PROFILES)}"
            raise OptionError(msg, hint="Leave it out for the default definitions.")
        if self.segmenter not in SEGMENTERS:
            msg = f"segmenter = {self.segmenter!r} is none of {', '.join(SEGMENTERS)}"
            raise OptionError(msg, hint="Leave it out for the embedded segmentation.")
        if not 0 <= self.threads <= 256:
            msg = f"threads = {self.threads} is not between 0 and 256"
            raise OptionError(msg, hint="0 uses every core.")
        if not 1 <= self.peel_mm <= 50:
            msg = f"peel_mm = {self.peel_mm} is not between 1 and 50"
            raise OptionError(msg, hint="The usual peel is 10 mm.")
        self._check_extras("laa_hu", 500, 1024)
        self._check_extras("percentiles", 1, 99)
        if self.patient_position not in (None, *POSITIONS):
            msg = f"patient_position = {self.patient_position!r} is none of {', '.join(POSITIONS)}"
            raise OptionError(msg, hint="HFS is on the back, head first.")
        self._check_numbers()

    def _check_extras(self, name: str, lowest: int, highest: int) -> None:
        """Order the numbers asked for, and drop doubles."""
        asked = getattr(self, name)
        for number in asked:
            if not (isinstance(number, int) and lowest <= number <= highest):
                msg = f"{name}: {number} is not a whole number from {lowest} to {highest}"
                raise OptionError(msg, hint="Write 920 for -920 HU, and 5 for the 5th percentile.")
        object.__setattr__(self, name, tuple(sorted(set(asked))))

    def _check_numbers(self) -> None:
        if self.sex not in (None, *SEXES):
            msg = f"sex = {self.sex!r} is none of {', '.join(SEXES)}"
            raise OptionError(msg, hint="Leave it out to take it from the header.")
        for name, (lowest, highest) in (PERSON_LIMITS | SCAN_LIMITS).items():
            value = getattr(self, name)
            if value is not None and not lowest <= value <= highest:
                msg = f"{name} = {value} is not between {lowest} and {highest}"
                raise OptionError(msg, hint="Check the unit, or leave it out.")

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> Self:
        """Build options from a parsed table; unknown names are refused."""
        known = [field.name for field in fields(cls)]
        for name in settings.keys() - set(known):
            close = get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}."
            raise OptionError(f"unknown setting {name!r}", hint=hint)
        return cls(**settings)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)
