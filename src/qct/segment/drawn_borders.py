"""Fissure completeness along the borders of lobes that anybody drew."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, uniform_filter

from qct.findings import Segmentation
from qct.regions import DENSE, Fissure, Side
from qct.segment.completeness import Completeness, measure_completeness
from qct.segment.fissures import THICKEST_MM, cut_lung_box, find_evidence
from qct.segment.follow import follow
from qct.segment.prior import FISSURES_OF
from qct.segment.training import LOBES_OF, SIDES_OF_FISSURE
from qct.segment.unroll import COLUMN_MM, ROOM_MM, Chart, unroll
from qct.volume import Volume

SLAB_MM = 14.0
"""How far from the border the image is looked at, in mm."""

LEAST_FACES = 200
"""Voxel faces between two lobes that make a border."""

_SMOOTH_COLUMNS = 3


def completeness(volume: Volume, labels: npt.NDArray[np.uint8]) -> dict[Fissure, Completeness]:
    """Measure the completeness of every fissure that labels draw.

    Parameters
    ----------
    volume : Volume
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers (plus `DENSE`) on its grid, from any source.

    Returns
    -------
    completeness : dict
        Without the fissures whose lobes do not touch, or along which too little can be judged; empty on slices
        further apart than `THICKEST_MM`.

    Raises
    ------
    ValueError
        If the labels are on another grid.
    """
    volume.check_grid(labels)
    if max(volume.spacing_mm) > THICKEST_MM:
        return {}
    lobes = labels % DENSE
    found: dict[Fissure, Completeness] = {}
    for side in FISSURES_OF:
        lung = np.isin(lobes, LOBES_OF[side])
        if lung.any():
            found |= _in_lung(volume, lobes, lung, side)
    return found


def with_completeness(segmentation: Segmentation, volume: Volume) -> Segmentation:
    """Note the completeness of the fissures that imported labels draw in the record of their method."""
    found = completeness(volume, segmentation.labels)
    percent = {fissure.value: round(one.percent, 1) for fissure, one in found.items()}
    return replace(
        segmentation, method={**segmentation.method, "fissure_completeness_percent": percent}
    )


def _in_lung(
    volume: Volume, lobes: npt.NDArray[np.uint8], lung: npt.NDArray[np.bool_], side: Side
) -> dict[Fissure, Completeness]:
    spans = [np.flatnonzero(lung.any(axis=tuple({0, 1, 2} - {k}))) for k in range(3)]
    native = tuple(slice(int(hit[0]), int(hit[-1]) + 1) for hit in spans)
    first = tuple(span.start for span in native)
    box = cut_lung_box(volume, lung[native], first)
    usable = find_evidence(box).usable
    found = {}
    for fissure in FISSURES_OF[side]:
        faces = _faces(lobes[native], fissure) + first
        if len(faces) < LEAST_FACES:
            continue
        chart = _chart_through(faces * volume.spacing_mm)
        slab = unroll(chart, box, usable, SLAB_MM)
        measured = measure_completeness(slab, follow(slab))
        if measured is not None:
            found[fissure] = measured
    return found


def _faces(lobes: npt.NDArray[np.uint8], fissure: Fissure) -> npt.NDArray[np.float64]:
    """Return the (N, 3) centres, in voxels, of the faces between the lobes on both sides of a fissure."""
    above, below = (np.isin(lobes, part) for part in SIDES_OF_FISSURE[fissure])
    faces = []
    for axis in range(3):
        a, b = np.moveaxis(above, axis, 0), np.moveaxis(below, axis, 0)
        face = np.argwhere((a[:-1] & b[1:]) | (b[:-1] & a[1:])).astype(np.float64)
        face[:, 0] += 0.5
        faces.append(face[:, np.argsort([axis, *(k for k in range(3) if k != axis)])])
    return np.concatenate(faces)


def _chart_through(points_mm: npt.NDArray[np.float64]) -> Chart:
    """Stand columns on the plane that fits points best; their mean height in a column is the surface's."""
    centred = points_mm - points_mm.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    up = vectors[:, 0] * (1 if vectors[0, 0] >= 0 else -1)
    axes = np.stack([vectors[:, 2], np.cross(up, vectors[:, 2]), up])
    along = points_mm @ axes.T
    low, high = along.min(axis=0), along.max(axis=0)
    shape = np.ceil((high - low)[:2] / COLUMN_MM + 2 * ROOM_MM / COLUMN_MM).astype(int) + 1
    corner = low - [ROOM_MM, ROOM_MM, 0.0]
    column = np.rint((along[:, :2] - corner[:2]) / COLUMN_MM).astype(int)
    number = np.ravel_multi_index(tuple(column.T), tuple(shape))
    count = np.bincount(number, minlength=shape.prod()).reshape(shape)
    total = np.bincount(number, along[:, 2] - low[2], shape.prod()).reshape(shape)
    height = total / np.maximum(count, 1)
    nearest = distance_transform_edt(count == 0, return_distances=False, return_indices=True)
    smooth = uniform_filter(height[tuple(nearest)], _SMOOTH_COLUMNS, mode="nearest")
    return Chart(axes, corner @ axes, smooth, count > 0)
