"""Every reported number: key, label, unit (UCUM), decimals, definition, source."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quantity:
    """One row of the dictionary.

    Attributes
    ----------
    key : str
        Name in JSON and CSV; ends in its unit.
    label : str
        What a reader sees.
    unit : str
        UCUM code; ``1`` for a ratio.
    decimals : int
        Digits after the point that the method can defend.
    definition : str
        One sentence; with the operator where there is a threshold.
    source : str
        Key of an entry in docs/references.md.
    """

    key: str
    label: str
    unit: str
    decimals: int
    definition: str
    source: str

    def text(self, value: float | None) -> str:
        """Show a value the way a report prints it.

        >>> QUANTITIES["perc15_hu"].text(-912.347)
        '-912 HU'
        >>> QUANTITIES["perc15_hu"].text(None)
        'not measured'
        """
        if value is None:
            return "not measured"
        shown = f"{value:.{self.decimals}f}"
        if float(shown) == 0:
            shown = shown.lstrip("-")
        return f"{shown} {UNIT_WORDS[self.unit]}".rstrip()


UNIT_WORDS = {"[hnsf'U]": "HU", "mL": "mL", "g": "g", "g/L": "g/L", "%": "%", "1": "", "mm": "mm"}
"""How a UCUM code is printed."""

_ROWS = (
    Quantity("volume_ml", "Volume", "mL", 0, "Voxels x voxel volume.", "coxson1999"),
    Quantity(
        "mass_g",
        "Mass",
        "g",
        0,
        "Sum of (HU + 1000)/1000 g/mL, not below 0, x voxel volume.",
        "coxson1999",
    ),
    Quantity("mean_hu", "Mean density", "[hnsf'U]", 0, "Mean of HU.", "coxson1999"),
    Quantity(
        "perc15_hu",
        "15th percentile density",
        "[hnsf'U]",
        0,
        "15th percentile of HU, linear between order statistics.",
        "parr2008",
    ),
    Quantity(
        "laa950_percent",
        "Low attenuation below -950 HU",
        "%",
        1,
        "Share of voxels with HU < -950.",
        "gevenois1996",
    ),
)
QUANTITIES = {row.key: row for row in _ROWS}
