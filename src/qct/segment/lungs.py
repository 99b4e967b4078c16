"""The two lungs: found on blocks of voxels, their border decided on native voxels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.boxes import Box
from qct.errors import NoLungsError
from qct.findings import Progress, no_progress
from qct.flags import Flag
from qct.kernels.blocks import decide_voxels
from qct.kernels.histogram import count_labels
from qct.regions import DENSE, Label
from qct.segment.airways import CentralAirway, find_central_airway
from qct.segment.body import (
    LUNG_MEDIAN_HU,
    Blocks,
    air_threshold_hu,
    average,
    find_body,
    median_hu,
)
from qct.segment.gas import gas_pockets
from qct.segment.morphology import Mask, bounding_box, box_around, dilate, dilate_once
from qct.segment.outline import Airless, close_lung, find_airless, room_to_close
from qct.segment.parts import Parts
from qct.segment.sides import ISLAND_ML, LEFT, RIGHT, Sides, part_sides
from qct.volume import PADDING_HU, Volume

SMALLEST_LUNG_ML = 80.0
"""Less air than this is no lung: sinuses, bowel, a cut-off lung base."""

GAS_ONLY_HU = -965
"""An air space whose median is lower holds gas, not lung (worst emphysema stays above)."""

SHORTEST_LUNG_MM = 60.0
"""Lungs that span less of the body axis are the bases at the edge of an abdominal scan, or none."""

WALL_MM = 1.5
"""Wall of trachea and main bronchi (Montaudon M et al. J Anat 2007;211:579-588: 1 to 2 mm)."""

ASYMMETRY = 0.4
"""Smaller over larger lung: the left is normally 0.8 to 0.9 of the right."""

DENSE_CAVEAT_PERCENT = 1.0
"""Share of airless lung that a reader has to know of: low, as `find_airless` may find a part of it only."""

FLUID_ML = 20.0
"""Fluid between lung and ribs that a reader has to know of."""

HIGH_BASE_MM = 45.0
"""The bases of two healthy lungs lie within 30 mm of each other in height."""

SMALLEST_AIRWAY_ML = 12.0
"""Trachea and main bronchi of an adult hold more."""

MARGIN_MM = 25.0
"""Room kept around the lungs."""

CUT_MM2 = 100.0
"""Lung on an outer face of the scan, beyond noise."""

LUNG_LABELS = {RIGHT: Label.RIGHT_LUNG, LEFT: Label.LEFT_LUNG}


@dataclass(frozen=True, kw_only=True)
class Lungs:
    """Both lungs and the airways on the native grid.

    Attributes
    ----------
    labels : (Z, Y, X) uint8
        `Label.RIGHT_LUNG`, `Label.LEFT_LUNG` (plus `DENSE` where airless), `Label.AIRWAY`.
    flags : frozenset of Flag
        Doubts about lungs and airways.
    method : mapping
        Figures for the record; names end in their unit.
    """

    labels: npt.NDArray[np.uint8]
    flags: frozenset[Flag] = frozenset()
    method: Mapping[str, Any] = field(default_factory=dict)


def find_lungs(volume: Volume, *, progress: Progress = no_progress) -> Lungs:
    """Find both lungs and the central airways.

    Parameters
    ----------
    volume : Volume
        Chest CT. Sides come from its axes; nothing is assumed about which way the patient lay.
    progress : Progress
        Told what is done.

    Returns
    -------
    lungs : Lungs

    Raises
    ------
    NoLungsError
        If no air space of the image is a lung.

    Notes
    -----
    The border between lung and chest wall is where a native voxel crosses the threshold of
    `air_threshold_hu`; blocks only say on which voxels that is decided.
    """
    progress("outlining the body", 0.0)
    whole = average(volume)
    body = find_body(whole)
    if not body.any():
        raise _no_lungs("the image shows no body")
    threshold_hu = air_threshold_hu(whole.hu, body)
    air = _lung_like_air(whole, body, threshold_hu)
    box = box_around(air, MARGIN_MM, whole.spacing_mm)
    blocks, body, air = whole.cut(box), body[box], air[box]

    progress("following the airways", 0.3)
    airway = find_central_airway(blocks, body, air)
    tube = _tube(blocks, airway)
    progress("parting the lungs", 0.45)
    free = air & ~tube
    gas = gas_pockets(blocks, free, threshold_hu)
    middle = _middle(air, airway)
    sides = part_sides(blocks, free, gas, middle, threshold_hu)
    _refuse_without_lungs(sides, blocks)

    progress("closing the lungs over vessels", 0.6)
    airless = find_airless(blocks, sides.numbers, middle)
    below, above = _block_labels(blocks, sides, airless, tube, airway)
    progress("deciding the border on voxels", 0.85)
    labels = decide_voxels(
        volume.hu,
        _uncut(below, box, whole.hu.shape),
        _uncut(above, box, whole.hu.shape),
        whole.factors,
        threshold_hu,
        PADDING_HU,
    )
    native = _native(box, whole.factors)
    _drop_islands(labels[native], volume.voxel_ml)
    method = {
        "threshold_hu": threshold_hu,
        "block_mm": tuple(round(step, 3) for step in whole.spacing_mm),
        "gas_removed_ml": _gas_ml(free, gas, sides, blocks),
        "lungs_parted_by": "watershed" if sides.joined else "separate air spaces",
        "airway_threshold_hu": airway.threshold_hu if airway else None,
        "airway_leak_cut": airway.leaked if airway else None,
        "right_fluid_ml": airless.fluid_ml[RIGHT],
        "left_fluid_ml": airless.fluid_ml[LEFT],
        "left_base_mm": airless.left_base_mm,
    }
    return _described(volume, labels, native, airway, method)


def _no_lungs(reason: str) -> NoLungsError:
    return NoLungsError(
        f"no lungs found: {reason}", hint="Choose a series that shows the whole chest."
    )


def _lung_like_air(blocks: Blocks, body: Mask, threshold_hu: int) -> Mask:
    """Return the air spaces of the body whose median HU is that of lung."""
    parts = Parts.of(body & (blocks.hu < threshold_hu))
    like_lung = np.zeros(parts.sizes.size, bool)
    for number in np.flatnonzero(parts.sizes * blocks.block_ml >= ISLAND_ML).tolist():
        middle_hu = median_hu(blocks.hu[parts.box(number)], parts.cut(number))
        like_lung[number] = GAS_ONLY_HU < middle_hu < LUNG_MEDIAN_HU[1]
    largest_ml = float((parts.sizes * like_lung).max()) * blocks.block_ml
    if largest_ml < SMALLEST_LUNG_ML:
        raise _no_lungs(f"the largest air space that could be lung holds {largest_ml:.0f} mL")
    return parts.mask(like_lung)


def _middle(air: Mask, airway: CentralAirway | None) -> float:
    """Index along x that the lungs lie to either side of: the trachea, or the middle of all lung."""
    if airway is not None:
        return float(airway.seed[2])
    columns = np.flatnonzero(air.any(axis=(0, 1)))
    return float(columns[0] + columns[-1]) / 2


def _tube(blocks: Blocks, airway: CentralAirway | None) -> Mask:
    """Return the airways with their wall."""
    if airway is None:
        return np.zeros(blocks.hu.shape, bool)
    tube = np.zeros_like(airway.lumen)
    box = box_around(airway.lumen, WALL_MM + 3 * max(blocks.spacing_mm), blocks.spacing_mm)
    reach_mm = WALL_MM + 0.5 * min(blocks.spacing_mm)
    tube[box] = dilate(airway.lumen[box], reach_mm, blocks.spacing_mm)
    return tube


def _refuse_without_lungs(sides: Sides, blocks: Blocks) -> None:
    """Raise if what is left has neither the volume nor the height of a lung."""
    lung = sides.numbers > 0
    ml = float(lung.sum()) * blocks.block_ml
    if ml < SMALLEST_LUNG_ML:
        raise _no_lungs(f"{ml:.0f} mL are left without airways and bowel gas")
    height_mm = float(lung.any(axis=(1, 2)).sum()) * blocks.spacing_mm[0]
    if height_mm < SHORTEST_LUNG_MM:
        raise _no_lungs(f"what looks like lung spans {height_mm:.0f} mm of the body axis only")


def _block_labels(
    blocks: Blocks, sides: Sides, airless: Airless, tube: Mask, airway: CentralAirway | None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Say for each block what its voxels below the threshold are, and what the others are."""
    below = np.zeros(blocks.hu.shape, np.uint8)
    above = np.zeros(blocks.hu.shape, np.uint8)
    for side, label in LUNG_LABELS.items():
        aerated = sides.numbers == side
        if not aerated.any():
            continue
        box = room_to_close(aerated | airless.dense[side], blocks)
        aerated, dense = aerated[box], airless.dense[side][box] & (below[box] == 0)
        outline = close_lung(aerated | dense, blocks)
        dense = dilate_once(dense) & outline
        rim = outline & dilate_once(~outline)
        ring = dilate_once(aerated) & ~outline
        free = (below[box] == 0) & ~tube[box]
        np.copyto(below[box], np.uint8(label), where=(outline | ring) & free)
        np.copyto(above[box], np.uint8(label), where=outline & free & ~(rim & aerated))
        np.copyto(above[box], np.uint8(label + DENSE), where=dense & free)
    if airway is not None:
        box = bounding_box(tube)
        wet = dilate_once(airway.lumen[box]) | (below[box] > 0)
        below[box][wet & tube[box]] = Label.AIRWAY
    return below, above


