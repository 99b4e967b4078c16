"""What kind of chest, in what state, on what scanner."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from qct.acquisition import KernelFamily
from qct.errors import OptionError
from qct.regions import LOBES, Side


class Emphysema(StrEnum):
    """Where holes prefer to lie."""

    CENTRILOBULAR = "centrilobular"
    """In patches away from the pleura."""
    PANLOBULAR = "panlobular"
    """Everywhere alike; `ChestSpec.upper` counts from the base."""
    PARASEPTAL = "paraseptal"
    """In one layer under the pleura."""


class Breath(StrEnum):
    """Levels of the breath."""

    INSPIRATION = "inspiration"
    EXPIRATION = "expiration"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChestSpec:
    """Settings of one digital chest. One spec makes one chest, to the last bit.

    Anatomy, disease, scanner noise and file names draw from separate random streams of `seed`: the same
    seed with another disease or kernel is the same person.

    Raises
    ------
    OptionError
        If a setting is outside its limits.
    """

    seed: int = 7
    """Who: shapes of lungs, lobes, trees."""

    lung_ml: float = 5200.0
    """Volume inside both pleurae as if both lungs were there, mL."""

    laa: float = 1.0
    """Share of the lung below -950 HU before imaging, percent. Lumens of small bronchi count: below the
    share that they alone make, no hole is added."""

    upper: float = 0.5
    """Where the holes are: 0 everywhere alike, 1 nearly all in the upper half."""

    laa_lobes: Mapping[str, float] | None = None
    """The share by lobe (key of `qct.regions.LOBES`), percent, instead of `laa`; others get no hole."""

    emphysema: Emphysema = Emphysema.CENTRILOBULAR
    """Pattern of the holes."""

    hole_mm: float = 1.5
    """Smallest radius of a hole, mm; the sizes follow a power law from there on."""

    cluster_d: float = 0.9
    """Exponent D of that law: the number of holes of at least v mm3 falls as v to the power -D."""

    n_bullae: int = 0
    """Bullae under the pleura of the upper half."""

    bulla_mm: float = 40.0
    """Their diameter, mm."""

    wall: float = 1.0
    """Thickness of the bronchial walls over the usual."""

    fissure_mm: float = 0.4
    """Thickness of the fissure sheets, mm."""

    incomplete: float = 0.15
    """Share (0 to 1) of the fissures' area that shows no sheet."""

    n_nodules: int = 0
    """Solid nodules of 4 to 10 mm radius."""

    consolidation_ml: float = 0.0
    """Airless lung in the right lower lobe, mL."""

    ground_glass_ml: float = 0.0
    """Hazy lung in the left lower lobe, mL."""

    tumour_mm: float = 0.0
    """Diameter of a solid mass in the right upper lobe, mm."""

    effusion_ml: float = 0.0
    """Fluid behind the right lung, mL; not lung."""

    honeycomb: float = 0.0
    """Share (0 to 1) of the reticulated lung that is cysts."""

    reticulation: float = 0.0
    """Share (0 to 1) of the subpleural lung that is thickened and ground-glass (interstitial disease)."""

    breath: Breath = Breath.INSPIRATION
    """Level of the breath; shares of low attenuation that are asked for hold in inspiration."""

    exhale_mm: float = 45.0
    """How much higher the diaphragm stands in expiration, mm."""

    date: int = 1
    """Which of the person's scans: every date is a study of its own, a year after the one before."""

    accessory: bool = False
    """Whether there are a left minor and a right inferior accessory fissure; they bound no lobe."""

    fat_mm: float = 0.0
    """Fat under the skin beyond the usual, mm."""

    arms_down: bool = False
    """Whether the arms lie beside the body."""

    missing_side: Side | None = None
    """Lung that has been taken out."""

    model_mm: float = 0.8
    """Voxel of the model from which the image is made, mm."""

    kernel: KernelFamily = KernelFamily.STANDARD
    """Reconstruction kernel: ``soft``, ``standard`` or ``sharp``."""

    slice_mm: float = 1.0
    """Slice thickness and, unless `step_mm` says otherwise, distance; mm."""

    step_mm: float | None = None
    """Distance of slices, mm."""

    size: int = 512
    """Rows and columns."""

    fov_mm: float = 380.0
    """Width of the image, mm."""

    exposure_mas: float = 100.0
    """Effective tube current-time product; noise goes with its inverse root."""

    tilt_deg: float = 0.0
    """Tilt of the gantry; positive where slices rise towards the back."""

    off_x_mm: float = 0.0
    off_y_mm: float = 0.0
    """How far the middle of the image lies to the patient's left, and behind where it should be, mm."""

    cut_base_mm: float = 0.0
    """How much of the bases, upwards from the lowest lung, was not scanned, mm."""

    motion_mm: float = 0.0
    """How far the border of the heart moves while a slice is scanned, mm."""

    drift_hu: float = 0.0
    """Beam hardening: the middle reads so much too low, and base and top differ by as much, HU."""

    streaks_hu: float = 0.0
    """Streaks from side to side where little light comes through, one standard deviation, HU."""

    floor_hu: int = -1024
    """Lowest HU that is stored: -1024 or -1000."""

    noise: bool = True
    """Whether the image is noisy."""

    circle: bool = False
    """Whether the corners outside the circular field of view are padding."""

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                msg = f"{name} = {value} is not between {low:g} and {high:g}"
                raise OptionError(msg, hint="Leave it out for the default.")
        if self.kernel not in (KernelFamily.SOFT, KernelFamily.STANDARD, KernelFamily.SHARP):
            msg = f"kernel = {self.kernel!r} is none of soft, standard, sharp"
            raise OptionError(msg, hint="Leave it out for standard.")
        if self.floor_hu not in (-1024, -1000):
            msg = f"floor_hu = {self.floor_hu} is neither -1024 nor -1000"
            raise OptionError(msg, hint="Leave it out for -1024.")
        known = {lobe.key for lobe in LOBES}
        for key, percent in (self.laa_lobes or {}).items():
            if key not in known or not 0 <= percent <= LIMITS["laa"][1]:
                msg = f"laa_lobes {key} = {percent} is no share of a lobe"
                raise OptionError(msg, hint=f"Lobes: {', '.join(sorted(known))}; 0 to 60 percent.")

    @property
    def voxel_mm(self) -> float:
        """Longest edge of what the image resolves: the slice or the pixel."""
        return max(self.slice_mm, self.fov_mm / self.size)


