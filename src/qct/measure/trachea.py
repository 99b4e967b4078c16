"""The air of the trachea: where a scan shows a substance whose HU is known, and nothing but noise."""

import edt
import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_fill_holes, label

from qct.boxes import box_in
from qct.regions import Label
from qct.volume import PADDING_HU, Volume

TRACHEA_SHARE = 0.3
"""Share of the airways' height, from the top, in which the trachea is looked for."""

FROM_WALL_MM = 4.0
"""Tracheal air and muscle are measured this far from where they end: past the blur of the border."""

LUMEN_BELOW_HU = -600
"""Brighter voxels of the segmented airway are wall, or lie between two bronchi."""

BRONCHUS_MM2 = 40.0
"""Where a slice shows two lumens of at least this area, the trachea has parted."""


def tracheal_core(
    volume: Volume, labels: npt.NDArray[np.uint8]
) -> tuple[tuple[slice, ...], npt.NDArray[np.bool_]] | None:
    """Return a box around the trachea, and where in it there is air far from its wall; None without airways."""
    is_airway = np.arange(256) == Label.AIRWAY
    whole = box_in(is_airway, labels)
    if whole is None:
        return None
    bottom, top = whole[0].start, whole[0].stop - 1
    upper = slice(top - round(TRACHEA_SHARE * (top - bottom)), top + 1)
    inside = box_in(is_airway, labels[upper])
    assert inside is not None  # the top is in it
    box = upper, *(slice(max(one.start - 1, 0), one.stop + 1) for one in inside[1:])
    lumen = _trachea(labels[box] == Label.AIRWAY, volume.hu[box], volume.spacing_mm)
    # the scan may end within the trachea: its ends are no wall, the sides of the box are background
    from_wall_mm = edt.edt(lumen, anisotropy=volume.spacing_mm, black_border=False)
    core: npt.NDArray[np.bool_] = (from_wall_mm >= FROM_WALL_MM) & (volume.hu[box] != PADDING_HU)
    return box, core


def _trachea(
    airway: npt.NDArray[np.bool_], hu: npt.NDArray[np.int16], spacing_mm: tuple[float, ...]
) -> npt.NDArray[np.bool_]:
    """Return the lumen from the top down to where it has parted in two; noise makes no holes in it."""
    lumen = np.zeros_like(airway)
    _, dy, dx = spacing_mm
    for z in range(len(airway) - 1, -1, -1):
        air = binary_fill_holes(airway[z] & (hu[z] < LUMEN_BELOW_HU))
        parts, _ = label(air)
        areas_mm2 = np.bincount(parts.ravel())[1:] * dy * dx
        if np.count_nonzero(areas_mm2 >= BRONCHUS_MM2) > 1:
            break
        lumen[z] = air
    return lumen
