"""The pulmonary vessels inside the lungs: centre lines, cross-sections, and the volume around them.

A vessel thinner than about three voxels is blurred: its peak is far below the HU of blood, and its edge is
nowhere near its wall. What blur cannot change is its contrast, integrated. So the volume of vessels is the sum
of (HU - lung between the vessels) / (blood - lung between the vessels) over the voxels around their centre
lines, blood being what wide vessels of the same scan show. Noise averages out.

Centre lines are Steger's [1]_ at three scales (1, 2 and 4 mm), where the image bends down across the line in
both directions (a fissure and the wall of a large airway bend in one) and less along it (a nodule bends in
all). What is still bright all around where a vessel of that contrast would end (consolidation) is no vessel,
nor is a short stretch.

The cross-section of a wide vessel is the same integral over the disc at right angles to its line. For a thin
one that would count half the bronchus that runs beside it; but blur itself tells its size: a disc of area A,
blurred by a Gaussian of variance v, has 1 - exp(-A / (2 pi v)) of its contrast left in the middle. How large v
is, this scan's own vessels tell, for they have both: the middle, and, where nothing lies beside them, the
integral.

References
----------
.. [1] Steger C. An unbiased detector of curvilinear structures. IEEE Trans Pattern Anal Mach Intell
   1998;20:113-125.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from qct.findings import Vessels
from qct.kernels.background import NOT_LUNG, block_background, block_means, contrast_to
from qct.kernels.blocks import average_blocks
from qct.kernels.fields import resample_hu
from qct.kernels.ridges import find_ridges
from qct.kernels.vessels import cross_sections, lower_quartile_along, paint_nearest, sum_by_owner
from qct.regions import Label
from qct.segment.fissures import derivative_taps
from qct.segment.morphology import bounding_box, dilate, placed
from qct.segment.parts import Parts
from qct.volume import Volume

STEP_MM = 1.0
"""Grid on which vessels are searched, in mm; all that is in voxels below is on this grid."""

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

NARROWEST = 0.75
"""Least radius that a coarse level may find, in its voxels."""

OFF_LINES = 2.5
"""Lung this far from centre lines, in voxels of their level, is lung between the vessels."""

TRIM = 0.1
"""Share of its lowest and of its highest values that does not count: vessels that were missed, too."""

LEAST_CONTRAST_HU = 60.0
"""A centre line stands out by this from the lung around it, in HU."""

CONTRAST_OVER_NOISE = 2.5
"""And by this many standard deviations of the lung between the vessels."""

LEAST_CURVATURE = 0.25
"""Curvature across the line over its least contrast, per voxel²."""

LEAST_ROUNDNESS = 0.38
"""Weaker over stronger curvature across the line."""

REACH = 10.0
"""Most radius at which a cross-section is followed, in voxels; what is not at its end there is no vessel."""

LEAST_KNOWN = 0.6
"""Share of the last ring of a cross-section that is lung."""

MOST_AROUND = 0.15
"""Share of full contrast at the end of a cross-section; in consolidated or hazy lung more is left."""

BLUR = 1.6
"""Blur spreads a vessel's contrast about so many voxels beyond its rim."""

GATE_HU = 40.0
"""Opposite sides of a cross-section that differ by more are not those of one vessel."""

GATE_OVER_NOISE = 2.5
"""And by more than this many standard deviations of noise."""

THIN = (0.05, 0.6)
"""Where the middle shows between these shares of full contrast, blur and area determine each other."""

ALONE = 0.02
"""Nothing lies beside a vessel at the end of whose cross-section the lung is back, within this share."""

WIDE = 0.8
"""From this share on the middle says nothing more, and the integral is the cross-section."""

USUAL_BLUR = 1.0
"""Variance of the blur in voxels², where a scan has too few vessels to tell it."""

LEAST_TO_FIT = 500
"""So many thin places are asked for."""

STRETCH = (3.0, 0.8, 0.9)
"""Points on one stretch of line: most distance along and off it, in voxels; least cosine of the directions.

What lies beside a vessel only ever adds to its cross-section, so the lower quartile of a stretch counts.
"""

LEAST_LINE = 5
"""Longest extent of connected centre lines in voxels; less is noise or a nodule."""

RIM = 2
"""A centre line lies this far from the rim of the lung and from airways, at least, in voxels."""

