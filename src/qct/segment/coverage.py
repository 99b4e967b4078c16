"""How much of the lungs a label map from elsewhere covers: what it leaves out, and what belongs to no lobe.

A label map that was cropped, or drawn on some of the slices or lobes only, lies on the voxels of the scan as
a whole one does, and its numbers look like those of small lungs. It shows in the image: beside its regions
goes on what reads like lung, behind a border as wide as a cut through a lung.
"""

from collections.abc import Iterable, Mapping

import cc3d
import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation

from qct.flags import Flag
from qct.regions import DENSE, LEFT_LUNG, LOBES, RIGHT_LUNG, Region
from qct.volume import Volume

Labels = npt.NDArray[np.uint8]

LUNG_LIKE_HU = (-975, -600)
"""Lung between its vessels; the air of the trachea and outside reads lower."""

STEP_MM = 2.5
"""Distance of the rows and columns that are looked at; of slices all are, for some may not be drawn."""

CUT_SHARE = 0.3
"""Least area of the border between regions and what goes on behind a cut, over volume (of the smaller) to the
power of 2/3.

Stomach gas below the diaphragm of RICORD-1A stays far below it; lobes, halves of lungs and every second slice,
taken out of the maps of five real scans, lie above.
"""

BOTH_SHARE = 0.2
"""Least share of that border with either lung for a part that is counted to both."""

LEFT_OUT_PERCENT = 5.0
"""Share of a lung that may lie outside the regions, as bronchi, a rim or the hilum do."""

SIDES: Mapping[str, Region] = {"right": RIGHT_LUNG, "left": LEFT_LUNG}


def left_out_ml(volume: Volume, labels: Labels) -> dict[str, float]:
    """Measure what reads like lung, lies beside labelled lung and has no label.

    Parameters
    ----------
    volume : Volume
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers, `DENSE` twins among them.

    Returns
    -------
    left_out : dict
        ``right`` and ``left``: volume beside that lung (mL).
    """
    steps = [1, *(max(1, round(STEP_MM / mm)) for mm in volume.spacing_mm[1:])]
    thin = tuple(slice(None, None, step) for step in steps)
    hu, coarse = volume.hu[thin], labels[thin] & np.uint8(DENSE - 1)
    lowest, highest = LUNG_LIKE_HU
    free = (hu > lowest) & (hu < highest) & (coarse == 0)
    parts = cc3d.connected_components(free, connectivity=6)
    sizes = np.bincount(parts.ravel())
    border = {}
    for name, lung in SIDES.items():
        beside = binary_dilation(np.isin(coarse, lung.labels)) & free
        border[name] = np.bincount(parts[beside], minlength=len(sizes))
    total = border["right"] + border["left"]
    labelled = np.isin(coarse, [int(n) for lung in SIDES.values() for n in lung.labels]).sum()
    cut = CUT_SHARE * np.minimum(sizes, labelled) ** (2 / 3)
    counted = np.where(total >= np.maximum(1, cut), sizes, 0)
    of_right = border["right"] / np.maximum(total, 1)
    of_right = np.where(of_right < BOTH_SHARE, 0, np.where(of_right > 1 - BOTH_SHARE, 1, of_right))
    voxel_ml = volume.voxel_ml * float(np.prod(steps))
    right_ml = float((counted * of_right).sum()) * voxel_ml
    return {"right": right_ml, "left": float(counted.sum()) * voxel_ml - right_ml}


def coverage(volume: Volume, labels: Labels) -> tuple[dict[str, float], dict[str, frozenset[Flag]]]:
    """Tell which lungs a label map covers in part only, and which have voxels of no lobe.

    Returns
    -------
    figures : dict
        For the record: ``right_left_out_ml``, ``right_left_out_percent``, ``right_in_no_lobe_percent``; the
        same of the left.
    region_flags : dict
        Region key of a lung to its doubts.
    """
    counts = np.bincount(labels.ravel(), minlength=2 * DENSE)
    counts = counts[:DENSE] + counts[DENSE : 2 * DENSE]
    left_out = left_out_ml(volume, labels)
    figures: dict[str, float] = {}
    doubts: dict[str, frozenset[Flag]] = {}
    for name, lung in SIDES.items():
        whole_ml = float(counts[list(lung.labels)].sum()) * volume.voxel_ml
        of_lobes_ml = float(counts[_lobes_of(lung)].sum()) * volume.voxel_ml
        beyond = _percent(left_out[name], whole_ml + left_out[name])
        in_no_lobe = _percent(whole_ml - of_lobes_ml, whole_ml) if of_lobes_ml else 0.0
        figures |= {
            f"{name}_left_out_ml": left_out[name],
            f"{name}_left_out_percent": beyond,
            f"{name}_in_no_lobe_percent": in_no_lobe,
        }
        found = {
            Flag.LABELS_PARTIAL: beyond > LEFT_OUT_PERCENT,
            Flag.LOBES_PARTIAL: in_no_lobe > LEFT_OUT_PERCENT,
        }
        doubts[lung.key] = frozenset(flag for flag, holds in found.items() if holds)
    return figures, {key: flags for key, flags in doubts.items() if flags}


def _lobes_of(lung: Region) -> list[int]:
    lobes: Iterable[Region] = (lobe for lobe in LOBES if lobe.side is lung.side)
    return [int(label) for lobe in lobes for label in lobe.labels]


def _percent(part: float, whole: float) -> float:
    return 100 * part / whole if whole else 0.0
