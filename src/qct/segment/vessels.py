"""The pulmonary vessels inside the lungs: centre lines, cross-sections and volume.

A vessel thinner than about three voxels is blurred: its peak is far below that of blood, and its edge is nowhere
near its wall. What blur cannot change is its integrated contrast. So the volume of vessels is the sum of
(HU - lung between the vessels) / (blood - lung between the vessels) over the voxels around their centre lines,
and a cross-section is the same sum over the disc at right angles to the line. Noise averages out of both.

Centre lines are Steger's [1]_ at three scales (1, 2 and 4 mm), where the image bends down across the line in both
directions (a fissure and the wall of a large airway bend in one) and hardly along it (a nodule bends in all).
Stretches too short to be a vessel are dropped.

References
----------
.. [1] Steger C. An unbiased detector of curvilinear structures. IEEE Trans Pattern Anal Mach Intell
   1998;20:113-125.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from qct.findings import Vessels
from qct.kernels.blocks import average_blocks
from qct.kernels.fields import resample_hu
from qct.kernels.ridges import find_ridges
from qct.kernels.vessels import (
    NOT_LUNG,
    block_background,
    contrast_to,
    cross_sections,
    paint_nearest,
)
from qct.regions import N_LABELS, WHOLE_LUNG
from qct.segment.fissures import derivative_taps
from qct.volume import Volume

STEP_MM = 1.0
"""Grid on which vessels are searched, in mm."""

MARGIN = 5
"""Room around the lungs, in voxels: what the filters reach."""

BLOCK = 12
"""Edge of a block in which the lung between the vessels is estimated, in voxels."""

LEAST_OF_BLOCK = 100
"""A block with fewer voxels of lung takes its neighbours' background."""

SIGMA = 2 / 3
"""Scale of the derivatives, in voxels of a level."""

LEVELS = (1, 2, 4)
"""Blocks of so many voxels are averaged: each level finds vessels about twice as wide."""

LEAST_CONTRAST_HU = 60.0
"""A centre line stands out by this from the lung around it, in HU."""

CONTRAST_OVER_NOISE = 2.0
"""And by this many standard deviations of the lung between the vessels."""

LEAST_CURVATURE = 0.25
"""Curvature across the line over its least contrast, per voxel²."""

LEAST_ROUNDNESS = 0.45
"""Weaker over stronger curvature across the line."""

REACH = 10.0
"""Most radius at which a cross-section is followed, in voxels."""

LEAST_KNOWN = 0.6
"""Share of the last ring of a cross-section that is lung."""

BLUR = 1.6
"""Blur spreads a vessel's contrast about so many voxels beyond its rim."""

LEAST_LINE = 8
"""Voxels of centre line in one connected piece; less is noise or a nodule."""

RIM_MM = 1.5
"""A centre line lies this far from the rim of the lung, and from segmented airways, at least."""

BLOOD_HU = 40.0
"""Blood without contrast medium, where a scan shows no vessel wide enough to read it off."""

WIDE_MM2 = 20.0
"""Vessels of this cross-section show their own HU at the centre."""

LEAST_WIDE = 50
"""So many places on them are asked for."""

SECTIONS = 101
"""Classes of cross-section, 1 mm² each; the last holds all that is wider."""

_IS_LUNG = np.zeros(256, np.bool_)
_IS_LUNG[list(WHOLE_LUNG.labels)] = True


@dataclass(frozen=True)
class _Grid:
    """The lungs at 1 mm."""

    hu: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    origin_mm: npt.NDArray[np.float64]


