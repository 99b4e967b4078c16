"""The few flat pictures that a report shows, upright for a radiologist.

Pictures are sampled in patient space, so that flipped, oblique and tilted grids come out alike: patient's
right on the picture's left, head up, anterior up (axial) or left (sagittal). They are for looking at;
no number is taken from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from qct.boxes import box_in, box_of
from qct.findings import Projection, View
from qct.kernels.sight import look_through
from qct.regions import DENSE, LEFT_LUNG, N_LABELS, RIGHT_LUNG, Label, Region
from qct.volume import PADDING_HU, Volume

BODY_MARGIN_MM = 25.0
"""How much is shown around the lungs: chest wall and upper abdomen (mm)."""

MAP_MARGIN_MM = 4.0
"""How much is shown around a projected lung (mm)."""

LOWER_LEVEL_SHARE = 0.25
"""The lower axial picture has this share of the lung's volume below it."""

LOW_HU = -950
"""Threshold of the projected share; HU below it count (Gevenois et al. 1996)."""

SMALLEST_PIXEL_MM = 0.6
"""Finer pixels would not be seen in print (mm)."""

MAIN_BRONCHUS_MM2 = 30.0
"""Smallest cross-section of a main bronchus just below the carina (mm²)."""

STRAY_SHARE = 0.0005
"""Lung beyond this share of its voxels, at either end of an axis, does not widen the pictures."""

CARINA_APART_MM = 12.0
"""Main bronchi whose centres are this far apart have parted (mm)."""

LEAST_DEPTH = 0.5
"""Fewer lung voxels than this along the viewing direction are no lung."""


@dataclass(frozen=True, slots=True)
class _Plane:
    """Two world directions of a picture: LPS index and sign of its rows and columns, and of its normal."""

    name: str
    rows: tuple[int, int]
    columns: tuple[int, int]
    normal: int


AXIAL = _Plane("axial", rows=(1, 1), columns=(0, 1), normal=2)
CORONAL = _Plane("coronal", rows=(2, -1), columns=(0, 1), normal=1)
SAGITTAL = _Plane("sagittal", rows=(2, -1), columns=(1, 1), normal=0)

_Labels = npt.NDArray[np.uint8]
_Mask = npt.NDArray[np.bool_]
_Points = npt.NDArray[np.float64]


def take_views(volume: Volume, labels: npt.NDArray[np.uint8]) -> tuple[View, ...]:
    """Take the key slices: axial at the carina and below, coronal, and sagittal through each lung.

    Parameters
    ----------
    volume : Volume
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers, with or without `DENSE`.

    Returns
    -------
    views : tuple of View
        ``axial_carina`` (``axial_middle`` where no carina was found), ``axial_lower``,
        ``coronal_middle``, ``sagittal_right``, ``sagittal_left``; without the sides and levels
        that the scan does not have. Square pixels; HU linearly interpolated, labels nearest;
        `PADDING_HU` outside the scan. Empty without lung.

    Raises
    ------
    ValueError
        If `labels` is on another grid than `volume`.
    """
    _check(volume, labels)
    right, left = _voxels_per_plane(labels, (RIGHT_LUNG, LEFT_LUNG))
    lung = tuple(one + other for one, other in zip(right, left, strict=True))
    if not lung[0].any():
        return ()
    box_mm = _box_mm(volume, lung)
    views = [_axial_upper(volume, labels, lung, box_mm)]
    lower_z = _quantile_index(lung[0], LOWER_LEVEL_SHARE)
    views.append(_view(volume, labels, AXIAL, "axial_lower", _at(volume, 0, lower_z), box_mm))
    middle_y = _quantile_index(lung[1], 0.5)
    views.append(_view(volume, labels, CORONAL, "coronal_middle", _at(volume, 1, middle_y), box_mm))
    for name, side in (("sagittal_right", right), ("sagittal_left", left)):
        along_x = side[2]
        if along_x.any():
            where = _at(volume, 2, _quantile_index(along_x, 0.5))
            views.append(_view(volume, labels, SAGITTAL, name, where, box_mm))
    return tuple(views)


def project(volume: Volume, labels: npt.NDArray[np.uint8]) -> tuple[Projection, ...]:
    """Project the share of lung below -950 HU (percent) from the front, and from the side per lung.

    Every value is counted on native voxels along the viewing direction: low voxels over aerated lung
    voxels, NaN where there is none. Counts, not shares, are then put on square pixels.

    Raises
    ------
    ValueError
        If `labels` is on another grid than `volume`.
    """
    _check(volume, labels)
    side_of = np.zeros(256, np.uint8)
    for number, side in enumerate((RIGHT_LUNG, LEFT_LUNG), start=1):
        side_of[list(side.labels)] = number
    front, (right, left) = look_through(volume.hu, labels, side_of, LOW_HU)
    sights = (
        ("laa950_coronal", CORONAL, front),
        ("laa950_sagittal_right", SAGITTAL, right),
        ("laa950_sagittal_left", SAGITTAL, left),
    )
    counts = [(name, plane, _Along.of(met)) for name, plane, met in sights]
    return tuple(
        _projection(volume, plane, name, counted)
        for name, plane, counted in counts
        if counted.depth.any()
    )


