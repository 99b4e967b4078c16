"""Density of a region from its counts, by the definitions of a profile."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qct.kernels.histogram import count_hu
from qct.measure.statistics import HuCounts
from qct.quantities import HAA_HU, LAA_HU, PERCENTILES, PROFILES, Profile
from qct.volume import PADDING_HU

LOWEST_HU = -2048
"""HU of the first bin; what lies below counts there. No scanner stores air so low."""

HIGHEST_HU = 4095
"""HU of the last bin; what lies above counts there. The top of a 12-bit scale, metal aside."""

N_BINS = HIGHEST_HU - LOWEST_HU + 1
"""Bins of 1 HU."""

FLOORS_HU = (-1000, -1024)
"""Where scanners cut off low values (HU), the higher first."""


@dataclass(frozen=True, slots=True)
class Extras:
    """Thresholds (negative HU) and percentiles that were asked for, beyond those of the dictionary."""

    laa_hu: tuple[int, ...] = ()
    percentiles: tuple[int, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Their keys, without those that the dictionary has anyway."""
        low = (f"laa{t}_percent" for t in self.laa_hu if t not in LAA_HU)
        return (*low, *(f"perc{q}_hu" for q in self.percentiles if q not in PERCENTILES))


NO_EXTRAS = Extras()


def density(
    counts: HuCounts,
    voxel_ml: float,
    *,
    profile: str = "default",
    floor_hu: int = FLOORS_HU[-1],
    extras: Extras = NO_EXTRAS,
) -> dict[str, float | None]:
    """Describe the density of a region.

    Parameters
    ----------
    counts : HuCounts
        The region's voxels.
    voxel_ml : float
        Volume of one voxel.
    profile : str
        Name in `qct.quantities.PROFILES`.
    floor_hu : int
        Values at or below it count as clipped.
    extras : Extras
        Thresholds and percentiles beyond those of the dictionary.

    Returns
    -------
    values : dict
        Value by key of `qct.quantities`; all but ``volume_ml`` and ``dense_percent``. None where a number
        is undefined (no voxel; the skewness of equal values).
    """
    chosen = PROFILES[profile]
    if counts.n == 0:
        return dict.fromkeys((*DENSITY_KEYS, *extras.keys))
    or_equal = chosen.counts_threshold
    low = {f"laa{t}_percent": counts.percent_below(-t, or_equal=or_equal) for t in extras.laa_hu}
    return {
        "mass_g": counts.mass_g(voxel_ml, chosen.mass),
        **_moments(counts, chosen),
        **_percentiles(counts, chosen),
        **_shares(counts, chosen),
        "clipped_percent": counts.percent_below(floor_hu, or_equal=True),
        **low,
        **{f"perc{q}_hu": _percentile(counts, q, chosen) for q in extras.percentiles},
    }


def _moments(counts: HuCounts, profile: Profile) -> dict[str, float | None]:
    bias = profile.corrects_bias
    return {
        "mean_hu": counts.mean(),
        "median_hu": _percentile(counts, 50, profile),
        "mode_hu": float(counts.mode()),
        "sd_hu": counts.sd(),
        "skewness": counts.skewness(corrects_bias=bias),
        "kurtosis": counts.kurtosis(corrects_bias=bias, excess=profile.excess),
    }


def _percentiles(counts: HuCounts, profile: Profile) -> dict[str, float | None]:
    in_hu = {f"perc{q}_hu": _percentile(counts, q, profile) for q in PERCENTILES}
    return {**in_hu, "perc15_g_l": in_hu["perc15_hu"] + 1000.0}


def _percentile(counts: HuCounts, percent: int, profile: Profile) -> float:
    if profile.interpolates:
        return counts.percentile(percent)
    return float(counts.percentile_step(percent))