BLOOD_HU = 40.0
"""Blood without contrast medium, where a scan shows no vessel wide enough to read it off."""

WIDE_MM2 = 20.0
"""Vessels of this cross-section show their own HU at the centre."""

LEAST_WIDE = 50
"""So many places on them are asked for."""

SECTIONS = 101
"""Classes of cross-section, 1 mm² each; the last holds all that is wider."""


@dataclass(frozen=True)
class _Grid:
    """The lungs at 1 mm; labels are 0 where there is no aerated lung."""

    hu: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    origin_mm: npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Lines:
    """Points on centre lines: where (voxels), which way, and the level that found them."""

    points: npt.NDArray[np.float32]
    axes: npt.NDArray[np.float32]
    level: npt.NDArray[np.int64]

    def where(self, kept: npt.NDArray[np.bool_]) -> "_Lines":
        return _Lines(self.points[kept], self.axes[kept], self.level[kept])

    @property
    def least_mm2(self) -> npt.NDArray[np.float64]:
        """Narrowest cross-section that the level may find: a narrower one is a finer level's."""
        return np.where(self.level > 1, np.pi * (NARROWEST * self.level * STEP_MM) ** 2, 0.0)

    @property
    def voxels(self) -> npt.NDArray[np.int32]:
        return np.rint(self.points).astype(np.int32)


def find_vessels(volume: Volume, labels: npt.NDArray[np.uint8]) -> Vessels | None:
    """Find the vessels inside the lungs; None where there is no aerated lung.

    Parameters
    ----------
    volume : Volume
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers, by whatever segmenter. Airways and airless lung hold no vessel.
    """
    grid = _cut(volume, labels)
    if grid is None:
        return None
    inside = grid.labels > 0
    background, noise_hu = _background(grid.hu, inside)
    if background is None:
        return None
    contrast = contrast_to(grid.hu, inside, background, BLOCK)
    lines = _centre_lines(contrast, inside, noise_hu)
    background = _between(grid.hu, inside, lines, background)
    lung_hu = float(np.median(background))
    contrast = contrast_to(grid.hu, inside, background, BLOCK)
    gate_hu = max(GATE_HU, GATE_OVER_NOISE * noise_hu)
    sections = cross_sections(
        contrast, lines.points, lines.axes, (BLOOD_HU - lung_hu, BLUR, REACH, gate_hu)
    )
    blood_hu, is_own = _blood(grid.hu, lines.voxels, sections[:, 0], lung_hu)
    blur = _fit_blur(lines, sections, blood_hu - lung_hu)
    area_mm2 = _areas(lines, sections, blood_hu - lung_hu, blur)
    kept = (sections[:, 3] >= LEAST_KNOWN) & (sections[:, 4] <= MOST_AROUND * (blood_hu - lung_hu))
    kept &= (sections[:, 2] < REACH) & (area_mm2 > lines.least_mm2)
    kept[kept] = _is_long(lines.where(kept).voxels, contrast.shape)
    lines, area_mm2 = lines.where(kept), area_mm2[kept]
    area_mm2 = lower_quartile_along(
        (contrast.shape[0], contrast.shape[1], contrast.shape[2]),
        lines.points,
        lines.axes,
        area_mm2,
        STRETCH,
    )
    return Vessels(
        points_mm=(lines.points * STEP_MM + grid.origin_mm).astype(np.float32),
        axes=lines.axes,
        area_mm2=area_mm2.astype(np.float32),
        volume_ml=_volumes(grid, contrast, lines, area_mm2) / (blood_hu - lung_hu),
        method={
            "blood_hu": round(blood_hu, 1),
            "blood_from": "wide vessels of this scan" if is_own else "usual value",
            "lung_between_hu": round(lung_hu, 1),
            "noise_hu": round(noise_hu, 1),
            "blur_mm2": [round(one * STEP_MM**2, 3) for one in blur],
            "left_out": f"airways and airless lung; sheets; lines under {LEAST_LINE * STEP_MM:g} mm, or within "
            f"{RIM * STEP_MM:g} mm of the rim of the lung or of an airway; what fills its surroundings",
        },
    )


