"""May this volume be measured: are its numbers Hounsfield units, and where does its scale end.

By definition air is -1000 HU and water 0 HU. A scan whose air or tissue stands elsewhere was stored or
converted wrongly; it is refused and never shifted into place.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qct.errors import PixelError
from qct.volume import PADDING_HU, Volume

SAMPLE_STEP = (4, 4, 4)
"""Every how many-th voxel along z, y, x is looked at in a large volume."""

BIN_HU = 10
"""Width of the histogram bins."""

SMOOTHER = np.array([1, 2, 3, 2, 1]) / 3
"""Weights by which neighbouring bins count towards a mode."""

SCALE_HU = (-4500, 4500)
"""Range in which air and tissue are looked for; wide enough to see an offset."""

MODES_APART_HU = 500
"""Air and tissue are further apart than this, whatever the offset."""

MODE_SHARE = 0.02
"""Part of all voxels that stand close to a mode that counts."""

AIR_TO_TISSUE_HU = (900, 1150)
"""Distance from air to soft tissue."""

SMALL_MODE_SHARE = 0.005
"""Part of all voxels that is enough for tissue in a picture that is nearly all air."""

TISSUE_HU = (-160, 160)
"""Where the most frequent soft tissue or fat stands."""

AIR_HU = (-1100, -900)
"""Where outside air stands, or the scan is refused."""

CALIBRATED_AIR_HU = (-1030, -970)
"""Where outside air stands in a calibrated scan (lower limit: 12-bit floor and noise; upper limit: ACR CT
accreditation phantom)."""

GAS_HU = (-1100, -500)
"""Where the darker mode stands if no outside air is in the picture: lung or air."""

RING = 0.92
"""Part of the field's radius beyond which outside air is looked for, corners included."""

MIN_RING_VOXELS = 100
"""Fewer gas voxels in the ring say nothing about outside air."""

MIN_RING_SHARE = 0.05
"""Smaller part of the ring that is gas says nothing about outside air."""

AIR_NOISE_HU = 60
"""Distance from its peak at which outside air still counts as air."""

FLOOR_HU = (-1030, -990)
"""Where 12-bit (-1024) and other (-1000) scales end."""

FLOOR_TIMES = 3.0
"""A floor holds that many times more voxels than a value just above it."""

MIN_FLOOR_SHARE = 1e-4
"""Part of all voxels that a floor holds at least."""


METAL_HU = 3000
"""Bone does not reach it, metal passes it; the 12-bit scale ends at 3071."""

METAL_ML = 2.0
"""Less metal is clips, wires and the electrodes of an ECG: no streak that would be seen in numbers."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What was seen of the scale.

    Attributes
    ----------
    air_hu : float or None
        Outside air; None where none is in the picture.
    tissue_hu : float
        Most frequent soft tissue.
    floor_hu : int or None
        Lowest value, where many voxels stand on it.
    metal_ml : float
        Volume as bright as metal.
    """

    air_hu: float | None
    tissue_hu: float
    floor_hu: int | None
    metal_ml: float = 0.0

    @property
    def is_calibrated(self) -> bool:
        """Outside air stands where it has to, or is not in the picture."""
        low, high = CALIBRATED_AIR_HU
        return self.air_hu is None or low <= self.air_hu <= high


def check_scale(volume: Volume) -> Scale:
    """Make sure that the numbers of a volume are HU.

    Raises
    ------
    PixelError
        If air or tissue is not where calibrated HU have to be, or there is nothing but padding.
    """
    sample = _sample(volume.hu)
    valid = sample[sample != PADDING_HU]
    if not valid.size:
        raise PixelError("the image holds nothing but padding", hint="Choose another series.")
    tissue, gas = _modes(valid)
    air = _outside_air(sample, (tissue + gas) / 2 if gas is not None else None)
    _refuse_wrong_scale(tissue, gas, air)
    n_metal = sum(int(np.count_nonzero(plane >= METAL_HU)) for plane in volume.hu)
    return Scale(air, tissue, _floor(valid), n_metal * volume.voxel_ml)


