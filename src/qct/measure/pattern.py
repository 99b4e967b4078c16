"""Describe where low attenuation lies, and how it clumps: numbers of the lungs, not of every region."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from qct.findings import Measured
from qct.flags import Status
from qct.measure.clusters import laa_clusters
from qct.quantities import CLUSTER_CLASSES, HETEROGENEITY_HU, MIN_RATIO_PERCENT, PROFILES
from qct.regions import LEFT_LUNG, RIGHT_LUNG, WHOLE_LUNG
from qct.volume import Volume

THIRDS_PREFIX = {WHOLE_LUNG.key: "", RIGHT_LUNG.key: "right_", LEFT_LUNG.key: "left_"}
"""How the keys of its thirds begin, by lung."""

OTHER_LOBE = {
    "right_upper_lobe": "right_lower_lobe",
    "right_lower_lobe": "right_upper_lobe",
    "left_upper_lobe": "left_lower_lobe",
    "left_lower_lobe": "left_upper_lobe",
}
"""The lobe that each large lobe is compared with."""


def pattern(
    volume: Volume, labels: npt.NDArray[np.uint8], measured: tuple[Measured, ...], *, profile: str
) -> tuple[Measured, ...]:
    """Measure `qct.quantities.PATTERN_KEYS`.

    Parameters
    ----------
    volume : Volume
        The scan.
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers.
    measured : tuple of Measured
        Numbers of every region, those of the thirds among them.
    profile : str
        Name in `qct.quantities.PROFILES`.

    Returns
    -------
    measured : tuple of Measured
        The ratio of thirds of both lungs and of each; the clusters of both lungs, where LAA-950 was
        measured; the heterogeneity of the large lobes.
    """
    shares = {(one.region, one.quantity): one.value for one in measured}
    laa = {region: value for (region, key), value in shares.items() if key == "laa950_percent"}
    values: dict[tuple[str, str], float | None] = {
        (lung, "laa950_upper_lower_ratio"): _ratio(
            laa[f"{prefix}upper_third"], laa[f"{prefix}lower_third"]
        )
        for lung, prefix in THIRDS_PREFIX.items()
    }
    if laa[WHOLE_LUNG.key] is not None:
        values |= _clusters(volume, labels, or_equal=PROFILES[profile].counts_threshold)
    else:
        values |= dict.fromkeys(_CLUSTER_KEYS)
    for lobe, other in OTHER_LOBE.items():
        for t in HETEROGENEITY_HU:
            here, there = (shares[region, f"laa{t}_percent"] for region in (lobe, other))
            values[lobe, f"laa{t}_heterogeneity_percent"] = (
                None if here is None or there is None else here - there
            )
    return tuple(
        Measured(region, key, value, Status.NOT_MEASURED if value is None else Status.REPORTED)
        for (region, key), value in values.items()
    )


def _ratio(upper: float | None, lower: float | None) -> float | None:
    if upper is None or lower is None or lower == 0 or max(upper, lower) < MIN_RATIO_PERCENT:
        return None
    return upper / lower


def _clusters(
    volume: Volume, labels: npt.NDArray[np.uint8], *, or_equal: bool
) -> Mapping[tuple[str, str], float | None]:
    found = laa_clusters(volume, labels, or_equal=or_equal)
    shares = found.share_percent if found.n else (None,) * len(CLUSTER_CLASSES)
    line = (found.exponent, found.r_squared, float(found.n_fitted))
    values = (*line, float(found.n), found.largest_ml, *shares)
    return dict(zip(_CLUSTER_KEYS, values, strict=True))


_CLUSTER_KEYS = tuple(
    (WHOLE_LUNG.key, f"laa_cluster_{name}")
    for name in (
        *("d", "r_squared", "fitted", "count", "largest_ml"),
        *(f"{name}_percent" for name in CLUSTER_CLASSES),
    )
)