LIMITS: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**32 - 1),
    "lung_ml": (400, 9000),
    "laa": (0, 60),
    "upper": (0, 1),
    "hole_mm": (0.5, 10),
    "cluster_d": (0.3, 3),
    "n_bullae": (0, 20),
    "bulla_mm": (10, 120),
    "wall": (0.3, 2.5),
    "ground_glass_ml": (0, 500),
    "tumour_mm": (0, 80),
    "effusion_ml": (0, 1500),
    "honeycomb": (0, 1),
    "exhale_mm": (5, 80),
    "date": (1, 9),
    "fat_mm": (0, 80),
    "tilt_deg": (-30, 30),
    "off_x_mm": (-120, 120),
    "off_y_mm": (-120, 120),
    "cut_base_mm": (0, 150),
    "motion_mm": (0, 15),
    "drift_hu": (0, 40),
    "streaks_hu": (0, 300),
    "floor_hu": (-1024, -1000),
    "fissure_mm": (0, 2),
    "incomplete": (0, 1),
    "n_nodules": (0, 50),
    "consolidation_ml": (0, 500),
    "reticulation": (0, 1),
    "model_mm": (0.5, 3),
    "slice_mm": (0.3, 10),
    "step_mm": (0.3, 10),
    "size": (64, 1024),
    "fov_mm": (250, 600),
    "exposure_mas": (5, 1000),
}
"""Lowest and highest value of every numeric setting."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A named state of health."""

    says: str
    settings: Mapping[str, Any] = field(default_factory=dict)


PRESETS: Mapping[str, Preset] = {
    "healthy": Preset("Hardly any low attenuation.", {"laa": 0.5}),
    "mild": Preset("Small holes, above all in the upper lobes.", {"laa": 6.0, "upper": 0.6}),
    "severe": Preset(
        "Hyperinflated, large confluent holes, thick bronchi.",
        {
            "laa": 30.0,
            "upper": 0.6,
            "cluster_d": 0.7,
            "lung_ml": 6800.0,
            "fov_mm": 420.0,
            "incomplete": 0.3,
            "wall": 1.25,
            "n_bullae": 3,
            "bulla_mm": 35.0,
        },
    ),
    "paraseptal": Preset(
        "A layer of holes under the pleura.", {"laa": 4.0, "emphysema": Emphysema.PARASEPTAL}
    ),
    "panlobular": Preset(
        "Holes all over, most at the base, as in alpha-1 antitrypsin deficiency.",
        {
            "laa": 22.0,
            "upper": 0.5,
            "emphysema": Emphysema.PANLOBULAR,
            "lung_ml": 6300.0,
            "fov_mm": 420.0,
        },
    ),
    "one-lung": Preset("The left lung has been taken out.", {"missing_side": Side.LEFT}),
    "ild": Preset(
        "Small lungs, thickened and dense under the pleura at the base, with honeycombing.",
        {"laa": 0.5, "lung_ml": 3400.0, "reticulation": 0.6, "honeycomb": 0.35},
    ),
    "valve-candidate": Preset(
        "Holes in the upper lobes, complete fissures: a candidate for valves.",
        {
            "laa": 25.0,
            "upper": 1.0,
            "cluster_d": 0.7,
            "lung_ml": 6500.0,
            "fov_mm": 420.0,
            "incomplete": 0.0,
            "wall": 1.15,
        },
    ),
    "pneumonia": Preset(
        "Airless lung in the right lower lobe.",
        {"laa": 0.5, "consolidation_ml": 120.0, "ground_glass_ml": 80.0},
    ),
    "tumour": Preset(
        "A mass in the right upper lobe, nodules, fluid behind the right lung.",
        {"laa": 2.0, "tumour_mm": 45.0, "n_nodules": 4, "effusion_ml": 250.0},
    ),
    "paediatric-size": Preset(
        "The size of a child of eight.", {"laa": 0.3, "lung_ml": 1700.0, "fov_mm": 270.0}
    ),
}
"""Chests worth having a name."""


def preset(name: str, **settings: Any) -> ChestSpec:
    """Return the spec of a preset, with some settings changed.

    Raises
    ------
    OptionError
        If there is no such preset or setting.
    """
    if name not in PRESETS:
        raise OptionError(f"no preset {name!r}", hint=f"Known: {', '.join(PRESETS)}.")
    known = {one.name for one in fields(ChestSpec)}
    for unknown in settings.keys() - known:
        raise OptionError(f"unknown setting {unknown!r}", hint=f"Known: {', '.join(known)}.")
    return replace(ChestSpec(**PRESETS[name].settings), **settings)