def _cut(volume: Volume, labels: npt.NDArray[np.uint8]) -> _Grid | None:
    """Resample the lungs to `STEP_MM`."""
    around = bounding_box(labels)
    lung = (labels[around] > 0) & (labels[around] < Label.AIRWAY)
    if not lung.any():
        return None
    box = placed(bounding_box(lung), around)
    spacing = np.array(volume.spacing_mm)
    first, last = (np.array([getattr(one, end) for one in box]) for end in ("start", "stop"))
    start = first * spacing - MARGIN * STEP_MM
    n = np.ceil((last - 1 - first) * spacing / STEP_MM).astype(int) + 2 * MARGIN + 1
    z, y, x = ((start[k] + STEP_MM * np.arange(n[k])) / spacing[k] for k in range(3))
    hu = resample_hu(volume.hu, y, x, z, -1100.0, 1000.0)
    nearest = [np.rint(at).astype(int) for at in (z, y, x)]
    sizes = zip(nearest, labels.shape, strict=True)
    cut = labels
    for axis, (at, size) in enumerate(sizes):
        cut = cut.take(np.clip(at, 0, size - 1), axis=axis)
    cut[cut >= Label.AIRWAY] = 0
    for axis, (at, size) in enumerate(zip(nearest, labels.shape, strict=True)):
        np.moveaxis(cut, axis, 0)[(at < 0) | (at >= size)] = 0
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


