"""What the noise of this very scan does to shares and percentiles: a standard error for each.

A share below a threshold depends only on the voxels near it, and neighbours err together, since the noise of a
CT image is correlated. Both are measured here: noise and its correlation in the air of the trachea, where there
is nothing else to see, and how much neighbours near a threshold differ in the lungs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from qct.findings import Histogram, StandardError
from qct.measure.calibration import tracheal_core
from qct.regions import WHOLE_LUNG
from qct.volume import Volume

MIN_VOXELS = 500
"""Fewer voxels of air than this do not tell how noise is correlated."""

MIN_IN_SLICE = 24
"""Slices with less air than this are passed over: a trend has 6 terms."""

REACH = (1, 3, 3)
"""Neighbours up to so many voxels away (z, y, x) are looked at."""

NEAR_HU = 25
"""Voxels this near to a threshold are looked at."""

N_LOOKED_AT = 20_000
"""About so many pairs of neighbours are looked at for each lag."""

N_SLICES = 16
"""In about so many slices."""

LAA_KEYS = {"laa950_percent": -950, "laa910_percent": -910}
"""Shares whose error is told, and their thresholds (HU)."""

PERCENTILE_KEYS = ("perc15_hu", "perc15_g_l")
"""Percentiles whose error is told."""

Lag = tuple[int, int, int]


@dataclass(frozen=True)
class Noise:
    """Noise of a scan.

    Attributes
    ----------
    sd_hu : float
        Standard deviation.
    correlation : mapping
        Between voxels one lag (z, y, x; voxels) apart; only one of a lag and its opposite is listed, and not 0.
    """

    sd_hu: float
    correlation: dict[Lag, float]


def measure_noise(volume: Volume, labels: npt.NDArray[np.uint8]) -> Noise | None:
    """Measure noise in the air of the trachea; None where too little of it is seen.

    Parameters
    ----------
    volume : Volume
        The scan.
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers.
    """
    found = tracheal_core(volume, labels)
    if found is None:
        return None
    box, core = found
    rest, core = _without_trend(volume.hu[box], core)
    if np.count_nonzero(core) < MIN_VOXELS:
        return None
    variance = float((rest[core] ** 2).mean())
    if variance == 0:
        return Noise(0.0, {})
    correlation = {}
    for lag in _lags():
        here, there = _shifted(lag, rest.shape)
        pairs = core[here] & core[there]
        if np.count_nonzero(pairs) >= MIN_VOXELS // 4:
            found_r = float((rest[here] * rest[there])[pairs].mean()) / variance
            # Taking out a trend pushes correlations down, the more the smaller the trachea: below 0 they are
            # not believed. That makes the error too large rather than too small.
            correlation[lag] = max(found_r, 0.0)
    return Noise(math.sqrt(variance), correlation)


def standard_errors(
    volume: Volume, labels: npt.NDArray[np.uint8], histograms: Sequence[Histogram]
) -> tuple[StandardError, ...]:
    r"""Return the standard error of every share of low attenuation and percentile, from noise alone.

    Parameters
    ----------
    volume : Volume
        The scan.
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers.
    histograms : sequence of Histogram
        Of every region that is asked for.

    Returns
    -------
    errors : tuple of StandardError
        Empty where noise cannot be measured.

    Notes
    -----
    Let N voxels have the density f per HU at the threshold, noise the standard deviation s and correlation r(d)
    over a lag d, and let D(d) be the mean squared difference of neighbours near the threshold, noise included.
    Integrating the covariance of two indicators over the position of a pair gives, for normal noise,

        var(share) = f / (N sqrt(2 pi)) * sum over d of (sqrt(D(d) + 2 s^2 r(d)) - sqrt(D(d))),

    whose term at d = 0 is the f s / (N sqrt(pi)) of white noise. A percentile has the error of the share below
    it, divided by f.
    """
    noise = measure_noise(volume, labels)
    if noise is None:
        return ()
    whole = next((h for h in histograms if h.region == WHOLE_LUNG.key), None)
    if whole is None:
        return ()
    summed_hu = {at: _clumping(volume, labels, at, noise) for at in LAA_KEYS.values()}
    summed_perc15_hu = _clumping(volume, labels, _perc15(whole), noise)
    errors = []
    for one in histograms:
        for key, at_hu in LAA_KEYS.items():
            share, _ = _error(one, at_hu, summed_hu[at_hu])
            errors.append(StandardError(one.region, key, 100 * share, noise.sd_hu))
        share, density = _error(one, _perc15(one), summed_perc15_hu)
        if density:
            errors += [
                StandardError(one.region, key, share / density, noise.sd_hu)
                for key in PERCENTILE_KEYS
            ]
    return tuple(errors)


def _error(one: Histogram, at_hu: int, summed_hu: float) -> tuple[float, float]:
    """Return the standard error of the share (0 to 1) below a threshold, and the density there (per HU)."""
    n = int(one.counts.sum())
    middle, half = at_hu - one.lowest_hu, NEAR_HU // 2
    near = one.counts[max(middle - half, 0) : middle + half + 1]
    density = float(near.sum()) / near.size / max(n, 1)
    return math.sqrt(density * summed_hu / math.sqrt(2 * math.pi) / max(n, 1)), density


def _perc15(one: Histogram) -> int:
    cumulative = np.cumsum(one.counts)
    return one.lowest_hu + int(np.searchsorted(cumulative, cumulative[-1] * 0.15))


def _clumping(volume: Volume, labels: npt.NDArray[np.uint8], at_hu: int, noise: Noise) -> float:
    """Sum over all lags what neighbours add to the variance of a share (HU); see `standard_errors`."""
    total = math.sqrt(2) * noise.sd_hu
    is_lung = np.zeros(256, bool)
    is_lung[list(WHOLE_LUNG.labels)] = True
    at = _near(volume, labels, is_lung, at_hu)
    here = volume.hu[at].astype(np.float32)
    for lag, r in noise.correlation.items():
        there = tuple(
            np.clip(axis + step, 0, n - 1)
            for axis, step, n in zip(at, lag, volume.shape, strict=True)
        )
        other = volume.hu[there].astype(np.float32)
        fits = is_lung[labels[there]] & (np.abs((here + other) / 2 - at_hu) <= NEAR_HU)
        if not fits.any():
            continue
        differ = float(((here - other)[fits] ** 2).mean())
        with_noise_apart = max(differ + 2 * noise.sd_hu**2 * r, 0.0)
        total += 2 * (math.sqrt(with_noise_apart) - math.sqrt(differ))
    return max(total, 0.0)


def _near(
    volume: Volume, labels: npt.NDArray[np.uint8], is_lung: npt.NDArray[np.bool_], at_hu: int
) -> tuple[npt.NDArray[np.int64], ...]:
    """Return indices of some lung voxels from which pairs near a threshold start, evenly spread."""
    step = max(volume.shape[0] // N_SLICES, 1)
    some = slice(step // 2, None, step)
    hu = volume.hu[some]
    near = is_lung[labels[some]] & (hu > at_hu - 3 * NEAR_HU) & (hu < at_hu + 3 * NEAR_HU)
    z, y, x = np.nonzero(near)
    every = max(z.size // N_LOOKED_AT, 1)
    return z[::every] * step + step // 2, y[::every], x[::every]


def _lags() -> list[Lag]:
    """Return one of every lag and its opposite, within `REACH`."""
    z, y, x = REACH
    every = product(range(-z, z + 1), range(-y, y + 1), range(-x, x + 1))
    return [lag for lag in every if lag > (0, 0, 0)]


def _shifted(lag: Lag, shape: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the parts of an array that lie one lag apart."""
    here = tuple(slice(max(-s, 0), n - max(s, 0)) for s, n in zip(lag, shape, strict=True))
    there = tuple(slice(max(s, 0), n - max(-s, 0)) for s, n in zip(lag, shape, strict=True))
    return here, there


def _without_trend(
    hu: npt.NDArray[np.int16], core: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Take a quadratic trend from every slice of the core: blur of the wall and beam hardening are no noise.

    Returns
    -------
    rest : (Z, Y, X) float64
        0 outside the core.
    core : (Z, Y, X) bool
        Without slices that hold too little of it.
    """
    rest, kept = np.zeros(hu.shape), core.copy()
    for z, inside in enumerate(core):
        y, x = np.nonzero(inside)
        if y.size < MIN_IN_SLICE:
            kept[z] = False
            continue
        v, u = y - y.mean(), x - x.mean()
        terms = np.stack([np.ones(y.size), u, v, u * u, u * v, v * v], axis=1)
        values = hu[z, y, x].astype(np.float64)
        rest[z, y, x] = values - terms @ np.linalg.lstsq(terms, values, rcond=None)[0]
        rest[z, y, x] *= math.sqrt(y.size / (y.size - terms.shape[1]))
    return rest, kept
