"""What a chest is known to measure.

Lung, in the truth, is everything inside the pleura of a lobe, vessels and small airways and all, less the
airways with a lumen of `smallest_airway_mm` or more, lumen and wall: the rule of `qct.regions`, with the
usual line between bronchi and small airways (2 mm), or what the voxels resolve where that is more. Because
no program follows the airways exactly that far, `by_airway_generation` gives the same numbers with the
airways taken out to a generation.

There are three truths. ``model`` is that of the fine, sharp model before imaging: the share of low
attenuation that was asked for holds there, exactly. ``sampled`` is that of the noise-free image on the
scanner's grid inside the true labels: the scanner's blur has already closed small holes and darkened
borders, as it would in a patient. **A measurement is to be compared with ``sampled``**; the difference
between the two is the scanner's, not the measurement's. ``imaged`` is that of the image with its noise,
inside the true labels: what is left of an error against it is the segmentation's alone. Noise moves LAA-950
by some tenths of a point with a soft or standard kernel, and by many with a sharp one.

Vessels and bronchi are known from the trees they were drawn from. Only those in a lung count, and only
those wide enough to be drawn.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import cc3d
import numpy as np
import numpy.typing as npt

from qct.phantom.trees import SMALLEST_LUMEN_MM, Tree, wall_mm
from qct.quantities import CLUSTER_FIT_MM3, QUANTITIES
from qct.regions import AIRWAY, DENSE, LUNG_REGIONS, N_LABELS, Label, Region, Side, Slab

SMALLEST_AIRWAY_MM = 2.0
"""Inner diameter from which an airway is not lung; below it are the small airways."""

VOXELS_ACROSS = 2.0
"""An airway whose lumen has fewer voxels across is not resolved, and counts as a small one."""

SMALL_AIRWAY = 128
"""Added to the number of an airway that is smaller."""

LAA_BELOW_HU = -950
LOWEST_HU, HIGHEST_HU = -1024, 3071

Regions = dict[str, dict[str, dict[str, float | str]]]
"""Region key to quantity key to ``{value, unit}``."""


VESSEL_STEP_MM = 0.05
"""Unit of the radii in a map of vessels."""

OTHER_UNITS = {"total_vessel_volume_ml": "mL", "bv5_ml": "mL", "bv10_ml": "mL"}
"""Units of what is not in every version's dictionary."""

BV_MM2 = {"bv5_ml": 5.0, "bv10_ml": 10.0}
"""Cross-section (mm2) below which a vessel counts for each volume."""

PI10_PERIMETER_MM = (6.0, 20.0)
"""Inner perimeters of the bronchi that make Pi10."""


def smallest_airway_mm(voxel_mm: float) -> float:
    """Return the inner diameter from which an airway is not lung, by the longest edge of a voxel.

    >>> smallest_airway_mm(0.7), smallest_airway_mm(2.5)
    (2.0, 5.0)
    """
    return max(SMALLEST_AIRWAY_MM, VOXELS_ACROSS * voxel_mm)


class Labelled(Protocol):
    """A model or an image of one: lobes, and generations of airways."""

    @property
    def labels(self) -> npt.NDArray[np.uint8]:
        """(Z, Y, X) lobes, airways not taken out."""

    @property
    def airway(self) -> npt.NDArray[np.uint8]:
        """(Z, Y, X) 1 + generation of the airway, plus `SMALL_AIRWAY` if it is one."""


class WithVessels(Labelled, Protocol):
    """The same, with vessels."""

    @property
    def vessel(self) -> npt.NDArray[np.uint8]:
        """(Z, Y, X) radius of the vessel at a voxel, in `VESSEL_STEP_MM`."""


def without_airways(what: Labelled, generations: int | None = None) -> npt.NDArray[np.uint8]:
    """Return labels in which the airways, or those up to a generation, are `Label.AIRWAY`."""
    labels = what.labels.copy()
    if generations is None:
        taken = (what.airway > 0) & (what.airway < SMALL_AIRWAY)
    else:
        taken = (what.airway > 0) & (what.airway % SMALL_AIRWAY <= generations + 1)
    labels[taken] = Label.AIRWAY
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
    unit = QUANTITIES[key].unit if key in QUANTITIES else OTHER_UNITS[key]
    return {"value": round(value, 6), "unit": unit}


def by_airway_generation(
    hu: npt.NDArray[Any], what: Labelled, voxel_ml: float
) -> Mapping[str, Regions]:
    """Measure with the airways taken out up to generation 1, 3, 5 and 7."""
    return {
        str(generation): measure(hu, without_airways(what, generation), voxel_ml)
        for generation in (1, 3, 5, 7)
    }


