"""Measure every region of the lungs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qct.findings import Histogram, Measured, Progress, no_progress
from qct.flags import Flag, Status
from qct.kernels.histogram import count_labels
from qct.measure.density import (
    LOWEST_HU,
    N_BINS,
    NO_EXTRAS,
    Extras,
    count_regions,
    density,
    floor_of,
)
from qct.measure.pattern import pattern
from qct.measure.statistics import HuCounts
from qct.measure.thirds import LAYERS, Layers, layers
from qct.measure.zones import count_peel
from qct.quantities import PROFILES, REGION_KEYS
from qct.regions import (
    AIRWAY,
    DENSE,
    LUNG_REGIONS,
    MEASURED_REGIONS,
    N_LABELS,
    WHOLE_LUNG,
    Region,
    Zone,
    label_names,
)
from qct.volume import Volume

MIN_VOXELS = 1000
"""Fewer voxels than this say nothing about a region but its volume."""

PEEL_MM = 10.0
"""Usual depth of the peel."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """What `measure` hands over.

    Attributes
    ----------
    measured : tuple of Measured
        `qct.quantities.REGION_KEYS`, and what was asked for beyond them, of every region of
        `qct.regions.MEASURED_REGIONS`, in that order; then the volume of the airways, and the patterns.
    histograms : tuple of Histogram
        Aerated voxels of every region that has any.
    profile : str
        Whose definitions made the numbers.
    """

    measured: tuple[Measured, ...]
    histograms: tuple[Histogram, ...]
    profile: str


def measure(
    volume: Volume,
    labels: npt.NDArray[np.uint8],
    *,
    profile: str = "default",
    extras: Extras = NO_EXTRAS,
    peel_mm: float = PEEL_MM,
    progress: Progress = no_progress,
) -> Measurements:
    """Measure volume and density of every region.

    Parameters
    ----------
    volume : Volume
        The scan on its native grid.
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers, plus `qct.regions.DENSE` where lung is airless.
    profile : str
        Name in `qct.quantities.PROFILES`.
    extras : Extras
        Thresholds and percentiles beyond those of the dictionary.
    peel_mm : float
        Depth of the peel.
    progress : callable
        Told what is being done.

    Returns
    -------
    measurements : Measurements
        A region that does not occur is not measured. One of under `MIN_VOXELS` voxels keeps its volume,
        and all else is not measured, with `Flag.TOO_FEW_VOXELS`.

    Raises
    ------
    ValueError
        If `labels` is on another grid than `volume`, or holds a number that is no label.
    KeyError
        If there is no such profile.

    Notes
    -----
    Airless lung counts for volume and is left out of density; segmented airways are outside the lungs;
    vessels stay in; padding never counts. All voxels are counted in 1-HU bins first and every number is
    derived from whole numbers, so no digit depends on the order or number of threads.
    """
    volume.check_grid(labels)
    if labels.dtype != np.uint8:
        raise ValueError(f"labels are {labels.dtype}, expected uint8")
    if profile not in PROFILES:
        raise KeyError(profile)

    progress("counting voxels", 0.0)
    table, cut = _count(volume, labels)
    progress("counting the peel", 0.4)
    peel = count_peel(volume, labels, peel_mm)
    progress("describing regions", 0.7)
    lungs = _HuTable(table, cut, peel, volume.voxel_ml, profile, extras)
    measured = tuple(one for region in MEASURED_REGIONS for one in lungs.measured(region))
    airway = Measured(AIRWAY.key, "volume_ml", lungs.volume_ml(AIRWAY) or None)
    if airway.value is None:
        airway = Measured(AIRWAY.key, "volume_ml", None, Status.NOT_MEASURED)
    histograms = tuple(
        Histogram(region.key, LOWEST_HU, counts.counts)
        for region in LUNG_REGIONS
        if (counts := lungs.counts(region)).n
    )
    progress("joining low attenuation", 0.8)
    patterns = pattern(volume, labels, measured, profile=profile)
    progress("measured", 1.0)
    return Measurements((*measured, airway, *patterns), histograms, profile)


def _count(volume: Volume, labels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], Layers]:
    """Count (label, layer, HU), and say how the layers make thirds."""
    flat = np.ascontiguousarray(labels).reshape(volume.shape[0], -1)
    per_slice = count_labels(flat)
    numbers = np.flatnonzero(per_slice.any(axis=1)).tolist()
    known = {0, *label_names().values()}
    for number in numbers:
        if number not in known:
            msg = f"label {number} is no region"
            raise ValueError(msg)
    cut = layers(per_slice[:N_LABELS])
    table = np.zeros((N_LABELS, LAYERS, N_BINS), np.int64)
    n_rows = max(numbers, default=0) + 1
    hu = volume.hu.reshape(flat.shape)
    table[:n_rows] = count_regions(hu, flat, cut.layer_of[:n_rows], LAYERS)
    return table, cut


@dataclass(frozen=True, slots=True)
class _HuTable:
    """The counts of one scan, (label, layer, HU) and (aerated or airless, HU) of the peel."""

    table: npt.NDArray[np.int64]
    cut: Layers
    peel: npt.NDArray[np.int64]
    voxel_ml: float
    profile: str
    extras: Extras

    def counts(self, region: Region, *, dense: bool = False) -> HuCounts:
        """Return the counts of a region's aerated voxels, or of its airless ones."""
        if region.zone is Zone.PEEL:
            return HuCounts(LOWEST_HU, self.peel[int(dense)])
        chosen = np.zeros(N_BINS, np.int64)
        for label in region.labels:
            number = int(label) + DENSE * dense
            chosen += self.table[number, self.cut.of(region, number)].sum(axis=0)
        if region.zone is Zone.CORE:
            chosen -= self.peel[int(dense)]
        return HuCounts(LOWEST_HU, chosen)

    def volume_ml(self, region: Region) -> float:
        return (self.counts(region).n + self.counts(region, dense=True).n) * self.voxel_ml

    def measured(self, region: Region) -> tuple[Measured, ...]:
        """Describe one region, every row of the dictionary in its order."""
        aerated, n_dense = self.counts(region), self.counts(region, dense=True).n
        n = aerated.n + n_dense
        values: Mapping[str, float | None] = {}
        if n:
            values = {"volume_ml": n * self.voxel_ml}
        if n >= MIN_VOXELS:
            values = {**values, "dense_percent": 100 * n_dense / n}
        if aerated.n >= MIN_VOXELS:
            floor_hu = floor_of(self.counts(WHOLE_LUNG))
            found = density(
                aerated,
                self.voxel_ml,
                profile=self.profile,
                floor_hu=floor_hu,
                extras=self.extras,
            )
            values = {**values, **found}
        small = (
            frozenset({Flag.TOO_FEW_VOXELS}) if n > 0 and aerated.n < MIN_VOXELS else frozenset()
        )
        keys = (*REGION_KEYS, *self.extras.keys)
        return tuple(_measured(region, key, values.get(key), small) for key in keys)


def _measured(region: Region, key: str, value: float | None, why_not: frozenset[Flag]) -> Measured:
    if value is None:
        return Measured(region.key, key, None, Status.NOT_MEASURED, why_not)
    return Measured(region.key, key, value)
