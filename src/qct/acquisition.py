"""What the scanner said: patient, study, acquisition. Every field may be missing, and then is None."""

from dataclasses import dataclass
from enum import StrEnum


class KernelFamily(StrEnum):
    """How a reconstruction kernel treats edges."""

    SOFT = "soft"
    STANDARD = "standard"
    SHARP = "sharp"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Who was scanned (DICOM Patient and Patient Study modules)."""

    name: str | None = None
    patient_id: str | None = None
    birth_date: str | None = None
    sex: str | None = None
    """``M``, ``F`` or ``O``."""
    age_years: float | None = None
    height_m: float | None = None
    weight_kg: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Which examination (DICOM General Study module). Dates are ISO 8601."""

    study_uid: str | None = None
    study_id: str | None = None
    accession: str | None = None
    description: str | None = None
    date: str | None = None
    time: str | None = None
    referrer: str | None = None
    institution: str | None = None
    frame_of_reference_uid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquisition:
    """How the chosen series was made (DICOM General Series and CT Image modules)."""

    series_uid: str | None = None
    series_number: int | None = None
    series_description: str | None = None
    protocol: str | None = None
    body_part: str | None = None
    date: str | None = None
    time: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    software: str | None = None
    kvp: float | None = None
    exposure_mas: float | None = None
    ctdi_vol_mgy: float | None = None
    recon_kernel: str | None = None
    kernel_family: KernelFamily = KernelFamily.UNKNOWN
    is_iterative: bool | None = None
    slice_mm: float | None = None
    """Slice thickness as the header has it; volumes use the distance of positions instead."""
    has_contrast: bool | None = None
    contrast_agent: str | None = None
    patient_position: str | None = None
    image_type: tuple[str, ...] = ()
    is_monoenergetic: bool = False
    """A virtual monoenergetic image, computed from a multi-energy scan."""
    monoenergetic_kev: float | None = None
    transfer_syntax: str | None = None
    is_lossy: bool = False
    gantry_tilt_deg: float | None = None
    """From ImageOrientation and ImagePosition, not from the tilt attribute."""
    floor_hu: int | None = None
    """Lowest value that the stored pixels can take, where the image shows that it was reached."""
    n_slices: int = 0