def add_patterns(
    regions: Regions, hu: npt.NDArray[Any], what: WithVessels, voxel_ml: float
) -> Regions:
    """Add what is known of both lungs alone: D of the low attenuation, and the vessels; in place."""
    both = regions["whole_lung"]
    labels = without_airways(what)
    lung = (labels > 0) & (labels < Label.AIRWAY)
    exponent = cluster_exponent(lung & (np.rint(hu) < LAA_BELOW_HU), 1000 * voxel_ml)
    if exponent is not None:
        both["laa_cluster_d"] = _value("laa_cluster_d", exponent)
    inside = lung | ((labels > DENSE) & (labels < DENSE + Label.AIRWAY))
    counts = np.bincount(what.vessel[inside], minlength=256)[1:] * voxel_ml
    area_mm2 = np.pi * (VESSEL_STEP_MM * np.arange(1, len(counts) + 1)) ** 2
    both["total_vessel_volume_ml"] = _value("total_vessel_volume_ml", float(counts.sum()))
    for key, limit in BV_MM2.items():
        both[key] = _value(key, float(counts[area_mm2 < limit].sum()))
    return regions


def cluster_exponent(low: npt.NDArray[np.bool_], voxel_mm3: float) -> float | None:
    """Return D of the 26-connected clusters of a mask, by the definition of `laa_cluster_d`."""
    pieces = cc3d.connected_components(low, connectivity=26)
    volume, how_many = np.unique(np.bincount(pieces[low])[1:] * voxel_mm3, return_counts=True)
    at_least = how_many[::-1].cumsum()[::-1]
    fit = (volume >= CLUSTER_FIT_MM3[0]) & (volume <= CLUSTER_FIT_MM3[1])
    if np.count_nonzero(fit) < 8:
        return None
    return -float(np.polyfit(np.log(volume[fit]), np.log(at_least[fit]), 1)[0])


def airway_at(
    airways: Tree, thickness: float, point_mm: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Return the diameter of the lumen that is widest around a point (x, y, z), and its wall; LPS mm."""
    segments = airways.segments
    start, along = segments[:, :3], segments[:, 3:6] - segments[:, :3]
    off = point_mm[::-1] - start
    share = np.clip((off * along).sum(1) / np.maximum((along**2).sum(1), 1e-9), 0, 1)
    away = np.linalg.norm(off - share[:, None] * along, axis=1)
    radius = segments[:, 6] + share * (segments[:, 7] - segments[:, 6])
    widest = int(np.argmin(away - radius))
    return 2 * float(radius[widest]), thickness * float(wall_mm(segments[widest, 7]))


def describe_airways(airways: Tree, thickness: float) -> dict[str, Any]:
    """Describe the bronchi that are drawn, from the tree (LPS mm): by generation, segmental ones, Pi10."""
    lumen = airways.segments[:, 6:].mean(1)
    outer = lumen + thickness * wall_mm(airways.segments[:, 7])
    seen = airways.segments[:, 7] > SMALLEST_LUMEN_MM
    wall_area = np.pi * (outer**2 - lumen**2)
    lobar = (airways.lobe > 0) & (airways.lobe[airways.parent] == 0)
    segmental = seen & lobar[airways.parent] & (airways.parent >= 0)
    perimeter = 2 * np.pi * lumen
    fit = seen & (perimeter >= PI10_PERIMETER_MM[0]) & (perimeter <= PI10_PERIMETER_MM[1])
    slope, start = np.polyfit(perimeter[fit], np.sqrt(wall_area[fit]), 1)

    def mean(which: npt.NDArray[np.bool_]) -> dict[str, float]:
        return {
            "branches": int(np.count_nonzero(which)),
            "lumen_mm": round(float(2 * lumen[which].mean()), 4),
            "wall_mm": round(float((outer - lumen)[which].mean()), 4),
            "wall_area_mm2": round(float(wall_area[which].mean()), 4),
            "wall_area_percent": round(float(100 * (1 - (lumen / outer)[which] ** 2).mean()), 4),
        }

    generations = sorted(set(airways.generation[seen].tolist()))
    return {
        "segmental": mean(segmental),
        "pi10_mm": round(float(start + 10 * slope), 4),
        "pi10_airways": int(np.count_nonzero(fit)),
        "by_generation": {str(g): mean(seen & (airways.generation == g)) for g in generations},
    }