def _shares(counts: HuCounts, profile: Profile) -> dict[str, float | None]:
    low = {
        f"laa{t}_percent": counts.percent_below(-t, or_equal=profile.counts_threshold)
        for t in LAA_HU
    }
    bottom, top = HAA_HU
    high = (
        counts.percent_between(bottom, top) if profile.caps_high else counts.percent_above(bottom)
    )
    return {**low, "haa_percent": high}


DENSITY_KEYS = (
    *("mass_g", "mean_hu", "median_hu", "mode_hu", "sd_hu", "skewness", "kurtosis"),
    *(f"perc{q}_hu" for q in PERCENTILES),
    "perc15_g_l",
    *(f"laa{t}_percent" for t in LAA_HU),
    *("haa_percent", "clipped_percent"),
)
"""What `density` returns."""


def floor_of(counts: HuCounts) -> int:
    """Tell where low values were cut off: at -1000 HU if nothing lies below it, else at -1024 HU."""
    return next((f for f in FLOORS_HU if counts.n_below(f) == 0), FLOORS_HU[-1])


def density_of(
    hu: npt.NDArray[np.int16],
    labels: npt.NDArray[np.bool_] | npt.NDArray[np.uint8],
    voxel_ml: float,
    *,
    profile: str = "default",
    extras: Extras = NO_EXTRAS,
) -> Mapping[int, Mapping[str, float | None]]:
    """Measure the regions of any label map, on plain arrays.

    Unlike `measure`, it knows no lobes, leaves nothing out, and describes a region however small.

    Parameters
    ----------
    hu : int16, any shape
        Hounsfield units; `qct.volume.PADDING_HU` never counts.
    labels : bool or uint8, shape of `hu`
        A mask, which is region 1, or a region number per voxel; 0 is background.
    voxel_ml : float
        Volume of one voxel.
    profile : str
        Name in `qct.quantities.PROFILES`.
    extras : Extras
        Thresholds and percentiles beyond those of the dictionary.

    Returns
    -------
    values : mapping
        For every number that occurs: value by key of `qct.quantities`, without ``dense_percent``.

    Raises
    ------
    ValueError
        If the arrays differ in shape, or are of other types.
    KeyError
        If there is no such profile.

    Examples
    --------
    >>> hu = np.array([[-980, -900], [-860, 40]], np.int16)
    >>> found = density_of(hu, hu < -500, voxel_ml=0.5)[1]
    >>> found["volume_ml"], found["median_hu"], round(found["laa950_percent"], 1)
    (1.5, -900.0, 33.3)
    """
    if hu.shape != labels.shape:
        msg = f"labels {labels.shape} are not on the grid {hu.shape}"
        raise ValueError(msg)
    if hu.dtype != np.int16 or labels.dtype not in (np.bool_, np.uint8):
        msg = f"hu is {hu.dtype} and labels are {labels.dtype}, expected int16 and bool or uint8"
        raise ValueError(msg)

    numbers = labels.reshape(1, -1).astype(np.uint8)
    one_slab = np.zeros((int(numbers.max(initial=0)) + 1, 1), np.uint8)
    table = count_regions(hu.reshape(1, -1), numbers, one_slab, 1)
    regions = {r: HuCounts(LOWEST_HU, table[r, 0]) for r in range(1, len(table))}
    return {
        r: {
            "volume_ml": counts.n * voxel_ml,
            **density(counts, voxel_ml, profile=profile, floor_hu=floor_of(counts), extras=extras),
        }
        for r, counts in regions.items()
        if counts.n
    }


def count_regions(
    hu: npt.NDArray[np.int16],
    labels: npt.NDArray[np.uint8],
    slab_of: npt.NDArray[np.uint8],
    n_slabs: int,
) -> npt.NDArray[np.int64]:
    """Count (label, slab, HU) of two (Z, N) arrays; `slab_of` (labels, Z) has a row for every label."""
    bins = (LOWEST_HU, N_BINS, PADDING_HU)
    return count_hu(np.ascontiguousarray(hu), labels, np.ascontiguousarray(slab_of), n_slabs, bins)