def find_vessels(volume: Volume, labels: npt.NDArray[np.uint8]) -> Vessels | None:
    """Find the vessels inside the lungs; None where there is no lung.

    Parameters
    ----------
    volume : Volume
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers, by whatever segmenter. Airways and airless lung hold no vessel.

    Returns
    -------
    Vessels
    """
    grid = _cut(volume, labels)
    if grid is None:
        return None
    inside = _IS_LUNG[grid.labels]
    background, noise_hu = _background(grid.hu, inside)
    if background is None:
        return None
    contrast = contrast_to(grid.hu, inside, background, BLOCK)
    points, axes, least_mm2 = _centre_lines(contrast, inside, noise_hu)
    lung_hu = float(np.nanmedian(background))
    sections = cross_sections(contrast, points, axes, BLOOD_HU - lung_hu, BLUR, REACH)
    integral = sections[:, 0]
    at = np.rint(points).astype(np.int32)
    blood_hu, is_own = _blood(grid.hu, at, integral, lung_hu)
    area_mm2 = integral / (blood_hu - lung_hu)
    kept = (sections[:, 1] < REACH) & (sections[:, 2] >= LEAST_KNOWN)
    kept &= (area_mm2 >= least_mm2) & (area_mm2 > 0)
    points, at, axes, area_mm2 = points[kept], at[kept], axes[kept], area_mm2[kept]
    owner, kept = _painted(contrast.shape, at, area_mm2)
    table = _volumes(grid.labels, contrast, owner, kept, area_mm2) / (blood_hu - lung_hu)
    return Vessels(
        points_mm=(points[kept] * STEP_MM + grid.origin_mm).astype(np.float32),
        axes=axes[kept],
        area_mm2=area_mm2[kept].astype(np.float32),
        volume_ml=table * STEP_MM**3 / 1000,
        blood_hu=blood_hu,
        lung_hu=lung_hu,
        noise_hu=noise_hu,
        is_blood_measured=is_own,
    )


