"""Every region that is measured or drawn: number, name, colour, code.

Two tables. `LABELS` has the numbers that stand in a label map (``labels.nii.gz``); they exclude each
other. `REGIONS` has what is reported; a region is a union of labels, for a third cut to a slab.

Label numbers 1 to 5 are those of lungmask's LTRC model, so that its results drop in.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Side(StrEnum):
    """Side of the patient, not of the picture."""

    RIGHT = "right"
    LEFT = "left"


class Label(IntEnum):
    """Numbers in a label map."""

    BACKGROUND = 0
    LEFT_UPPER_LOBE = 1
    LEFT_LOWER_LOBE = 2
    RIGHT_UPPER_LOBE = 3
    RIGHT_MIDDLE_LOBE = 4
    RIGHT_LOWER_LOBE = 5
    RIGHT_LUNG = 6
    """Right lung whose lobes could not be told apart."""
    LEFT_LUNG = 7
    """Left lung whose lobes could not be told apart."""
    AIRWAY = 8
    """Trachea and bronchi: lumen and wall as segmented; not part of a lung."""


DENSE = 16
"""Added to a lung label where the lung is airless (consolidation, tumour, collapse, effusion within
the lung's outline): such a voxel counts for volume and is left out of density."""

N_LABELS = 32
"""One more than the largest number that a label map may hold."""


class Slab(IntEnum):
    """Thirds of a lung along the body axis, counted from the diaphragm."""

    LOWER = 0
    MIDDLE = 1
    UPPER = 2


class Zone(StrEnum):
    """Parts of the lungs by distance from their surface."""

    CORE = "core"
    PEEL = "peel"


@dataclass(frozen=True, slots=True)
class Region:
    """One reported region.

    Attributes
    ----------
    key : str
        Name in JSON and CSV.
    name : str
        What a reader sees.
    labels : tuple of Label
        Its parts in a label map (each with its `DENSE` twin).
    slab : Slab or None
        For a third: which.
    by_height : bool
        For a third: cut to equal height, not to equal volume.
    zone : Zone or None
        For a part by its distance from the pleura: which.
    side : Side or None
        None for regions of both sides.
    colour : str
        sRGB, ``#rrggbb``; colour-blind safe (after Okabe and Ito 2008).
    """

    key: str
    name: str
    labels: tuple[Label, ...]
    side: Side | None = None
    slab: Slab | None = None
    colour: str = "#999999"
    by_height: bool = False
    zone: Zone | None = None


_LUL, _LLL = Label.LEFT_UPPER_LOBE, Label.LEFT_LOWER_LOBE
_RUL, _RML, _RLL = Label.RIGHT_UPPER_LOBE, Label.RIGHT_MIDDLE_LOBE, Label.RIGHT_LOWER_LOBE
_LEFT = (_LUL, _LLL, Label.LEFT_LUNG)
_RIGHT = (_RUL, _RML, _RLL, Label.RIGHT_LUNG)


def _thirds(*, by_height: bool) -> tuple[Region, ...]:
    end, of = ("_by_height", " by height") if by_height else ("", "")
    spans = (
        ("", "", _RIGHT + _LEFT, None),
        ("right_", "right ", _RIGHT, Side.RIGHT),
        ("left_", "left ", _LEFT, Side.LEFT),
    )
    return tuple(
        Region(
            f"{prefix}{slab.name.lower()}_third{end}",
            f"{word}{slab.name.lower()} third{of}".capitalize(),
            labels,
            side,
            slab,
            by_height=by_height,
        )
        for prefix, word, labels, side in spans
        for slab in reversed(Slab)
    )


WHOLE_LUNG = Region("whole_lung", "Both lungs", _RIGHT + _LEFT, colour="#4d4d4d")
RIGHT_LUNG = Region("right_lung", "Right lung", _RIGHT, Side.RIGHT, colour="#0072b2")
LEFT_LUNG = Region("left_lung", "Left lung", _LEFT, Side.LEFT, colour="#d55e00")
LOBES = (
    Region("right_upper_lobe", "Right upper lobe", (_RUL,), Side.RIGHT, colour="#56b4e9"),
    Region("right_middle_lobe", "Right middle lobe", (_RML,), Side.RIGHT, colour="#f0e442"),
    Region("right_lower_lobe", "Right lower lobe", (_RLL,), Side.RIGHT, colour="#0072b2"),
    Region("left_upper_lobe", "Left upper lobe", (_LUL,), Side.LEFT, colour="#e69f00"),
    Region("left_lower_lobe", "Left lower lobe", (_LLL,), Side.LEFT, colour="#d55e00"),
)
UPPER_AND_MIDDLE = Region(
    "right_upper_and_middle",
    "Right upper and middle lobe",
    (_RUL, _RML),
    Side.RIGHT,
    colour="#56b4e9",
)
"""Known better than its two lobes where the horizontal fissure is not seen."""

THIRDS = _thirds(by_height=False)
HEIGHT_THIRDS = _thirds(by_height=True)
CORE = Region("core", "Core of both lungs", _RIGHT + _LEFT, zone=Zone.CORE)
PEEL = Region("peel", "Peel of both lungs", _RIGHT + _LEFT, zone=Zone.PEEL)
ZONES = (CORE, PEEL)
"""The lungs deeper and less deep than `qct.options.Options.peel_mm` under the pleura."""
AIRWAY = Region("airway", "Trachea and bronchi", (Label.AIRWAY,), colour="#009e73")

LUNG_REGIONS = (WHOLE_LUNG, RIGHT_LUNG, LEFT_LUNG, *LOBES, *THIRDS)
"""What the report shows, in its order."""

MEASURED_REGIONS = (*LUNG_REGIONS, UPPER_AND_MIDDLE, *HEIGHT_THIRDS, *ZONES)
"""What density is measured for."""

COLOUR_NAMES = {
    "#56b4e9": "light blue",
    "#f0e442": "yellow",
    "#0072b2": "blue",
    "#e69f00": "orange",
    "#d55e00": "vermilion",
    "#009e73": "green",
}
"""What the colours of Okabe and Ito are called."""

REGIONS = {region.key: region for region in (*MEASURED_REGIONS, AIRWAY)}


SNOMED_CODES = {
    "right_upper_lobe": "45653009",
    "right_middle_lobe": "72481006",
    "right_lower_lobe": "90572001",
    "left_upper_lobe": "45653009",
    "left_lower_lobe": "90572001",
    "airway": "110726009",
}
"""Anatomy of a region without its side (DICOM PS3.16); `SNOMED_LUNG` for all others."""

SNOMED_LUNG = "39607008"

SNOMED_SIDES = {Side.RIGHT: "24028007", Side.LEFT: "7771000"}


BRONCHI = {
    "trachea": "Trachea",
    "right_main": "Right main bronchus",
    "left_main": "Left main bronchus",
    "intermediate": "Intermediate bronchus",
    "right_upper_lobe": "Right upper lobar bronchus",
    "right_middle_lobe": "Middle lobar bronchus",
    "right_lower_lobe": "Right lower lobar bronchus",
    "left_upper_lobe": "Left upper lobar bronchus",
    "left_lower_lobe": "Left lower lobar bronchus",
}
"""Bronchi that have a name; a lobar one has the key of its lobe."""


class Fissure(StrEnum):
    """The three fissures every pair of lungs is expected to have."""

    RIGHT_OBLIQUE = "right_oblique"
    RIGHT_HORIZONTAL = "right_horizontal"
    LEFT_OBLIQUE = "left_oblique"


FISSURE_NAMES = {
    Fissure.RIGHT_OBLIQUE: "Right oblique fissure",
    Fissure.RIGHT_HORIZONTAL: "Right horizontal (minor) fissure",
    Fissure.LEFT_OBLIQUE: "Left oblique fissure",
}


def label_names() -> dict[str, int]:
    """Region key of every number in a label map.

    >>> label_names()["left_upper_lobe"], label_names()["left_upper_lobe_dense"]
    (1, 17)
    """
    keys = {label: region.key for region in LOBES for label in region.labels}
    keys |= {
        Label.RIGHT_LUNG: "right_lung_undivided",
        Label.LEFT_LUNG: "left_lung_undivided",
        Label.AIRWAY: AIRWAY.key,
    }
    plain = {keys[label]: int(label) for label in Label if label in keys}
    dense = {
        f"{key}_dense": number + DENSE for key, number in plain.items() if number != Label.AIRWAY
    }
    return plain | dense