def _between(
    hu: npt.NDArray[np.float32],
    inside: npt.NDArray[np.bool_],
    lines: _Lines,
    otherwise: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """Return the mean of the lung off all lines in every block, where there is enough of it.

    The mode finds lines, but only a mean is right under an integral: in emphysema the mode may be the holes.
    """
    taken = np.zeros(hu.shape, bool)
    for level in LEVELS:
        line = np.zeros(hu.shape, bool)
        line[tuple(lines.voxels[lines.level == level].T)] = True
        taken |= dilate(line, OFF_LINES * level, (1.0, 1.0, 1.0))
    means = block_means(hu, inside, taken, (BLOCK, LEAST_OF_BLOCK, RIM), TRIM)
    return np.where(np.isfinite(means), means, otherwise)


def _centre_lines(
    contrast: npt.NDArray[np.int16], inside: npt.NDArray[np.bool_], noise_hu: float
) -> _Lines:
    """Find the centre lines of every level, off the rim of the lung."""
    least = max(LEAST_CONTRAST_HU, CONTRAST_OVER_NOISE * noise_hu)
    limits = (least, LEAST_CURVATURE * least, LEAST_ROUNDNESS)
    taps = derivative_taps(SIGMA)
    reach = taps.shape[1] // 2
    found = []
    for level in LEVELS:
        image = contrast if level == 1 else average_blocks(contrast, (level,) * 3, NOT_LUNG, 0)
        inner = (slice(reach, -reach),) * 3
        bright = np.zeros(image.shape, bool)
        np.greater_equal(image[inner], least, out=bright[inner])
        found_at = np.unravel_index(np.flatnonzero(bright), image.shape)
        at = np.stack(found_at, axis=1).astype(np.int32)
        ridges = find_ridges(image, at, taps, limits, NOT_LUNG)
        on_line = ridges[:, 3:].any(axis=1)
        points = level * (at[on_line] + ridges[on_line, :3]) + np.float32((level - 1) / 2)
        found.append(_Lines(points, ridges[on_line, 3:], np.full(len(points), level)))
    lines = _Lines(
        np.concatenate([one.points for one in found]),
        np.concatenate([one.axes for one in found]),
        np.concatenate([one.level for one in found]),
    )
    return lines.where(_deep(inside, lines.voxels))


def _deep(inside: npt.NDArray[np.bool_], voxels: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Tell which voxels lie off the rim."""
    last = np.array(inside.shape) - 1
    deep = np.asarray(((voxels >= 0) & (voxels <= last)).all(axis=1))
    for axis in range(3):
        for side in (-RIM, RIM):
            beside = voxels.copy()
            beside[:, axis] += side
            deep &= inside[tuple(np.clip(beside, 0, last).T)]
    return deep


def _blood(
    hu: npt.NDArray[np.float32],
    voxels: npt.NDArray[np.int32],
    integral: npt.NDArray[np.float64],
    lung_hu: float,
) -> tuple[float, bool]:
    """Return the HU of blood in this scan's wide vessels, and whether there were enough of them."""
    wide = integral / (BLOOD_HU - lung_hu) * STEP_MM**2 >= WIDE_MM2
    if np.count_nonzero(wide) < LEAST_WIDE:
        return BLOOD_HU, False
    return float(np.median(hu[tuple(voxels[wide].T)])), True


def _fit_blur(
    lines: _Lines, sections: npt.NDArray[np.float64], full_hu: float
) -> tuple[float, float]:
    """Return the variance of the blur across vessels that run along the body axis and across it, in voxels².

    If the point spread is a Gaussian that differs along the body axis, the square of the variance across a
    line goes linearly with the square of the cosine of the line's angle to that axis.
    """
    middle = sections[:, 1] / full_hu
    thin = (middle > THIN[0]) & (middle < THIN[1]) & (lines.level == 1) & (sections[:, 0] > 0)
    thin &= np.abs(sections[:, 4]) < ALONE * full_hu
    if np.count_nonzero(thin) < LEAST_TO_FIT:
        return USUAL_BLUR, USUAL_BLUR
    variance = sections[thin, 0] / full_hu / (-2 * np.pi * np.log1p(-middle[thin]))
    share = lines.axes[thin, 0].astype(np.float64) ** 2
    edges = np.quantile(share, np.linspace(0, 1, 7))
    bins = np.clip(np.searchsorted(edges, share, side="right") - 1, 0, 5)
    at = np.array([share[bins == k].mean() for k in range(6)])
    seen = np.array([_mode(variance[bins == k]) for k in range(6)])
    along, across = np.linalg.lstsq(np.column_stack([at, 1 - at]), seen**2, rcond=None)[0]
    least = float(seen.min()) / 2
    return max(float(max(along, 0)) ** 0.5, least), max(float(max(across, 0)) ** 0.5, least)


def _mode(values: npt.NDArray[np.float64]) -> float:
    """Return the mode of values with a long upper tail, by mean shift from the median."""
    level = float(np.median(values))
    for _ in range(8):
        spread = float(np.sqrt(np.mean((values[values <= level] - level) ** 2)))
        level = float(values[np.abs(values - level) <= max(spread, 1e-6)].mean())
    return level


def _areas(
    lines: _Lines,
    sections: npt.NDArray[np.float64],
    full_hu: float,
    blur: tuple[float, float],
) -> npt.NDArray[np.float64]:
    """Return every point's cross-section, in mm²: from the middle, the integral, or between them both."""
    share = lines.axes[:, 0].astype(np.float64) ** 2
    variance = np.sqrt(blur[0] ** 2 * share + blur[1] ** 2 * (1 - share))
    middle = np.clip(sections[:, 1] / full_hu, 0, 0.99)
    thin = -2 * np.pi * variance * np.log1p(-middle)
    wide = sections[:, 0] / full_hu
    weight = np.clip((middle - THIN[1]) / (WIDE - THIN[1]), 0, 1)
    return np.asarray((thin * (1 - weight) + wide * weight) * STEP_MM**2)


def _is_long(voxels: npt.NDArray[np.int32], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Tell which points lie on connected lines that are long enough; a voxel may be missing in between."""
    line = np.zeros(shape, np.bool_)
    line[tuple(voxels.T)] = True
    for axis in range(3):
        for side in (-1, 1):
            beside = voxels.copy()
            beside[:, axis] += side
            line[tuple(beside.T)] = True
    piece = Parts.of(line).at(np.ravel_multi_index(tuple(voxels.T), shape))
    low = np.full((int(piece.max(initial=0)) + 1, 3), np.iinfo(np.int32).max, np.int32)
    high = np.full_like(low, -1)
    np.minimum.at(low, piece, voxels)
    np.maximum.at(high, piece, voxels)
    return np.asarray(((high - low).max(axis=1) + 1 >= LEAST_LINE)[piece])


def _volumes(
    grid: _Grid,
    contrast: npt.NDArray[np.int16],
    lines: _Lines,
    area_mm2: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Sum the contrast around the lines by label and class of cross-section, in HU mL."""
    radii = np.sqrt(area_mm2 / np.pi) / STEP_MM + BLUR
    z, y, x = contrast.shape
    owner = paint_nearest((z, y, x), lines.voxels, radii.astype(np.float32))
    section = np.minimum(area_mm2, SECTIONS - 1).astype(np.int32)
    sums = sum_by_owner(contrast, grid.labels, owner, lines.voxels, section, SECTIONS)
    return np.asarray(sums * (STEP_MM**3 / 1000))
