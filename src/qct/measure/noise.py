"""What the noise of this very scan does to shares and percentiles: a standard error for each.

A share below a threshold depends only on the voxels near it, and neighbours err together, since the noise of a
CT image is correlated. Both are measured here: noise and its grain in the air of the trachea, where there is
nothing else to see, and how much neighbours near a threshold differ in the lungs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import hyp1f1

from qct.findings import Histogram, StandardError
from qct.measure.trachea import tracheal_core
from qct.regions import WHOLE_LUNG
from qct.volume import Volume

MIN_VOXELS = 200
"""Fewer voxels of air than this do not tell the noise."""

MIN_IN_SLICE = 24
"""Slices with less air than this are passed over: a trend has 6 terms."""

FITTED = 2
"""The grain is fitted to the correlation of voxels of a slice up to so many rows and columns apart."""

GRAIN_VOXELS = (0.2, 3.0)
"""Finest and coarsest grain that is looked for."""

REACH = 5
"""Neighbours in a slice up to so many voxels away are looked at."""

SLICES_APART = 0.1
"""Slices whose noise is correlated less are taken as independent."""

NEAR_HU = 25
"""Voxels this near to a threshold are looked at."""

N_LOOKED_AT = 8_000
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
        Standard deviation, about a quadratic trend in each slice.
    grain_mm : float
        How coarse it is in a slice; see `correlation_in_slice`.
    across : float
        Correlation between neighbouring slices, 0 to 1.
    """

    sd_hu: float
    grain_mm: float = 0.0
    across: float = 0.0

    def correlation(self, lag: Lag, spacing_mm: tuple[float, ...]) -> float:
        """Correlation of two voxels one lag (z, y, x; voxels) apart."""
        _, dy, dx = spacing_mm
        away = math.hypot(lag[1] * dy, lag[2] * dx)
        in_slice = float(correlation_in_slice(away, self.grain_mm)) if self.grain_mm else 0.0
        return self.across ** abs(lag[0]) * (1.0 if away == 0 else in_slice)


def correlation_in_slice(away_mm: Any, grain_mm: float) -> Any:
    r"""Return the correlation of noise over some distance in a slice.

    Notes
    -----
    Filtered back-projection leaves noise of the power \|f\| exp(-(2 pi grain f)^2) at frequency f: that of the
    ramp filter, after a blur of standard deviation `grain_mm` [1]_. Its Hankel transform is Kummer's function
    M(3/2, 1, -(r / 2 grain)^2). Without power at zero frequency, negative correlations of far voxels take back
    what near ones add.

    References
    ----------
    .. [1] Riederer SJ, Pelc NJ, Chesler DA. The noise power spectrum in computed X-ray tomography. Phys Med
       Biol 1978;23:446-454.
    """
    return hyp1f1(1.5, 1.0, -((away_mm / (2 * grain_mm)) ** 2))


def measure_noise(volume: Volume, labels: npt.NDArray[np.uint8]) -> Noise | None:
    """Measure noise in the air of the trachea; None where too little of it is seen.

    Parameters
    ----------
    volume : Volume
        The scan.
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers.

    Returns
    -------
    noise : Noise or None
        Scatter lets the air read higher from slice to slice and the blur of the wall from the middle outwards:
        that is no noise, so a quadratic trend is taken from every slice first.
    """
    found = tracheal_core(volume, labels)
    if found is None:
        return None
    box, core = found
    rest, core = _without_trend(volume.hu[box], core)
    if np.count_nonzero(core) < MIN_VOXELS:
        return None
    variance = float((rest[core] ** 2).mean())
    if variance < 1e-9:  # rounding of the trend
        return Noise(0.0)
    across = _correlation(rest, core, (1, 0, 0)) / variance
    return Noise(
        math.sqrt(variance),
        _grain_mm(rest, core, volume.spacing_mm),
        across if SLICES_APART < across < 1 else 0.0,
    )


def _correlation(rest: npt.NDArray[np.float64], core: npt.NDArray[np.bool_], lag: Lag) -> float:
    """Return the mean product of voxels of the core one lag apart; 0 where there are few."""
    here, there = _shifted(lag, rest.shape)
    pairs = core[here] & core[there]
    enough = np.count_nonzero(pairs) >= MIN_VOXELS // 4
    return float((rest[here] * rest[there])[pairs].mean()) if enough else 0.0


