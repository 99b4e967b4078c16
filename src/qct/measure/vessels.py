"""Volume of the vessels, by region and by how thick they are."""

import numpy as np

from qct.findings import Measured, Vessels
from qct.flags import Status
from qct.quantities import VESSEL_KEYS, VESSEL_MM2
from qct.regions import LEFT_LUNG, LOBES, RIGHT_LUNG, WHOLE_LUNG, Region

REGIONS = (WHOLE_LUNG, RIGHT_LUNG, LEFT_LUNG, *LOBES)
"""Vessels are measured in these; thirds and zones would cut through them."""


def measure_vessels(vessels: Vessels | None) -> tuple[Measured, ...]:
    """Measure `qct.quantities.VESSEL_KEYS` of both lungs, each lung and each lobe.

    Parameters
    ----------
    vessels : Vessels or None
        None if there was no lung to look in: then nothing is measured.

    Notes
    -----
    BV5 and BV10 are the volumes of vessels with cross-sections under 5 and 10 mm² [1]_.

    References
    ----------
    .. [1] Estépar RSJ et al. Computed tomographic measures of pulmonary vascular morphology in smokers and
       their clinical implications. Am J Respir Crit Care Med 2013;188:231-239.
    """
    return tuple(one for region in REGIONS for one in _measured(vessels, region))


def _measured(vessels: Vessels | None, region: Region) -> tuple[Measured, ...]:
    """Measure one region; nothing if it holds no vessel."""
    by_mm2 = np.zeros(1) if vessels is None else vessels.volume_ml[list(region.labels)].sum(axis=0)
    total_ml = float(by_mm2.sum())
    if total_ml <= 0:
        return tuple(Measured(region.key, key, None, Status.NOT_MEASURED) for key in VESSEL_KEYS)
    small_ml = [float(by_mm2[:mm2].sum()) for mm2 in VESSEL_MM2]
    values = (total_ml, *small_ml, 100 * small_ml[0] / total_ml)
    return tuple(
        Measured(region.key, key, value) for key, value in zip(VESSEL_KEYS, values, strict=True)
    )
