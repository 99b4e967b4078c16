"""Lung density as it would be at another volume: the sponge model."""

from qct.findings import Measured, Reference
from qct.flags import Status
from qct.regions import WHOLE_LUNG

PREDICTED_TLC = "tlc_ecsc1993"
"""Row of ``reference.toml`` whose volume density is adjusted to."""

ADJUSTED = "perc15_adjusted_g_l"


def at_volume(density_g_l: float, volume_ml: float, wanted_ml: float) -> float:
    """Return a density at another lung volume, if no tissue comes or goes [1]_ (g/L).

    >>> at_volume(60.0, 5000.0, 6000.0)
    50.0

    References
    ----------
    .. [1] Shaker SB, Dirksen A, Laursen LC, et al. Volume adjustment of lung density by computed tomography
       scans in patients with emphysema. Acta Radiol 2004;45:417-423.
    """
    return density_g_l * volume_ml / wanted_ml


def adjust(
    measured: tuple[Measured, ...], references: tuple[Reference, ...]
) -> tuple[Measured, ...]:
    """Add PD15 at predicted TLC, where both are known and this scan allows PD15 and volume.

    Parameters
    ----------
    measured : tuple of Measured
        As judged.
    references : tuple of Reference
        For this person and scan.
    """
    found = {one.quantity: one for one in measured if one.region == WHOLE_LUNG.key}
    parts = [found[key] for key in ("perc15_g_l", "volume_ml") if key in found]
    predicted_ml = next((one.predicted for one in references if one.key == PREDICTED_TLC), None)
    flags = frozenset().union(*(one.flags for one in parts))
    density_g_l, volume_ml = (
        found[key].value if key in found else None for key in ("perc15_g_l", "volume_ml")
    )
    if density_g_l is not None and volume_ml is not None and predicted_ml:
        doubted = any(one.status is Status.CAVEAT for one in parts)
        status = Status.CAVEAT if doubted else Status.REPORTED
        value = at_volume(density_g_l, volume_ml, predicted_ml)
        return (*measured, Measured(WHOLE_LUNG.key, ADJUSTED, value, status, flags))
    withheld = any(one.status is Status.WITHHELD for one in parts)
    status = Status.WITHHELD if withheld else Status.NOT_MEASURED
    return (*measured, Measured(WHOLE_LUNG.key, ADJUSTED, None, status, flags))
