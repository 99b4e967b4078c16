"""The lobes as a body: the outside of the lungs from the front and from both sides, lit from above.

Drawn from the label map itself: lungs are thinned out to `STEP_MM`, smoothed, and every line of sight stops
where it meets them. It takes no display and no graphics library. For looking at; no number is taken from it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from qct.findings import Surface
from qct.regions import DENSE, LEFT_LUNG, N_LABELS, RIGHT_LUNG, WHOLE_LUNG, Region
from qct.volume import Volume

STEP_MM = 2.5
"""Distance of the samples (mm)."""

SMOOTHING_MM = 3.0
"""Standard deviation of the smoothing of the outline (mm)."""

MARGIN = 4
"""Samples around the lungs, so that smoothing does not meet the edge."""

LIGHT = (-0.45, -0.35, 0.82)
"""Direction towards the light: down the picture, across it to the right, towards the viewer."""

AMBIENT = 0.35
"""Brightness that is everywhere."""

_Grid = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Side:
    """From where one looks: array axis, whether from its end, and whether the picture is mirrored."""

    name: str
    region: Region
    axis: int
    from_end: bool
    mirrored: bool


SIDES = (
    _Side("lobes_front", WHOLE_LUNG, axis=1, from_end=False, mirrored=False),
    _Side("lobes_right", RIGHT_LUNG, axis=2, from_end=False, mirrored=True),
    _Side("lobes_left", LEFT_LUNG, axis=2, from_end=True, mirrored=False),
)


def render(volume: Volume, labels: npt.NDArray[np.uint8]) -> tuple[Surface, ...]:
    """Draw the lobes from the front, from the right and from the left.

    Parameters
    ----------
    volume : Volume
        For the distances of its voxels.
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers, with or without `DENSE`.

    Returns
    -------
    surfaces : tuple of Surface
        ``lobes_front``, ``lobes_right``, ``lobes_left``; without a lung that is not there.
    """
    coarse = _thinned(volume, labels)
    return tuple(one for one in (_surface(coarse, side) for side in SIDES) if one is not None)


def _thinned(volume: Volume, labels: _Grid) -> _Grid:
    """Take the nearest label every `STEP_MM`, without `DENSE`; 0 outside the lungs."""
    at = [
        np.minimum(np.arange(0, n * mm, STEP_MM) / mm, n - 1).astype(int)
        for n, mm in zip(labels.shape, volume.spacing_mm, strict=True)
    ]
    coarse = labels[np.ix_(*at)]
    table = np.zeros(N_LABELS, np.uint8)
    for label in WHOLE_LUNG.labels:
        table[[label, label + DENSE]] = label
    thinned: _Grid = table[coarse]
    return thinned


def _surface(coarse: _Grid, side: _Side) -> Surface | None:
    seen = np.where(np.isin(coarse, side.region.labels), coarse, 0)
    if not seen.any():
        return None
    seen = np.pad(seen[ndimage.find_objects((seen > 0).astype(np.uint8))[0]], MARGIN)
    body = ndimage.gaussian_filter((seen > 0).astype(np.float32), SMOOTHING_MM / STEP_MM)
    body, seen = _turned(body, side), _turned(seen, side)
    there = body >= 0.5
    hit = there.argmax(axis=0)
    at, before = (
        np.take_along_axis(body, np.maximum(index, 0)[None], 0)[0] for index in (hit, hit - 1)
    )
    rise = np.where(at > before, at - before, 1.0)
    depth = hit - (at - 0.5) / rise
    inside: npt.NDArray[np.bool_] = np.any(there, axis=0)
    first = np.take_along_axis(seen, (seen > 0).argmax(axis=0)[None], 0)[0]
    nearest = ndimage.distance_transform_edt(
        first == 0, return_distances=False, return_indices=True
    )
    return Surface(
        name=side.name,
        labels=np.where(inside, first[tuple(nearest)], 0).astype(np.uint8),
        shade=np.where(inside, _lit(depth, inside), 0.0).astype(np.float32),
        pixel_mm=(STEP_MM, STEP_MM),
    )


def _turned(grid: npt.NDArray[Any], side: _Side) -> npt.NDArray[Any]:
    """Return (depth, row, column): away from the viewer, down, to the right."""
    turned = np.moveaxis(grid, side.axis, 0)[:, ::-1]
    turned = turned[::-1] if side.from_end else turned
    return turned[:, :, ::-1] if side.mirrored else turned


def _lit(
    depth: npt.NDArray[np.floating], inside: npt.NDArray[np.bool_]
) -> npt.NDArray[np.floating]:
    """Shade a surface by the angle to the light (Lambert); depth in samples, like rows and columns."""
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    down, right = np.gradient(depth[tuple(nearest)])
    length = np.sqrt(down**2 + right**2 + 1.0)
    towards = (down * LIGHT[0] + right * LIGHT[1] + LIGHT[2]) / length
    lit: npt.NDArray[np.floating] = AMBIENT + (1 - AMBIENT) * np.clip(towards, 0.0, 1.0)
    return lit