def _uncut(
    cut: npt.NDArray[np.uint8], box: tuple[slice, slice, slice], shape: tuple[int, ...]
) -> npt.NDArray[np.uint8]:
    whole = np.zeros(shape, np.uint8)
    whole[box] = cut
    return whole


def _native(box: Box, factors: tuple[int, int, int]) -> Box:
    """Return the voxels of a box of blocks."""
    z, y, x = (
        slice(span.start * factor, span.stop * factor)
        for span, factor in zip(box, factors, strict=True)
    )
    return z, y, x


def _drop_islands(labels: npt.NDArray[np.uint8], voxel_ml: float) -> None:
    """Unlabel what a lung has apart from its largest part, unless it is large: anatomy parted it."""
    parts = Parts.of(labels, DENSE - 1)
    island = np.zeros(parts.sizes.size, bool)
    for label in LUNG_LABELS.values():
        sizes = parts.sizes * (parts.values == label)
        island |= (sizes > 0) & (sizes * voxel_ml < ISLAND_ML) & (sizes < sizes.max())
    labels[parts.voxels(island)] = Label.BACKGROUND


def _gas_ml(free: Mask, gas: Mask, sides: Sides, blocks: Blocks) -> float:
    """Volume of the air spaces that were cut off with gas in them."""
    cut_off = free & (sides.numbers == 0)
    parts = Parts.of(cut_off)
    return float(parts.sizes[np.unique(parts.numbers(gas & cut_off))].sum()) * blocks.block_ml


