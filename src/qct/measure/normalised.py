"""Low attenuation as a soft reconstruction kernel would show it: noise and edges brought down to its level.

A sharp kernel makes more of what is fine. The image of the lungs is parted into bands of fineness, and a band
that is stronger than a soft kernel would show it is weakened to that level [1]_. The numbers stand beside those
of the native image, never instead of them.

References
----------
.. [1] Gallardo-Estrella L, Lynch DA, Prokop M, et al. Normalizing computed tomography data reconstructed with
   different filter kernels: effect on emphysema quantification. Eur Radiol 2016;26:478-486.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from qct.findings import Measured
from qct.flags import Flag, Status
from qct.measure.density import LOWEST_HU, N_BINS, count_regions
from qct.measure.lungs import MIN_VOXELS
from qct.measure.statistics import HuCounts
from qct.quantities import NORMALISED_KEYS, PROFILES
from qct.regions import LEFT_LUNG, LOBES, N_LABELS, RIGHT_LUNG, WHOLE_LUNG, Region
from qct.volume import PADDING_HU, Volume

Image = npt.NDArray[np.float32]

EDGES_MM = (0.6, 1.2)
"""Standard deviations of the Gaussians that part the bands, in the slice (mm); what is coarser is anatomy."""

SOFT_HU = (7.3, 13.4)
"""Energy of each band with a soft kernel (HU): of the digital chest (preset mild, 1.25 mm, 100 mAs)."""

N_SLICES = 24
"""Energies are measured in about so many slices."""

N_ROUNDS = 3
"""Bands overlap a little, so that weakening one changes the other; so often are both set anew."""

REGIONS: tuple[Region, ...] = (WHOLE_LUNG, RIGHT_LUNG, LEFT_LUNG, *LOBES)
"""What is measured."""

_IS_LUNG = np.zeros(256, np.bool_)
_IS_LUNG[list(WHOLE_LUNG.labels)] = True


@dataclass(frozen=True)
class _Lungs:
    """Slices of the lungs; what is no aerated lung has their median HU, so that no edge of theirs counts."""

    hu: npt.NDArray[np.int16]
    labels: npt.NDArray[np.uint8]
    pixel_mm: tuple[float, float]
    median_hu: float

    def lung(self, z: int) -> npt.NDArray[np.bool_]:
        inside: npt.NDArray[np.bool_] = _IS_LUNG[self.labels[z]] & (self.hu[z] != PADDING_HU)
        return inside

    def image(self, z: int) -> Image:
        filled = np.where(self.lung(z), self.hu[z], self.median_hu)
        return np.asarray(filled, np.float32)

    def bands(self, image: Image) -> tuple[list[Image], Image]:
        """Part an image into its bands, the finest first, and what is coarser."""
        found: list[Image] = []
        left = image
        for edge_mm in EDGES_MM:
            widths = [edge_mm / mm for mm in self.pixel_mm]
            coarser = gaussian_filter(image, widths, mode="nearest", truncate=3)
            found.append(left - coarser)
            left = coarser
        return found, left


def normalised(
    volume: Volume, labels: npt.NDArray[np.uint8], *, profile: str = "default"
) -> tuple[Measured, ...]:
    """Measure `qct.quantities.NORMALISED_KEYS` of both lungs, each lung and each lobe.

    Parameters
    ----------
    volume : Volume
        The scan.
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers.
    profile : str
        Name in `qct.quantities.PROFILES`.

    Notes
    -----
    Kernels act in the slice, and so do the bands. The energy of a band is half the distance between its 16th
    and 84th percentile within the lungs: vessels hardly count. No band is ever strengthened.
    """
    table = np.zeros((N_LABELS, N_BINS), np.int64)
    lungs = _lungs(volume, labels)
    if lungs is not None:
        weights = _weights(lungs)
        for z in range(len(lungs.hu)):
            inside = lungs.lung(z)
            if inside.any():
                bands, coarse = lungs.bands(lungs.image(z))
                hu = np.rint(_joined(bands, coarse, weights)[inside]).astype(np.int16)[None]
                one_layer = np.zeros((N_LABELS, 1), np.uint8)
                table += count_regions(hu, lungs.labels[z][inside][None], one_layer, 1)[:, 0]
    or_equal = PROFILES[profile].counts_threshold
    return tuple(one for region in REGIONS for one in _described(region, table, or_equal=or_equal))


def _described(
    region: Region, table: npt.NDArray[np.int64], *, or_equal: bool
) -> Iterator[Measured]:
    counts = HuCounts(LOWEST_HU, table[list(region.labels)].sum(axis=0))
    if counts.n < MIN_VOXELS:
        flags = frozenset({Flag.TOO_FEW_VOXELS}) if counts.n else frozenset()
        for key in NORMALISED_KEYS:
            yield Measured(region.key, key, None, Status.NOT_MEASURED, flags)
        return
    values = (counts.percent_below(-950, or_equal=or_equal), counts.percentile(15))
    for key, value in zip(NORMALISED_KEYS, values, strict=True):
        yield Measured(region.key, key, value)


def _lungs(volume: Volume, labels: npt.NDArray[np.uint8]) -> _Lungs | None:
    """Cut the scan to its lungs; None without any."""
    seen = [(labels > 0).any(axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
    if not seen[0].any():
        return None
    box = tuple(slice(int(np.flatnonzero(s)[0]), int(np.flatnonzero(s)[-1]) + 1) for s in seen)
    hu, inside = volume.hu[box], labels[box]
    some = slice(None, None, max(len(hu) // N_SLICES, 1))
    aerated = hu[some][_IS_LUNG[inside[some]] & (hu[some] != PADDING_HU)]
    if aerated.size == 0:
        return None
    _, dy, dx = volume.spacing_mm
    return _Lungs(hu, inside, (dy, dx), float(np.median(aerated)))


def _weights(lungs: _Lungs) -> list[float]:
    """Return the factor of every band, 1 where it is no stronger than a soft kernel shows it."""
    step = max(len(lungs.hu) // N_SLICES, 1)
    chosen = [z for z in range(step // 2, len(lungs.hu), step) if lungs.lung(z).any()]
    weights = [1.0] * len(EDGES_MM)
    for _ in range(N_ROUNDS):
        samples: list[list[Image]] = [[] for _ in EDGES_MM]
        for z in chosen:
            image = _joined(*lungs.bands(lungs.image(z)), weights)
            inside = lungs.lung(z)
            for sample, band in zip(samples, lungs.bands(image)[0], strict=True):
                sample.append(band[inside])
        if not chosen:
            break
        energies = [_energy(np.concatenate(sample)) for sample in samples]
        weights = [
            min(1.0, weight * soft / max(energy, 1e-6))
            for weight, soft, energy in zip(weights, SOFT_HU, energies, strict=True)
        ]
    return weights


def _joined(bands: list[Image], coarse: Image, weights: list[float]) -> Image:
    """Put bands together again, each with its weight."""
    image = coarse.copy()
    for band, weight in zip(bands, weights, strict=True):
        image += np.float32(weight) * band
    return image


def _energy(values: Image) -> float:
    low, high = np.percentile(values, (16, 84))
    return float(high - low) / 2
