"""What a chest is known to measure.

Lung, in the truth, is everything inside the pleura of a lobe (vessels, small bronchi and all) less the
airways of generation 0 to `AIRWAY_GENERATIONS`, lumen and wall: the rule of `qct.regions`. Because
no program follows the airways exactly that far, `by_airway_generation` gives the same numbers with the
airways taken out to another generation.

There are two truths. ``model`` is that of the fine, sharp model before imaging: the share of low
attenuation that was asked for holds there, exactly. ``sampled`` is that of the noise-free image on the
scanner's grid inside the true labels: the scanner's blur has already closed small holes and darkened
borders, as it would in a patient. **A measurement is to be compared with ``sampled``**; the difference
between the two is the scanner's, not the measurement's. Noise alone may move LAA-950 by some tenths of a
point with a soft or standard kernel, and by many with a sharp one.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from qct.quantities import QUANTITIES
from qct.regions import AIRWAY, DENSE, LUNG_REGIONS, N_LABELS, Label, Region, Side, Slab

AIRWAY_GENERATIONS = 3
"""Airways up to this generation (trachea 0, main 1, lobar 2 or 3) are not lung."""

LAA_BELOW_HU = -950
LOWEST_HU, HIGHEST_HU = -1024, 3071

Regions = dict[str, dict[str, dict[str, float | str]]]
"""Region key to quantity key to ``{value, unit}``."""


class Labelled(Protocol):
    """A model or an image of one: lobes, and generations of airways."""

    @property
    def labels(self) -> npt.NDArray[np.uint8]:
        """(Z, Y, X) lobes, airways not taken out."""

    @property
    def airway(self) -> npt.NDArray[np.uint8]:
        """(Z, Y, X) 1 + generation of the airway."""


def without_airways(what: Labelled, generations: int = AIRWAY_GENERATIONS) -> npt.NDArray[np.uint8]:
    """Return labels in which the airways up to a generation are `Label.AIRWAY`."""
    labels = what.labels.copy()
    labels[(what.airway > 0) & (what.airway <= generations + 1)] = Label.AIRWAY
    return labels


def measure(hu: npt.NDArray[Any], labels: npt.NDArray[np.uint8], voxel_ml: float) -> Regions:
    """Measure every region, from counts in 1-HU bins, as `docs/metrics.md` defines the quantities."""
    n_bins = HIGHEST_HU - LOWEST_HU + 1
    per_slice = np.stack([np.bincount(one.ravel(), minlength=N_LABELS) for one in labels])
    slabs = {side: _thirds(per_slice, side) for side in Side}
    hists = np.zeros((len(Slab), N_LABELS, n_bins), np.int64)
    for z in range(hu.shape[0]):
        inside = labels[z] > 0
        if not inside.any():
            continue
        number = labels[z][inside].astype(np.int64)
        bins = np.clip(np.rint(hu[z][inside]).astype(np.int64) - LOWEST_HU, 0, n_bins - 1)
        one = np.bincount(number * n_bins + bins, minlength=N_LABELS * n_bins)
        one = one.reshape(N_LABELS, n_bins)
        for side in Side:
            rows = _numbers(side)
            hists[slabs[side][z], rows] += one[rows]
        hists[0, Label.AIRWAY] += one[Label.AIRWAY]
    regions = {region.key: _describe(_counts(hists, region), voxel_ml) for region in LUNG_REGIONS}
    air = float(hists[0, Label.AIRWAY].sum()) * voxel_ml
    regions[AIRWAY.key] = {"volume_ml": _value("volume_ml", air)}
    return {key: one for key, one in regions.items() if one}


def _numbers(side: Side) -> list[int]:
    """Label numbers of one lung, airless parts too."""
    of = {
        Side.RIGHT: (Label.RIGHT_UPPER_LOBE, Label.RIGHT_MIDDLE_LOBE, Label.RIGHT_LOWER_LOBE),
        Side.LEFT: (Label.LEFT_UPPER_LOBE, Label.LEFT_LOWER_LOBE),
    }[side]
    return [int(one) + extra for one in of for extra in (0, DENSE)]


def _thirds(per_slice: npt.NDArray[np.int64], side: Side) -> npt.NDArray[np.int64]:
    """Return the third of every slice: equal volumes, by where the slice's middle voxel lies."""
    lung = per_slice[:, _numbers(side)].sum(1)
    middle_twice = 2 * np.cumsum(lung) - lung
    return np.asarray(np.clip(3 * middle_twice // max(2 * lung.sum(), 1), 0, 2), np.int64)


def _counts(
    hists: npt.NDArray[np.int64], region: Region
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the counts of a region with air in it, and of its airless part."""
    part = hists if region.slab is None else hists[region.slab : region.slab + 1]
    labels = [int(label) for label in region.labels]
    airless = [label + DENSE for label in labels]
    return part[:, labels].sum((0, 1)), part[:, airless].sum((0, 1))


def _describe(
    counts: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], voxel_ml: float
) -> dict[str, dict[str, float | str]]:
    aerated, airless = counts
    n_voxels = int(aerated.sum())
    if n_voxels == 0:
        return {}
    hu = np.arange(LOWEST_HU, HIGHEST_HU + 1)
    values = {
        "volume_ml": float(n_voxels + airless.sum()) * voxel_ml,
        "mass_g": float(aerated @ np.maximum(hu + 1000, 0)) / 1000 * voxel_ml,
        "mean_hu": float(aerated @ hu) / n_voxels,
        "perc15_hu": _percentile(aerated, 0.15),
        "laa950_percent": 100 * float(aerated[hu < LAA_BELOW_HU].sum()) / n_voxels,
    }
    return {key: _value(key, value) for key, value in values.items()}


def _percentile(counts: npt.NDArray[np.int64], share: float) -> float:
    """Linear between order statistics."""
    below = np.cumsum(counts)
    at = share * (below[-1] - 1)
    low = int(np.searchsorted(below, int(at), side="right"))
    high = int(np.searchsorted(below, min(int(at) + 1, int(below[-1]) - 1), side="right"))
    return float(LOWEST_HU + low + (at - int(at)) * (high - low))


def _value(key: str, value: float) -> dict[str, float | str]:
    return {"value": round(value, 6), "unit": QUANTITIES[key].unit}


def by_airway_generation(
    hu: npt.NDArray[Any], what: Labelled, voxel_ml: float
) -> Mapping[str, Regions]:
    """Measure with the airways taken out up to generation 1, 2, 4 and 6."""
    return {
        str(generation): measure(hu, without_airways(what, generation), voxel_ml)
        for generation in (1, 2, 4, 6)
    }