def _sample(hu: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    steps = [max(1, min(step, n // 16)) for step, n in zip(SAMPLE_STEP, hu.shape, strict=True)]
    return hu[:: steps[0], :: steps[1], :: steps[2]]


def _modes(valid: npt.NDArray[np.int16]) -> tuple[float, float | None]:
    """Return tissue and gas: the two highest modes; one mode alone is called tissue."""
    low, high = SCALE_HU
    edges = np.arange(low, high + BIN_HU, BIN_HU)
    counts, _ = np.histogram(np.clip(valid, low, high - 1), edges)
    smooth = np.convolve(counts, SMOOTHER, "same")
    centres = (edges[:-1] + edges[1:]) / 2
    first = int(smooth.argmax())
    apart = centres - centres[first]
    for is_second, share in (
        (np.abs(apart) > MODES_APART_HU, MODE_SHARE),
        ((apart >= AIR_TO_TISSUE_HU[0]) & (apart <= AIR_TO_TISSUE_HU[1]), SMALL_MODE_SHARE),
    ):
        second = int(np.where(is_second, smooth, 0).argmax())
        if smooth[second] >= share * valid.size:
            pair = centres[[first, second]]
            return float(pair.max()), float(pair.min())
    return float(centres[first]), None


def _outside_air(sample: npt.NDArray[np.int16], below_hu: float | None) -> float | None:
    """Return where the gas peaks that is close to the edge of the field of view."""
    if below_hu is None:
        return None
    rows, columns = sample.shape[1:]
    y = (np.arange(rows)[:, None] - (rows - 1) / 2) / (rows / 2)
    x = (np.arange(columns)[None, :] - (columns - 1) / 2) / (columns / 2)
    radius = np.hypot(y, x)
    ring = sample[:, radius > RING]
    ring = ring[ring != PADDING_HU]
    gas = ring[ring < below_hu]
    if gas.size < max(MIN_RING_VOXELS, MIN_RING_SHARE * ring.size):
        return None
    # Clothes, table and lung are gas as well, here and there: the peak is air.
    edges = np.arange(SCALE_HU[0], below_hu + BIN_HU, BIN_HU)
    counts, _ = np.histogram(gas, edges)
    peak = edges[np.convolve(counts, SMOOTHER, "same").argmax()] + BIN_HU / 2
    return float(np.median(gas[np.abs(gas - peak) <= AIR_NOISE_HU]))


def _refuse_wrong_scale(tissue: float, gas: float | None, air: float | None) -> None:
    hint = "Export the series again with its rescale values; qct does not shift Hounsfield units."
    if not TISSUE_HU[0] <= tissue <= TISSUE_HU[1] and gas is not None:
        raise PixelError(
            f"soft tissue is at {tissue:.0f} HU, expected close to 0: the scale is not HU",
            hint=hint,
        )
    if air is not None and not AIR_HU[0] <= air <= AIR_HU[1]:
        raise PixelError(
            f"outside air is at {air:.0f} HU, expected -1000: the scale is not HU", hint=hint
        )
    if air is None and gas is not None and not GAS_HU[0] <= gas <= GAS_HU[1]:
        raise PixelError(
            f"gas is at {gas:.0f} HU, expected -1000 to -500: the scale is not HU", hint=hint
        )
    if gas is None and not (_is_in(tissue, TISSUE_HU) or _is_in(tissue, GAS_HU)):
        raise PixelError(
            f"most of the image is at {tissue:.0f} HU, neither air nor tissue: the scale is not HU",
            hint=hint,
        )


def _is_in(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _floor(valid: npt.NDArray[np.int16]) -> int | None:
    """Return the lowest value if the scale visibly ends there."""
    lowest = int(valid.min())
    if not FLOOR_HU[0] <= lowest <= FLOOR_HU[1]:
        return None
    at_floor = np.count_nonzero(valid == lowest)
    above = np.count_nonzero((valid > lowest) & (valid <= lowest + 5)) / 5
    is_floor = at_floor >= max(FLOOR_TIMES * above, MIN_FLOOR_SHARE * valid.size)
    return lowest if is_floor else None