def _described(
    volume: Volume,
    labels: npt.NDArray[np.uint8],
    box: Box,
    airway: CentralAirway | None,
    method: dict[str, Any],
) -> Lungs:
    """Add flags and figures."""
    counts = count_labels(labels.reshape(len(labels), -1)).sum(axis=1) * volume.voxel_ml
    plain_ml = {side: float(counts[label]) for side, label in LUNG_LABELS.items()}
    dense_ml = {side: float(counts[label + DENSE]) for side, label in LUNG_LABELS.items()}
    total_ml = {side: plain_ml[side] + dense_ml[side] for side in LUNG_LABELS}
    method["airway_ml"] = float(counts[Label.AIRWAY])
    for side, name in ((RIGHT, "right"), (LEFT, "left")):
        method[f"{name}_ml"] = total_ml[side]
        method[f"{name}_dense_percent"] = 100 * dense_ml[side] / max(total_ml[side], 1e-9)
    most_dense = max(method["right_dense_percent"], method["left_dense_percent"])
    flags = set(outline_flags(volume, labels, box, total_ml.values(), most_dense))
    if abs(method["left_base_mm"] or 0.0) > HIGH_BASE_MM:
        flags.add(Flag.LUNG_BASE_HIGH)
    if max(method["right_fluid_ml"], method["left_fluid_ml"]) >= FLUID_ML:
        flags.add(Flag.PLEURAL_FLUID)
    if method["gas_removed_ml"] > 0:
        flags.add(Flag.GAS_POCKET_REMOVED)
    if method["lungs_parted_by"] == "watershed":
        flags.add(Flag.LUNGS_JOINED)
    if airway is None or method["airway_ml"] < SMALLEST_AIRWAY_ML:
        flags.add(Flag.AIRWAY_INCOMPLETE)
    return Lungs(labels=labels, flags=frozenset(flags), method=method)