# --- where to look ------------------------------------------------------------------------------


def _check(volume: Volume, labels: _Labels) -> None:
    if labels.shape != volume.shape:
        msg = f"labels {labels.shape} are not on the grid {volume.shape}"
        raise ValueError(msg)


def _voxels_per_plane(
    labels: _Labels, regions: Sequence[Region]
) -> list[tuple[npt.NDArray[np.int64], ...]]:
    """Count the voxels of every region, airless ones too, in every plane of each axis."""
    counts = [tuple(np.zeros(n, np.int64) for n in labels.shape) for _ in regions]
    named = box_of(labels)
    if named is None:
        return counts
    number_of = np.zeros(N_LABELS, np.uint8)
    for number, region in enumerate(regions, start=1):
        number_of[[label + DENSE * dense for label in region.labels for dense in (0, 1)]] = number
    depths = [np.zeros(labels[0][named[1:]].shape, np.uint16) for _ in regions]
    for z, plane in enumerate(labels[named], start=named[0].start):
        numbers = number_of.take(plane)
        for number, (count, depth) in enumerate(zip(counts, depths, strict=True), start=1):
            mask = numbers == number
            count[0][z] = np.count_nonzero(mask)
            depth += mask
    for count, depth in zip(counts, depths, strict=True):
        count[1][named[1]] = depth.sum(axis=1)
        count[2][named[2]] = depth.sum(axis=0)
    return counts


def _quantile_index(counts: npt.NDArray[Any], share: float) -> int:
    """Return the first plane at which `share` of all voxels has been passed."""
    return int(np.searchsorted(np.cumsum(counts), share * counts.sum()))


def _ends(counts: npt.NDArray[Any]) -> tuple[int, int]:
    """Return the first and last plane of the lung, without stray voxels."""
    return _quantile_index(counts, STRAY_SHARE), _quantile_index(counts, 1.0 - STRAY_SHARE)


def _at(volume: Volume, axis: int, index: int) -> _Points:
    """Return the LPS position of the middle of plane `index` of `axis`."""
    middle = (np.array(volume.shape, float) - 1) / 2
    middle[axis] = index
    return volume.origin_mm + middle @ volume.axes_mm


def _box_mm(volume: Volume, per_plane: tuple[npt.NDArray[np.int64], ...]) -> _Points:
    """Return (2, 3) the lowest and highest LPS coordinate of the lungs with a margin, within the scan."""
    lungs = _corners(volume, np.array([_ends(counts) for counts in per_plane], float))
    scan = _corners(volume, np.array([[0, n - 1] for n in volume.shape], float))
    low = np.maximum(lungs.min(axis=0) - BODY_MARGIN_MM, scan.min(axis=0))
    high = np.minimum(lungs.max(axis=0) + BODY_MARGIN_MM, scan.max(axis=0))
    return np.stack([low, high])


def _corners(volume: Volume, ends: _Points) -> _Points:
    """Return (8, 3) LPS corners of a box given by its first and last index along each axis."""
    index = np.array(np.meshgrid(*ends)).reshape(3, 8).T
    return volume.origin_mm + index @ volume.axes_mm


def _axial_upper(
    volume: Volume, labels: _Labels, lung: tuple[npt.NDArray[np.int64], ...], box_mm: _Points
) -> View:
    """Show the carina; where the airway does not show one, the middle of the lungs."""
    carina_z = _carina_index(volume, labels)
    if carina_z is None:
        where = _at(volume, 0, _quantile_index(lung[0], 0.5))
        return _view(volume, labels, AXIAL, "axial_middle", where, box_mm)
    return _view(volume, labels, AXIAL, "axial_carina", _at(volume, 0, carina_z), box_mm)


def _carina_index(volume: Volume, labels: _Labels) -> int | None:
    """Return the highest z at which the trachea, followed down from its top, has parted in two.

    Airway that does not hang together with the trachea from slice to slice is not followed.
    """
    _, dy, dx = volume.spacing_mm
    box = box_in(np.arange(256) == Label.AIRWAY, labels)
    if box is None:
        return None
    followed: _Mask | None = None
    for z in range(box[0].stop - 1, box[0].start - 1, -1):
        airway = labels[z][box[1:]] == Label.AIRWAY  # a small part of a slice
        parts, n_parts = ndimage.label(airway)
        where = np.flatnonzero(airway)
        numbers = parts.ravel()[where]
        n_voxels = np.bincount(numbers, minlength=n_parts + 1)
        large = np.flatnonzero(n_voxels * dy * dx >= MAIN_BRONCHUS_MM2)
        if followed is not None:
            large = np.intersect1d(large, numbers[followed[where]])
        if large.size == 0:
            followed = None
            continue
        if followed is not None:
            columns = np.bincount(numbers, weights=where % airway.shape[1])
            centres_mm = columns[large] / n_voxels[large] * dx
            if centres_mm.max() - centres_mm.min() >= CARINA_APART_MM:
                return z
        else:
            large = large[[n_voxels[large].argmax()]]
        followed = np.zeros(airway.size, bool)
        followed[where[np.isin(numbers, large)]] = True
    return None