def _grain_mm(
    rest: npt.NDArray[np.float64], core: npt.NDArray[np.bool_], spacing_mm: tuple[float, ...]
) -> float:
    """Fit the grain to the correlations of near voxels: least squares over a list of grains."""
    _, dy, dx = spacing_mm
    lags = [lag for lag in _lags(0, FITTED) if lag != (0, 0, 0)]
    found = np.array([_correlation(rest, core, lag) for lag in lags]) / (rest[core] ** 2).mean()
    away_mm = np.array([math.hypot(lag[1] * dy, lag[2] * dx) for lag in lags])
    grains_mm = np.geomspace(*GRAIN_VOXELS, 100) * math.sqrt(dy * dx)
    misfit = [float(((correlation_in_slice(away_mm, one) - found) ** 2).sum()) for one in grains_mm]
    return float(grains_mm[int(np.argmin(misfit))])


def standard_errors(
    volume: Volume,
    labels: npt.NDArray[np.uint8],
    histograms: Sequence[Histogram],
    noise: Noise | None,
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
    noise : Noise or None
        Of this scan, by `measure_noise`.

    Returns
    -------
    errors : tuple of StandardError
        Empty where noise cannot be measured.

    Notes
    -----
    Let N voxels have the density f per HU at the threshold, noise the standard deviation s and correlation r(d)
    over a lag d, let D(d) be the mean squared difference of neighbours near the threshold, noise included, and
    w(d) how many pairs have their mean near the threshold, by the number of voxels that lie there. Integrating
    the covariance of two indicators over the position of a pair gives, for normal noise,

        var(share) = f / (N sqrt(2 pi)) * sum over d of w(d) (sqrt(D(d) + 2 s^2 r(d)) - sqrt(D(d))),

    whose term at d = 0 is the f s / (N sqrt(pi)) of white noise. A percentile has the error of the share below
    it, divided by f. The noise of the trachea is taken for that of the lungs.
    """
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
    n_near = np.count_nonzero(np.abs(here - at_hu) <= NEAR_HU)
    hu, named = volume.hu.reshape(-1), labels.reshape(-1)
    strides = volume.shape[1] * volume.shape[2], volume.shape[2], 1
    to = [
        {step: np.clip(axis + step, 0, n - 1) * stride for step in range(-REACH, REACH + 1)}
        for axis, n, stride in zip(at, volume.shape, strides, strict=True)
    ]
    for lag in _lags(1 if noise.across else 0, REACH):
        there = to[0][lag[0]] + to[1][lag[1]] + to[2][lag[2]]
        other = hu.take(there).astype(np.float32)
        fits = is_lung.take(named.take(there)) & (np.abs((here + other) / 2 - at_hu) <= NEAR_HU)
        n_fits = np.count_nonzero(fits)
        if not n_fits:
            continue
        differ = float(((here - other)[fits] ** 2).mean())
        shared = 2 * noise.sd_hu**2 * noise.correlation(lag, volume.spacing_mm)
        moved = math.sqrt(max(differ + shared, 0.0)) - math.sqrt(differ)
        total += 2 * moved * n_fits / max(int(n_near), 1)
    return max(total, 0.0)


def _near(
    volume: Volume, labels: npt.NDArray[np.uint8], is_lung: npt.NDArray[np.bool_], at_hu: int
) -> tuple[npt.NDArray[np.int64], ...]:
    """Return indices of some lung voxels from which pairs near a threshold start, evenly spread."""
    step = max(volume.shape[0] // N_SLICES, 1)
    some = slice(step // 2, None, step)
    hu = volume.hu[some]
    near = is_lung.take(labels[some]) & (hu > at_hu - 3 * NEAR_HU) & (hu < at_hu + 3 * NEAR_HU)
    z, y, x = np.nonzero(near)
    every = max(z.size // N_LOOKED_AT, 1)
    return z[::every] * step + step // 2, y[::every], x[::every]


def _lags(slices: int, voxels: int) -> list[Lag]:
    """Return one of every lag and its opposite, up to so many slices and voxels of a slice."""
    flat = range(-voxels, voxels + 1)
    return [lag for lag in product(range(slices + 1), flat, flat) if lag > (0, 0, 0)]


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
