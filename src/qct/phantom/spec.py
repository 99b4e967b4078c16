"""What kind of chest, in what state, on what scanner."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from qct.acquisition import KernelFamily
from qct.errors import OptionError
from qct.regions import Side


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

    hole_mm: float = 2.4
    """Smallest radius of a hole, mm; the sizes follow a power law from there on."""

    fissure_mm: float = 0.4
    """Thickness of the fissure sheets, mm."""

    incomplete: float = 0.15
    """Share (0 to 1) of the fissures' area that shows no sheet."""

    n_nodules: int = 0
    """Solid nodules of 4 to 10 mm radius."""

    consolidation_ml: float = 0.0
    """Airless lung in the right lower lobe, mL."""

    reticulation: float = 0.0
    """Share (0 to 1) of the subpleural lung that is thickened and ground-glass (interstitial disease)."""

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


LIMITS: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**32 - 1),
    "lung_ml": (2000, 9000),
    "laa": (0, 60),
    "upper": (0, 1),
    "hole_mm": (0.5, 10),
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
    "mild": Preset("Small holes, above all in the upper lobes.", {"laa": 5.0, "upper": 0.7}),
    "severe": Preset(
        "Hyperinflated, large confluent holes.",
        {"laa": 30.0, "upper": 0.8, "hole_mm": 3.0, "lung_ml": 6800.0, "incomplete": 0.3},
    ),
    "one-lung": Preset("The left lung has been taken out.", {"missing_side": Side.LEFT}),
    "ild": Preset(
        "Small lungs, thickened and dense under the pleura at the base.",
        {"laa": 0.5, "lung_ml": 3400.0, "reticulation": 0.6},
    ),
    "valve": Preset(
        "Holes in the upper lobes, complete fissures: a candidate for valves.",
        {"laa": 25.0, "upper": 1.0, "hole_mm": 3.0, "lung_ml": 6500.0, "incomplete": 0.0},
    ),
    "pneumonia": Preset(
        "Airless lung in the right lower lobe.", {"laa": 0.5, "consolidation_ml": 120.0}
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
