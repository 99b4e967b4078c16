"""Statistics of whole-number values from how often each occurs: exact, whatever the order of counting.

Every sum is a sum of Python integers and is rounded once, at the end.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class HuCounts:
    """How many voxels have which HU.

    Attributes
    ----------
    lowest_hu : int
        HU of the first bin.
    counts : (B,) int64
        ``counts[b]`` voxels have ``lowest_hu + b`` HU.

    Notes
    -----
    `n` is 0 for an empty region; then every other number but the shares' numerators is undefined, and
    asking for it raises ValueError.
    """

    lowest_hu: int
    counts: npt.NDArray[np.int64]

    @cached_property
    def n(self) -> int:
        """Number of voxels."""
        return int(self.counts.sum())

    @cached_property
    def _cumulative(self) -> npt.NDArray[np.int64]:
        return np.cumsum(self.counts)

    def _occurring(self) -> Iterator[tuple[int, int]]:
        """Yield every HU that occurs, and how often."""
        bins = np.flatnonzero(self.counts)
        yield from zip((bins + self.lowest_hu).tolist(), self.counts[bins].tolist(), strict=True)

    @cached_property
    def _power_sums(self) -> tuple[int, int, int, int]:
        """Sums of HU, HU^2, HU^3 and HU^4 over all voxels."""
        self._refuse_empty()
        sums = [0, 0, 0, 0]
        for hu, count in self._occurring():
            term = count
            for power in range(4):
                term *= hu
                sums[power] += term
        return sums[0], sums[1], sums[2], sums[3]

    @cached_property
    def _central_sums(self) -> tuple[int, int, int]:
        """n^2 m2, n^3 m3 and n^4 m4, where mk is the k-th central moment."""
        n = self.n
        s1, s2, s3, s4 = self._power_sums
        return (
            n * s2 - s1**2,
            n**2 * s3 - 3 * n * s1 * s2 + 2 * s1**3,
            n**3 * s4 - 4 * n**2 * s1 * s3 + 6 * n * s1**2 * s2 - 3 * s1**4,
        )

    def mean(self) -> float:
        """Arithmetic mean (HU)."""
        return float(Fraction(self._power_sums[0], self.n))

    def sd(self) -> float:
        """Return the standard deviation with divisor n (HU)."""
        return math.sqrt(Fraction(self._central_sums[0], self.n**2))

    def mode(self) -> int:
        """Most frequent HU; the lowest of equals."""
        self._refuse_empty()
        return self.lowest_hu + int(np.argmax(self.counts))

    def skewness(self, *, corrects_bias: bool) -> float | None:
        """Skewness g1, or G1 if corrected for bias [1]_; None where it is undefined.

        References
        ----------
        .. [1] Joanes DN, Gill CA. Comparing measures of sample skewness and kurtosis. The Statistician
           1998;47:183-189.
        """
        m2, m3, _ = self._central_sums
        if m2 == 0 or (corrects_bias and self.n < 3):
            return None
        g1 = float(Fraction(m3, m2)) / math.sqrt(m2)
        return g1 * math.sqrt(self.n * (self.n - 1)) / (self.n - 2) if corrects_bias else g1

    def kurtosis(self, *, corrects_bias: bool, excess: bool) -> float | None:
        """Kurtosis b2 or g2, or G2 if corrected for bias; None where it is undefined.

        References as for `skewness`. The corrected estimator is defined for the excess; without `excess`,
        3 is added back.
        """
        n, (m2, _, m4) = self.n, self._central_sums
        if m2 == 0 or (corrects_bias and n < 4):
            return None
        g2 = Fraction(m4, m2**2) - 3
        if corrects_bias:
            g2 = Fraction(n - 1, (n - 2) * (n - 3)) * ((n + 1) * g2 + 6)
        return float(g2 if excess else g2 + 3)

    def percentile(self, percent: int) -> float:
        """Percentile, linear between order statistics: numpy's default, type 7 of [1]_ (HU).

        References
        ----------
        .. [1] Hyndman RJ, Fan Y. Sample quantiles in statistical packages. Am Stat 1996;50:361-365.
        """
        self._refuse_empty()
        whole, rest = divmod((self.n - 1) * percent, 100)
        below = self._order_statistic(whole)
        above = self._order_statistic(min(whole + 1, self.n - 1))
        return float(below + Fraction(rest, 100) * (above - below))

    def percentile_step(self, percent: int) -> int:
        """Highest HU that has at most `percent` of all voxels at or below it."""
        self._refuse_empty()
        allowed = self.n * percent // 100
        return self.lowest_hu + int(np.searchsorted(self._cumulative, allowed, side="right")) - 1

    def _order_statistic(self, rank: int) -> int:
        """Value of the voxel at `rank` (from 0) when all are sorted."""
        return self.lowest_hu + int(np.searchsorted(self._cumulative, rank, side="right"))

    def n_below(self, hu: int, *, or_equal: bool = False) -> int:
        """Count the voxels below `hu`, or at most `hu`."""
        bins = min(max(hu - self.lowest_hu + or_equal, 0), self.counts.size)
        return int(self.counts[:bins].sum())

    def percent_below(self, hu: int, *, or_equal: bool = False) -> float:
        """Share of voxels below `hu`, or at most `hu` (percent)."""
        return self._percent(self.n_below(hu, or_equal=or_equal))

    def percent_above(self, hu: int) -> float:
        """Share of voxels above `hu` (percent)."""
        return self._percent(self.n - self.n_below(hu, or_equal=True))

    def percent_between(self, lowest: int, highest: int) -> float:
        """Share of voxels from `lowest` to `highest` HU, both included (percent)."""
        return self._percent(self.n_below(highest, or_equal=True) - self.n_below(lowest))

    def _percent(self, n: int) -> float:
        self._refuse_empty()
        return float(Fraction(100 * n, self.n))

    def only(self, *, lowest: int, highest: int) -> "HuCounts":
        """Keep the voxels from `lowest` to `highest` HU, both included."""
        hu = np.arange(self.counts.size) + self.lowest_hu
        return HuCounts(self.lowest_hu, np.where((hu >= lowest) & (hu <= highest), self.counts, 0))

    def mass_g(self, voxel_ml: float, model: str) -> float:
        """Sum of tissue density x voxel volume; `model` as in `qct.quantities.Profile`."""
        self._refuse_empty()
        if model == "schneider":
            return voxel_ml * math.fsum(
                schneider_g_ml(hu) * count for hu, count in self._occurring()
            )
        lowest = 0 if model == "air_clamped" else -math.inf
        g_l = sum(int(max(hu + 1000, lowest)) * count for hu, count in self._occurring())
        return g_l * voxel_ml / 1000.0

    def _refuse_empty(self) -> None:
        if self.n == 0:
            msg = "no voxels to describe"
            raise ValueError(msg)


def schneider_g_ml(hu: int) -> float:
    """Tissue density from HU, in four straight pieces [1]_ (g/mL).

    The pieces meet at -98, 18 and 100 HU as in the Chest Imaging Platform, which closes the gap that the
    publication leaves between 14 and 23 HU.

    References
    ----------
    .. [1] Schneider W, Bortfeld T, Schlegel W. Correlation between CT numbers and tissue parameters needed
    for Monte
       Carlo simulations of clinical dose distributions. Phys Med Biol 2000;45:459-478.
    """
    if hu < -98:
        return 0.00121 + (max(hu, -1000) + 1000) * (0.93 - 0.00121) / 902
    if hu <= 18:
        return 1.018 + 0.893 * hu / 1000
    if hu <= 100:
        return 1.003 + 1.169 * hu / 1000
    return 1.017 + 0.592 * hu / 1000