def outline_flags(
    volume: Volume,
    labels: npt.NDArray[np.uint8],
    box: Box,
    both_ml: Iterable[float],
    most_dense_percent: float,
) -> frozenset[Flag]:
    """Tell what an outline of lungs gives to doubt, whoever drew it.

    Parameters
    ----------
    volume : Volume
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers; all lung lies in the box.
    box : Box
    both_ml : two floats
        Volumes of the lungs.
    most_dense_percent : float
        Airless share of the lung that has more of it.
    """
    smaller, larger = sorted(both_ml)
    doubts = {
        Flag.SINGLE_LUNG: smaller < SMALLEST_LUNG_ML,
        Flag.LUNG_ASYMMETRY: SMALLEST_LUNG_ML <= smaller < ASYMMETRY * larger,
        Flag.TRUNCATED_LUNG: _is_truncated(volume, labels, box),
        Flag.DENSE_LUNG: most_dense_percent >= DENSE_CAVEAT_PERCENT,
    }
    return frozenset(flag for flag, holds in doubts.items() if holds)


def _is_truncated(volume: Volume, labels: npt.NDArray[np.uint8], box: Box) -> bool:
    """Tell whether more than `CUT_MM2` of lung lies on an outer face of the measured field.

    All lung lies in the box, whose faces are those of the field where lung comes so near.
    """
    here = labels[box]
    dz, dy, dx = volume.spacing_mm
    ends, rows, columns = (
        max(int(_is_lung(one[0]).sum()), int(_is_lung(one[-1]).sum()))
        for one in (here, here.swapaxes(0, 1), here.swapaxes(0, 2))
    )
    at_faces_mm2 = max(ends * dy * dx, rows * dz * dx, columns * dz * dy)
    return bool(max(at_faces_mm2, _at_padding_mm2(volume, labels, box)) > CUT_MM2)


def _is_lung(labels: npt.NDArray[np.uint8]) -> Mask:
    return np.asarray((labels > 0) & (labels != Label.AIRWAY))


def _at_padding_mm2(volume: Volume, labels: npt.NDArray[np.uint8], box: Box) -> float:
    """Area over which lung touches voxels that the scanner did not measure."""
    anywhere = labels[box].max(axis=0) > 0
    padded = volume.hu[box].min(axis=0) == PADDING_HU
    if not _n_beside(anywhere, padded) and not _n_beside(anywhere.T, padded.T):
        return 0.0
    along_y, along_x = 0, 0
    for hu, here in zip(volume.hu[box], labels[box], strict=True):
        padding = hu == PADDING_HU
        if padding.any():
            lung = _is_lung(here)
            along_y += _n_beside(lung, padding)
            along_x += _n_beside(lung.T, padding.T)
    dz, dy, dx = volume.spacing_mm
    return float(along_y) * dz * dx + float(along_x) * dz * dy


def _n_beside(one: Mask, other: Mask) -> int:
    """Count the pairs of neighbours along the first axis of which one is in each mask."""
    return int(np.count_nonzero(one[1:] & other[:-1]) + np.count_nonzero(one[:-1] & other[1:]))