# --- sampling -----------------------------------------------------------------------------------


def _view(
    volume: Volume,
    labels: _Labels,
    plane: _Plane,
    name: str,
    where_mm: _Points,
    box_mm: _Points,
) -> View:
    pixel_mm = _pixel_mm(volume)
    index = _plane_index(volume, plane, where_mm, box_mm, pixel_mm)
    hu = np.full(index.shape[1:], PADDING_HU, np.int16)
    shown = np.zeros(index.shape[1:], np.uint8)
    ndimage.map_coordinates(volume.hu, index, output=hu, order=1, cval=PADDING_HU)
    ndimage.map_coordinates(labels, index, output=shown, order=0, cval=0)
    return View(
        plane=plane.name,
        name=name,
        position_mm=float(where_mm[plane.normal]),
        hu=hu,
        labels=shown,
        pixel_mm=(pixel_mm, pixel_mm),
    )


def _pixel_mm(volume: Volume) -> float:
    _, dy, dx = volume.spacing_mm
    return max(min(dy, dx), SMALLEST_PIXEL_MM)


def _plane_index(
    volume: Volume, plane: _Plane, where_mm: _Points, box_mm: _Points, pixel_mm: float
) -> _Points:
    """Return (3, H, W) array indices of the pixels of a picture that covers the box."""
    rows_mm = _steps(plane.rows, box_mm, pixel_mm)
    columns_mm = _steps(plane.columns, box_mm, pixel_mm)
    points = np.empty((rows_mm.size, columns_mm.size, 3))
    points[...] = where_mm
    points[..., plane.rows[0]] = rows_mm[:, None]
    points[..., plane.columns[0]] = columns_mm[None, :]
    index = (points - volume.origin_mm) @ np.linalg.inv(volume.axes_mm)
    return np.moveaxis(_snapped(index), -1, 0)


def _snapped(index: _Points) -> _Points:
    """Round away the last digits, so that a native slice is shown and not a blend with its neighbour."""
    return np.round(index, 6)


def _steps(direction: tuple[int, int], box_mm: _Points, pixel_mm: float) -> _Points:
    """Return the LPS coordinates of the pixels along one side of a picture."""
    axis, sign = direction
    low, high = box_mm[:, axis]
    n_pixels = int((high - low) / pixel_mm) + 1
    start = low if sign > 0 else high
    steps: _Points = start + sign * pixel_mm * np.arange(n_pixels)
    return steps


# --- projecting ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Along:
    """What a line of sight meets, (Z, X) or (Z, Y): low and all aerated voxels, and the first region.

    A coronal line of sight starts in front, a sagittal one at the side of the chest wall.
    """

    low: npt.NDArray[np.float32]
    depth: npt.NDArray[np.float32]
    first: _Labels

    @classmethod
    def of(cls, met: npt.NDArray[Any]) -> "_Along":
        """Take them from what `look_through` counted."""
        return cls(met[0].astype(np.float32), met[1].astype(np.float32), met[2].astype(np.uint8))


def _projection(volume: Volume, plane: _Plane, name: str, counted: _Along) -> Projection:
    """Put counts on square pixels, upright, cut to the lung; then divide."""
    pixel_mm = _pixel_mm(volume)
    index = _flat_index(volume, plane, counted.depth, pixel_mm)
    low_there = ndimage.map_coordinates(counted.low, index, order=1, cval=0.0)
    depth_there = ndimage.map_coordinates(counted.depth, index, order=1, cval=0.0)
    inside = depth_there >= LEAST_DEPTH
    values = np.full(depth_there.shape, np.nan, np.float32)
    np.divide(100.0 * low_there, depth_there, out=values, where=inside)
    first = ndimage.map_coordinates(counted.first, index, order=0, cval=0)
    return Projection(
        name=name,
        values=values,
        pixel_mm=(pixel_mm, pixel_mm),
        labels=np.where(inside, first, 0).astype(np.uint8),
    )


def _flat_index(
    volume: Volume, plane: _Plane, depth: npt.NDArray[np.float32], pixel_mm: float
) -> _Points:
    """Return (2, H, W) indices into a (Z, X) or (Z, Y) count for the pixels of an upright picture."""
    kept = [0, 2] if plane is CORONAL else [0, 1]
    world = [plane.rows[0], plane.columns[0]]
    axes = volume.axes_mm[np.ix_(kept, world)]
    ends = _ends(depth.sum(axis=1, dtype=np.float64)), _ends(depth.sum(axis=0, dtype=np.float64))
    corners = np.array(np.meshgrid(*ends)).reshape(2, 4).T @ axes
    box = np.stack([corners.min(axis=0), corners.max(axis=0)])
    box += np.array([[-MAP_MARGIN_MM], [MAP_MARGIN_MM]])
    rows = _steps((0, plane.rows[1]), box, pixel_mm)
    columns = _steps((1, plane.columns[1]), box, pixel_mm)
    points = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    return np.moveaxis(points @ np.linalg.inv(axes), -1, 0)
