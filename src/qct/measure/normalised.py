"""Low attenuation as a soft reconstruction kernel would show it: noise and edges brought down to its level.

A sharp kernel makes more of what is fine. The image is parted into bands of fineness, and a band whose noise is
stronger than a soft kernel would show it is weakened to that level [1]_. Noise and edges pass through the same
kernel, so the factor that the noise tells is right for edges too: the wall of the chest and the vessels spill
into the lung again as a soft kernel lets them. The numbers stand beside those of the native image, never
instead of them.

References
----------
.. [1] Gallardo-Estrella L, Lynch DA, Prokop M, et al. Normalizing computed tomography data reconstructed with
   different filter kernels: effect on emphysema quantification. Eur Radiol 2016;26:478-486.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, gaussian_filter, uniform_filter

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

MARGIN_MM = 5.0
"""So much of what lies around the lungs is filtered with them: three times the widest Gaussian is enough."""

CORE_MM = 3.0
"""Energies are measured this deep in the lung, in the slice, out of reach of the edge of the wall."""

BLOCK_MM = 7.0
"""Side of the squares in which the energy of a band is measured."""

QUIET_PERCENT = 25
"""So many of the squares hold less than the energy of a band: it is that of squares with little but noise."""

HALF = 0.5
"""A square counts if more than this share of it lies deep in the lung."""

AIR_HU = -1000
"""Stands where the scanner stored no image."""

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
    """Slices of the lungs and what lies around them."""

    hu: npt.NDArray[np.int16]
    labels: npt.NDArray[np.uint8]
    pixel_mm: tuple[float, float]

    def lung(self, z: int) -> npt.NDArray[np.bool_]:
        inside: npt.NDArray[np.bool_] = _IS_LUNG[self.labels[z]] & (self.hu[z] != PADDING_HU)
        return inside

    def bands(self, z: int) -> tuple[list[Image], Image]:
        """Part a slice into its bands, the finest first, and what is coarser."""
        image = np.where(self.hu[z] == PADDING_HU, AIR_HU, self.hu[z])
        return self.parted(np.asarray(image, np.float32))

    def parted(self, image: Image) -> tuple[list[Image], Image]:
        """Part an image as `bands` does."""
        found: list[Image] = []
        left = image
        for edge_mm in EDGES_MM:
            widths = [edge_mm / mm for mm in self.pixel_mm]
            coarser = gaussian_filter(left, widths, mode="nearest", truncate=3)
            found.append(left - coarser)
            left = coarser
        return found, left


@cache
def soft_energies_hu() -> tuple[float, ...]:
    """Return the energy of each band with a soft kernel (HU), as ``kernel_energies.toml`` has it."""
    text = files("qct.measure").joinpath("kernel_energies.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["soft_hu"])


def band_energies_hu(volume: Volume, labels: npt.NDArray[np.uint8]) -> tuple[float, ...]:
    """Measure the energy of each band of `EDGES_MM` in the quiet parts of the lungs.

    Parameters
    ----------
    volume : Volume
        The scan.
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers.

    Returns
    -------
    energies_hu : tuple of float
        Root mean square of the band (HU) in the square that `QUIET_PERCENT` of all squares lie below; empty
        where no square lies deep enough in the lung.
    """
    lungs = _lungs(volume, labels)
    if lungs is None:
        return ()
    return tuple(_energies([_sample(lungs, z) for z in _chosen(lungs)], [1.0] * len(EDGES_MM)))


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
    Kernels act in the slice, and so do the bands. The energy of a band is that of the quieter squares of the
    lungs (`band_energies_hu`): vessels hardly count. No band is ever strengthened.
    """
    table = np.zeros((N_LABELS, N_BINS), np.int64)
    lungs = _lungs(volume, labels)
    if lungs is not None:
        weights = _weights(lungs)
        for z in range(len(lungs.hu)):
            inside = lungs.lung(z)
            if inside.any():
                hu = np.rint(_joined(*lungs.bands(z), weights)[inside]).astype(np.int16)[None]
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
    """Cut the scan to its lungs and a margin in the slice; None without any."""
    seen = [(labels > 0).any(axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
    if not seen[0].any():
        return None
    _, dy, dx = volume.spacing_mm
    box = []
    for one, mm in zip(seen, (np.inf, dy, dx), strict=True):
        margin, held = round(MARGIN_MM / mm), np.flatnonzero(one)
        box.append(slice(max(int(held[0]) - margin, 0), int(held[-1]) + 1 + margin))
    return _Lungs(volume.hu[tuple(box)], labels[tuple(box)], (dy, dx))


def _chosen(lungs: _Lungs) -> list[int]:
    """Return the slices in which energies are measured."""
    step = max(len(lungs.hu) // N_SLICES, 1)
    return [z for z in range(step // 2, len(lungs.hu), step) if lungs.lung(z).any()]


@dataclass(frozen=True)
class _Sample:
    """A slice in which energies are measured.

    Attributes
    ----------
    parts : list of list of Image
        Of every band, and of what is coarser, the bands: as bands overlap, each leaves something in the others.
    deep : (Y, X) bool
        Voxels that count.
    share : (Y, X) float32
        How much of the square around a voxel counts.
    side : tuple of int
        Rows and columns of a square.
    """

    parts: list[list[Image]]
    deep: npt.NDArray[np.bool_]
    share: Image
    side: tuple[int, int]

    def squares(self, band: int, weights: list[float]) -> npt.NDArray[np.float32]:
        """Mean square of a band (HU²) in squares that lie in the lung by half, with every band weakened."""
        image = _joined([part[band] for part in self.parts[:-1]], self.parts[-1][band], weights)
        mean = uniform_filter(np.where(self.deep, image * image, 0), self.side)
        rows, columns = (slice(n // 2, None, max(n // 2, 1)) for n in self.side)
        share = self.share[rows, columns]
        counts = self.deep[rows, columns] & (share > HALF)
        return np.asarray(mean[rows, columns][counts] / share[counts])


def _sample(lungs: _Lungs, z: int) -> _Sample:
    framed = np.pad(lungs.lung(z), 1)  # the edge of the image is an edge of the lung
    deep = distance_transform_edt(framed, sampling=lungs.pixel_mm)[1:-1, 1:-1] > CORE_MM
    rows, columns = (max(round(BLOCK_MM / mm), 3) for mm in lungs.pixel_mm)
    bands, coarse = lungs.bands(z)
    parts = [lungs.parted(one)[0] for one in (*bands, coarse)]
    share = uniform_filter(deep.astype(np.float32), (rows, columns))
    return _Sample(parts, deep, share, (rows, columns))


def _energies(samples: list[_Sample], weights: list[float]) -> list[float]:
    found = []
    for band in range(len(EDGES_MM)):
        squares = np.concatenate([np.zeros(0), *(one.squares(band, weights) for one in samples)])
        if squares.size == 0:
            return []
        found.append(float(np.sqrt(np.percentile(squares, QUIET_PERCENT))))
    return found


def _weights(lungs: _Lungs) -> list[float]:
    """Return the factor of every band, 1 where it is no stronger than a soft kernel shows it."""
    samples = [_sample(lungs, z) for z in _chosen(lungs)]
    weights = [1.0] * len(EDGES_MM)
    for _ in range(N_ROUNDS):
        energies = _energies(samples, weights)
        if not energies:
            break
        weights = [
            min(1.0, weight * soft / max(energy, 1e-6))
            for weight, soft, energy in zip(weights, soft_energies_hu(), energies, strict=True)
        ]
    return weights


def _joined(bands: list[Image], coarse: Image, weights: list[float]) -> Image:
    """Put bands together again, each with its weight."""
    image = coarse.copy()
    for band, weight in zip(bands, weights, strict=True):
        image += np.float32(weight) * band
    return image