def _cut(volume: Volume, labels: npt.NDArray[np.uint8]) -> _Grid | None:
    lung = labels > 0
    seen = [lung.any(axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
    if not seen[0].any():
        return None
    spacing = np.array(volume.spacing_mm)
    first = np.array([np.flatnonzero(one)[0] for one in seen])
    last = np.array([np.flatnonzero(one)[-1] for one in seen])
    start = first * spacing - MARGIN * STEP_MM
    n = np.ceil((last - first) * spacing / STEP_MM).astype(int) + 2 * MARGIN + 1
    z, y, x = ((start[k] + STEP_MM * np.arange(n[k])) / spacing[k] for k in range(3))
    hu = resample_hu(volume.hu, y, x, z, -1100.0, 1000.0)
    index = []
    for at, size in zip((z, y, x), labels.shape, strict=True):
        nearest = np.rint(at).astype(int)
        index.append(np.where((nearest < 0) | (nearest >= size), -1, nearest))
    cut = labels[np.ix_(*(np.maximum(one, 0) for one in index))]
    for axis, one in enumerate(index):
        np.moveaxis(cut, axis, 0)[one < 0] = 0
    return _Grid(hu, cut, start)


def _background(
    hu: npt.NDArray[np.float32], inside: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32] | None, float]:
    """Return the lung between the vessels in every block, and its median standard deviation."""
    blocks = block_background(hu, inside, BLOCK, LEAST_OF_BLOCK)
    level, noise = blocks[..., 0], blocks[..., 1]
    known = np.isfinite(level)
    if not known.any():
        return None, 0.0
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return level[tuple(nearest)], float(np.median(noise[known]))


def _centre_lines(
    contrast: npt.NDArray[np.int16], inside: npt.NDArray[np.bool_], noise_hu: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Return points, directions, and the least cross-section that each level may find, in mm²."""
    least = max(LEAST_CONTRAST_HU, CONTRAST_OVER_NOISE * noise_hu)
    limits = (least, LEAST_CURVATURE * least, LEAST_ROUNDNESS)
    taps = derivative_taps(SIGMA)
    reach = taps.shape[1] // 2
    points, axes, least_mm2 = [], [], []
    for level in LEVELS:
        image = contrast if level == 1 else average_blocks(contrast, (level,) * 3, NOT_LUNG, 0)
        at = np.argwhere(image >= least).astype(np.int32)
        at = at[((at >= reach) & (at < np.array(image.shape) - reach)).all(axis=1)]
        found = find_ridges(image, at, taps, limits, NOT_LUNG)
        on_line = found[:, 3:].any(axis=1)
        found = found[on_line]
        points.append(level * (at[on_line] + found[:, :3]) + np.float32((level - 1) / 2))
        axes.append(found[:, 3:])
        narrowest = np.pi * (0.75 * level * STEP_MM) ** 2 if level > 1 else 0.0
        least_mm2.append(np.full(len(found), narrowest))
    joined = np.concatenate(points)
    at = np.rint(joined).astype(np.int32)
    on_grid = (at >= 0).all(axis=1) & (at < np.array(contrast.shape)).all(axis=1)
    deep = on_grid & _deep(inside, np.where(on_grid[:, None], at, 0))
    return joined[deep], np.concatenate(axes)[deep], np.concatenate(least_mm2)[deep]


def _deep(inside: npt.NDArray[np.bool_], points: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Tell which points lie off the rim."""
    deep = np.ones(len(points), np.bool_)
    reach = int(np.ceil(RIM_MM / STEP_MM))
    last = np.array(inside.shape) - 1
    for axis in range(3):
        for side in (-reach, reach):
            beside = points.copy()
            beside[:, axis] += side
            deep &= inside[tuple(np.clip(beside, 0, last).T)]
    return deep


def _blood(
    hu: npt.NDArray[np.float32],
    points: npt.NDArray[np.int32],
    integral: npt.NDArray[np.float64],
    lung_hu: float,
) -> tuple[float, bool]:
    """Return the HU of blood in this scan's wide vessels, and whether there were enough of them."""
    wide = integral / (BLOOD_HU - lung_hu) >= WIDE_MM2
    if np.count_nonzero(wide) < LEAST_WIDE:
        return BLOOD_HU, False
    return float(np.median(hu[tuple(points[wide].T)])), True


def _painted(
    shape: tuple[int, ...], points: npt.NDArray[np.int32], area_mm2: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Return the owner of every voxel, and the points on pieces of line that are long enough."""
    radii = (np.sqrt(area_mm2 / np.pi) / STEP_MM + BLUR).astype(np.float32)
    owner = paint_nearest((shape[0], shape[1], shape[2]), points, radii)
    pieces = cc3d.connected_components(owner >= 0, connectivity=6)
    piece = pieces[tuple(points.T)]
    return owner, (np.bincount(piece) >= LEAST_LINE)[piece]


def _volumes(
    labels: npt.NDArray[np.uint8],
    contrast: npt.NDArray[np.int16],
    owner: npt.NDArray[np.int32],
    kept: npt.NDArray[np.bool_],
    area_mm2: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Sum the contrast by label and class of cross-section."""
    at = np.flatnonzero((owner >= 0) & (contrast != NOT_LUNG))
    whose = owner.ravel()[at]
    at, whose = at[kept[whose]], whose[kept[whose]]
    section = np.minimum(area_mm2[whose].astype(np.int64), SECTIONS - 1)
    number = labels.ravel()[at].astype(np.int64) * SECTIONS + section
    sums = np.bincount(number, contrast.ravel()[at], minlength=N_LABELS * SECTIONS)
    return sums.reshape(N_LABELS, SECTIONS)


def method() -> Mapping[str, Any]:
    """Say what counts as vessel, for the record."""
    return {
        "rule": "centre lines at 1, 2 and 4 mm; volume by integrated contrast",
        "left_out": "airways and airless lung as labelled; sheets; short stretches; "
        f"lines within {RIM_MM} mm of the rim",
        "least_contrast_hu": LEAST_CONTRAST_HU,
        "contrast_over_noise": CONTRAST_OVER_NOISE,
    }
