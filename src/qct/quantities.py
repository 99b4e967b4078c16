"""Every reported number: key, label, unit (UCUM), decimals, definition, source; and the named profiles.

Where tools of the field disagree on a definition, each variant is a `Profile`. `quantities_of` gives the
dictionary as one profile has it, so that a label always prints the operator that was used.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

LAA_HU = (970, 950, 910, 856)
"""Thresholds of low attenuation (negative HU)."""

HAA_HU = (-600, -250)
"""Limits of high attenuation, both included (HU)."""

PERCENTILES = (10, 15)
"""Percentiles of HU that are reported (percent)."""

PI10_PERIMETER_MM = (6.0, 20.0)
"""Inner perimeters of the airways that Pi10 is regressed on (mm)."""

CLUSTER_FIT_MM3 = (5.0, 1000.0)
"""Cluster volumes between which the power law is fitted (mm3): above what noise makes, below the few giants."""

CLUSTER_EDGES_MM = (1.5, 7.0, 15.0)
"""Equivalent diameters that part the size classes of clusters (mm)."""

CLUSTER_CLASSES = ("tiny", "small", "medium", "large")
"""Names of the size classes, in the keys."""

VESSEL_MM2 = (5, 10)
"""Cross-sections under which a vessel counts as small (mm2)."""

HETEROGENEITY_HU = (950, 910)
"""Thresholds by which lobes are compared (negative HU)."""

MIN_RATIO_PERCENT = 1.0
"""A ratio of thirds needs this much LAA-950 in one of them (percent)."""

HEADLINE = ("volume_ml", "mean_hu", "perc15_hu", "laa950_percent")
"""What a reader looks at first; the overall verdict is about these."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One set of variants of the definitions.

    Attributes
    ----------
    meaning : str
        Whose definitions these are; one sentence.
    counts_threshold : bool
        A voxel at a low-attenuation threshold counts as low (``<=``, not ``<``).
    caps_high : bool
        High attenuation has an upper limit (``-600 <= HU <= -250``, not ``HU > -600``).
    corrects_bias : bool
        Skewness and kurtosis are corrected for the number of voxels.
    excess : bool
        Kurtosis of a normal distribution is 0 (Fisher), not 3 (Pearson).
    interpolates : bool
        A percentile lies linearly between order statistics; otherwise it is the highest HU with at most
        that share at or below it.
    mass : str
        ``air_clamped`` (HU + 1000 g/L, not below 0), ``air`` (may fall below 0) or ``schneider``.
    """

    meaning: str
    counts_threshold: bool = False
    caps_high: bool = True
    corrects_bias: bool = True
    excess: bool = True
    interpolates: bool = True
    mass: str = "air_clamped"


PROFILES = {
    "default": Profile(meaning="Strict thresholds, unbiased moments."),
    "le": Profile(
        meaning="A voxel at a threshold counts as low, as in most COPDGene papers.",
        counts_threshold=True,
    ),
    "cip": Profile(
        meaning="The Chest Imaging Platform's parenchyma_phenotypes (Python).",
        caps_high=False,
        mass="schneider",
    ),
    "cip_histogram": Profile(
        meaning="The Chest Imaging Platform's GenerateParenchymaPhenotypes (C++).",
        caps_high=False,
        corrects_bias=False,
        excess=False,
        interpolates=False,
        mass="air",
    ),
    "pyradiomics": Profile(
        meaning="Moments as in PyRadiomics: Pearson's kurtosis, biased.",
        corrects_bias=False,
        excess=False,
    ),
}
"""Every profile by name."""

_AIR_MASS = "Sum of (HU + 1000)/1000 g/mL{} x voxel volume, airless lung left out."
_MASS = {
    "air_clamped": (_AIR_MASS.format(", not below 0,"), "coxson1999"),
    "air": (_AIR_MASS.format(" (negative below -1000 HU)"), "cip"),
    "schneider": (
        "Sum of tissue density by HU, in four straight pieces, x voxel volume.",
        "schneider2000",
    ),
}
_LAA_SOURCES = {970: "madani2006", 950: "gevenois1996", 910: "muller1988", 856: "zach2012"}


def _amounts(profile: Profile) -> tuple[Quantity, ...]:
    mass, source = _MASS[profile.mass]
    return (
        Quantity(
            "volume_ml",
            "Volume",
            "mL",
            0,
            "Voxels x voxel volume, airless lung included, segmented airways left out.",
            "coxson1999",
        ),
        Quantity(
            "dense_percent",
            "Airless lung",
            "%",
            1,
            "Share of the region's voxels that are marked airless.",
            "qct",
        ),
        Quantity("mass_g", "Mass", "g", 0, mass, source),
    )


def _moments(profile: Profile) -> tuple[Quantity, ...]:
    bias = "corrected for bias" if profile.corrects_bias else "biased"
    normal = "0 (excess)" if profile.excess else "3 (Pearson)"
    return (
        Quantity("mean_hu", "Mean density", "[hnsf'U]", 0, "Mean of HU.", "coxson1999"),
        Quantity(
            "median_hu", "Median density", "[hnsf'U]", 0, "50th percentile of HU.", "coxson1999"
        ),
        Quantity(
            "mode_hu",
            "Modal density",
            "[hnsf'U]",
            0,
            "Most frequent HU; the lowest of equals.",
            "qct",
        ),
        Quantity(
            "sd_hu", "SD of density", "[hnsf'U]", 0, "Standard deviation of HU (divisor n).", "qct"
        ),
        Quantity("skewness", "Skewness", "1", 2, f"Skewness of HU, {bias}.", "joanes1998"),
        Quantity(
            "kurtosis",
            "Kurtosis",
            "1",
            2,
            f"Kurtosis of HU, {bias}; a normal distribution has {normal}.",
            "joanes1998",
        ),
    )


def _percentile(q: int, profile: Profile) -> Quantity:
    how = (
        "linear between order statistics"
        if profile.interpolates
        else "the highest HU with at most that share at or below it"
    )
    ending = "th" if q // 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(q % 10, "th")
    return Quantity(
        f"perc{q}_hu",
        f"Perc{q}",
        "[hnsf'U]",
        0,
        f"{q}{ending} percentile of HU, {how}.",
        "parr2008",
    )


def _percentiles(profile: Profile) -> tuple[Quantity, ...]:
    in_hu = tuple(_percentile(q, profile) for q in PERCENTILES)
    definition = "15th percentile of HU + 1000: density in g/L if air is -1000 HU and water 0."
    return (*in_hu, Quantity("perc15_g_l", "PD15", "g/L", 0, definition, "parr2008"))


def _low(t: int, profile: Profile) -> Quantity:
    operator = "<=" if profile.counts_threshold else "<"
    return Quantity(
        f"laa{t}_percent",
        f"LAA-{t} ({operator} -{t} HU)",
        "%",
        1,
        f"Share of aerated voxels with HU {operator} -{t}.",
        _LAA_SOURCES.get(t, "muller1988"),
    )


def _shares(profile: Profile) -> tuple[Quantity, ...]:
    low = tuple(_low(t, profile) for t in LAA_HU)
    bottom, top = HAA_HU
    high = f"{bottom} <= HU <= {top}" if profile.caps_high else f"HU > {bottom}"
    label = f"HAA ({bottom} to {top} HU)" if profile.caps_high else f"HAA (> {bottom} HU)"
    return (
        *low,
        Quantity(
            "haa_percent", label, "%", 1, f"Share of aerated voxels with {high}.", "lederer2009"
        ),
        Quantity(
            "clipped_percent",
            "Values at the floor",
            "%",
            1,
            "Share of aerated voxels at the scanner's lowest value, or below -1024 HU.",
            "qct",
        ),
    )


def _pattern(profile: Profile) -> tuple[Quantity, ...]:
    operator = "<=" if profile.counts_threshold else "<"
    low, high = CLUSTER_FIT_MM3
    definitions = {
        "laa950_upper_lower_ratio": (
            "LAA-950, upper / lower third",
            2,
            f"LAA-950 of the upper third / of the lower third, if either is {MIN_RATIO_PERCENT:.0f} % or more.",
            "qct",
        ),
        "laa_cluster_d": (
            "Cluster exponent D",
            2,
            f"Slope of log number against log volume of 26-connected clusters of HU {operator} -950, "
            f"{low:.0f} to {high:.0f} mm3.",
            "mishima1999",
        ),
        "laa_cluster_r_squared": (
            "R squared of D",
            2,
            "Share of the variance that the line behind D explains.",
            "mishima1999",
        ),
        "laa_cluster_fitted": (
            "Clusters behind D",
            0,
            f"Number of clusters of {low:.0f} to {high:.0f} mm3, to which D is fitted.",
            "mishima1999",
        ),
        "laa_cluster_count": (
            "Clusters",
            0,
            f"Number of 26-connected clusters of HU {operator} -950.",
            "mishima1999",
        ),
        "laa_cluster_largest_ml": (
            "Largest cluster",
            1,
            f"Volume of the largest 26-connected cluster of HU {operator} -950.",
            "qct",
        ),
        **_cluster_classes(operator),
        **_heterogeneity(operator),
    }
    units = {"percent": "%", "ml": "mL"}
    return tuple(
        Quantity(key, label, units.get(key.rpartition("_")[2], "1"), decimals, definition, source)
        for key, (label, decimals, definition, source) in definitions.items()
    )


def _airways(_profile: Profile) -> tuple[Quantity, ...]:
    low, high = PI10_PERIMETER_MM
    sizes = "mean over the segmental bronchi (those that a lobar bronchus divides into) that could be measured."
    definitions = {
        "airway_branches": (
            "Airway branches followed (total airway count)",
            "1",
            0,
            "Branches of the airway tree from one division to the next, trachea included, as far as followed.",
            "kirby2018",
        ),
        "airway_generations": (
            "Airway generations followed",
            "1",
            0,
            "Highest generation of a branch that was followed; the trachea is 0.",
            "qct",
        ),
        "airway_lumen_ml": (
            "Airway lumen",
            "mL",
            0,
            "Sum over the branches of lumen area x length, from 15 mm above the lungs to where they were lost.",
            "qct",
        ),
        "segmental_lumen_mm": (
            "Segmental bronchi, lumen diameter",
            "mm",
            1,
            f"Diameter of a disc of the lumen's area; {sizes}",
            "weinheimer2008",
        ),
        "segmental_wall_mm": (
            "Segmental bronchi, wall thickness",
            "mm",
            2,
            f"Thickness of the wall, corrected for the scanner's blur; {sizes}",
            "weinheimer2008",
        ),
        "segmental_wall_area_percent": (
            "Segmental bronchi, wall area percent",
            "%",
            1,
            f"Wall area / (lumen area + wall area); {sizes}",
            "nakano2005",
        ),
        "pi10_mm": (
            "Pi10",
            "mm",
            2,
            "Square root of the wall area of an airway of 10 mm inner perimeter, by regression over the "
            f"measured airways of {low:.0f} to {high:.0f} mm, each by its measured places.",
            "nakano2005",
        ),
        "pi10_airways": (
            "Airways behind Pi10",
            "1",
            0,
            f"Measured airways with an inner perimeter of {low:.0f} to {high:.0f} mm.",
            "nakano2005",
        ),
        "pi10_r_squared": (
            "R squared of Pi10",
            "1",
            2,
            "Share of the variance that the line behind Pi10 explains.",
            "nakano2005",
        ),
    }
    return tuple(Quantity(key, *row) for key, row in definitions.items())


def _vessels(_profile: Profile) -> tuple[Quantity, ...]:
    of = "Volume of the vessels inside the lungs"
    return (
        Quantity(
            "total_vessel_volume_ml",
            "Total vessel volume",
            "mL",
            0,
            f"{of}, by contrast over the lung between them; hilum, airway walls and airless lung left out.",
            "estepar2013",
        ),
        *(
            Quantity(
                f"bv{mm2}_ml",
                f"BV{mm2}",
                "mL",
                0,
                f"{of} with a cross-section under {mm2} mm2.",
                "estepar2013",
            )
            for mm2 in VESSEL_MM2
        ),
        Quantity(
            "bv5_share_percent",
            "BV5 / total vessel volume",
            "%",
            0,
            "BV5 / total vessel volume.",
            "estepar2013",
        ),
    )


def _cluster_classes(operator: str) -> dict[str, tuple[str, int, str, str]]:
    """Rows of the size classes: from one edge (included) to the next."""
    edges = [f"{edge:g}" for edge in CLUSTER_EDGES_MM]
    ranges = [f"under {edges[0]} mm"]
    ranges += [f"{low} to {high} mm" for low, high in pairwise(edges)]
    ranges += [f"{edges[-1]} mm or more"]
    return {
        f"laa_cluster_{name}_percent": (
            f"LAA-950 in {name} clusters",
            0,
            f"Share of the voxels with HU {operator} -950 in clusters of {within} equivalent diameter.",
            "qct",
        )
        for name, within in zip(CLUSTER_CLASSES, ranges, strict=True)
    }


def _heterogeneity(operator: str) -> dict[str, tuple[str, int, str, str]]:
    return {
        f"laa{t}_heterogeneity_percent": (
            f"Heterogeneity of LAA-{t}",
            1,
            f"LAA-{t} (HU {operator} -{t}) of the lobe less that of the other large lobe of the same lung, "
            "in points; the middle lobe is passed over.",
            "sciurba2010",
        )
        for t in HETEROGENEITY_HU
    }


def _normalised(profile: Profile) -> tuple[Quantity, ...]:
    operator = "<=" if profile.counts_threshold else "<"
    how = "with every fine band of the image weakened to the level of a soft kernel; only if asked for."
    return (
        Quantity(
            "laa950_normalised_percent",
            f"LAA-950 normalised ({operator} -950 HU)",
            "%",
            1,
            f"Share of aerated voxels with HU {operator} -950, {how}",
            "gallardo2016",
        ),
        Quantity(
            "perc15_normalised_hu",
            "Perc15 normalised",
            "[hnsf'U]",
            0,
            f"15th percentile of HU, {how}",
            "gallardo2016",
        ),
    )


def _derived(profile: Profile) -> tuple[Quantity, ...]:
    return (
        Quantity(
            "perc15_adjusted_g_l",
            "PD15 adjusted to predicted TLC",
            "g/L",
            0,
            "PD15 x volume / predicted TLC (ECSC 1993): density as if the lungs held the predicted volume "
            "(sponge model).",
            "shaker2004",
        ),
        Quantity(
            "perc15_baseline_g_l",
            "PD15 adjusted to baseline volume",
            "g/L",
            0,
            "PD15 x volume / volume of the first scan of a comparison (sponge model); in comparisons only.",
            "shaker2004",
        ),
    )


_EVERYWHERE = (_amounts, _moments, _percentiles, _shares)
_SOMEWHERE = (_pattern, _normalised, _derived, _airways, _vessels)


class Dictionary(dict[str, Quantity]):
    """Rows by key. A threshold or percentile that was asked for gets its row when it is looked up.

    >>> quantities_of("default")["laa920_percent"].definition
    'Share of aerated voxels with HU < -920.'
    """

    def __init__(self, profile: Profile) -> None:
        parts = (*_EVERYWHERE, *_SOMEWHERE)
        super().__init__((row.key, row) for part in parts for row in part(profile))
        self._profile = profile

    def __missing__(self, key: str) -> Quantity:
        """Make the row of ``laa<threshold>_percent`` or ``perc<percent>_hu``; KeyError for another key."""
        kind, number = _family(key)
        if kind == "laa":
            return _low(number, self._profile)
        if kind == "perc":
            return _percentile(number, self._profile)
        raise KeyError(key)


def _family(key: str) -> tuple[str, int]:
    """Take a key apart: ``laa`` or ``perc`` and its number; empty if it is of no family.

    >>> _family("laa920_percent"), _family("perc5_hu"), _family("laa950_upper_lower_ratio")
    (('laa', 920), ('perc', 5), ('', 0))
    """
    found = re.fullmatch(r"(laa)(\d+)_percent|(perc)(\d+)_hu", key)
    if found is None:
        return "", 0
    kind, number = (text for text in found.groups() if text is not None)
    return kind, int(number)


def kin_of(key: str) -> str:
    """Return the row of the dictionary whose rules a key obeys: its own, or the nearest of its family.

    >>> kin_of("laa920_percent"), kin_of("perc5_hu"), kin_of("mean_hu")
    ('laa910_percent', 'perc10_hu', 'mean_hu')
    """
    kind, number = _family(key)
    if kind == "laa":
        return f"laa{min(LAA_HU, key=lambda t: abs(t - number))}_percent"
    if kind == "perc":
        return f"perc{min(PERCENTILES, key=lambda q: abs(q - number))}_hu"
    return key


def quantities_of(profile: str) -> Dictionary:
    """Return the dictionary as one profile has it; KeyError for an unknown profile.

    >>> quantities_of("le")["laa950_percent"].label
    'LAA-950 (<= -950 HU)'
    """
    return Dictionary(PROFILES[profile])


QUANTITIES = quantities_of("default")
"""Every row by key, with the default definitions."""

REGION_KEYS = tuple(row.key for part in _EVERYWHERE for row in part(PROFILES["default"]))
"""What is measured of every region."""

NORMALISED_KEYS = tuple(row.key for row in _normalised(PROFILES["default"]))
"""Measured with `qct.options.Options.normalise`, of both lungs, each lung and each lobe."""

AIRWAY_KEYS = tuple(row.key for row in _airways(PROFILES["default"]))
"""Measured of the airways only."""

VESSEL_KEYS = tuple(row.key for row in _vessels(PROFILES["default"]))
"""Measured of both lungs, each lung and each lobe."""

PATTERN_KEYS = tuple(row.key for row in _pattern(PROFILES["default"]))
"""Measured for some regions: ratio of thirds for the lungs, clusters for both, heterogeneity for lobes."""


def markdown_table(profile: str = "default") -> str:
    """Return the dictionary as the table of docs/metrics.md."""
    lines = ["| key | label | unit (UCUM) | digits | definition | source |", "| --- " * 6 + "|"]
    lines += [
        f"| `{row.key}` | {_escaped(row.label)} | `{row.unit}` | {row.decimals} "
        f"| {_escaped(row.definition)} | [{row.source}](references.md) |"
        for row in quantities_of(profile).values()
    ]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("|", "\\|")
