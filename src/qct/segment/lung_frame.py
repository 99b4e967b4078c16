"""A lung's own coordinates: where it lies and how large it is, so that lungs can be compared.

Positions are in *grid millimetres*: voxel index times spacing along (z, y, x), z towards the head, y towards
the back, x towards the patient's left. In a lung's frame they are counted from its centroid in units of its
standard deviation along each axis, so that most lungs fill about ±2 along every axis. Scalar fields of a lung
(see `qct.segment.prior`) live on a cube of `FRAME_SPAN` in these units.
"""

from dataclasses import dataclass
from functools import cached_property

import edt
import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

FRAME_SPAN = 2.7
"""Half the edge of the cube on which fields are kept, in standard deviations of the lung."""

SHAPE_GRID = 14
"""Nodes per axis of the coarse field that describes the shape of a lung."""

SHAPE_LIMIT = 0.5
"""Distances from the lung's rim are cut at this, in units of the lung's size (some 20 mm)."""

SHAPE_CLOSING_MM = 6.0
"""Gaps up to twice this wide, in mm, do not count as rim: whether vessels and nodules are cut out of a mask
says nothing about the shape of the lung."""

SHAPE_STEP_MM = 3.0
"""The rim is described on about this grid, in mm: that of the label maps the prior was learned from."""


@dataclass(frozen=True)
class LungFrame:
    """Centre and size of one lung.

    Attributes
    ----------
    centre_mm : (3,) float64
        Centroid in grid millimetres (z, y, x).
    spread_mm : (3,) float64
        Standard deviation of the lung's voxels along each axis.
    """

    centre_mm: npt.NDArray[np.float64]
    spread_mm: npt.NDArray[np.float64]

    @classmethod
    def of(
        cls,
        mask: npt.NDArray[np.bool_],
        spacing_mm: npt.ArrayLike,
        first_index: npt.ArrayLike = 0,
    ) -> "LungFrame":
        """Describe a mask whose voxel (0, 0, 0) is voxel `first_index` of the grid.

        Raises
        ------
        ValueError
            If the mask is empty.
        """
        centre, spread = np.zeros(3), np.zeros(3)
        in_slices = np.array([np.count_nonzero(one) for one in mask])
        in_columns = mask.sum(axis=0, dtype=np.uint32)
        if not in_slices.any():
            raise ValueError("an empty mask has no frame")
        of_axes = in_slices, in_columns.sum(axis=1), in_columns.sum(axis=0)
        for axis, counts in enumerate(of_axes):
            index = np.arange(mask.shape[axis])
            centre[axis] = np.average(index, weights=counts)
            spread[axis] = np.sqrt(np.average((index - centre[axis]) ** 2, weights=counts))
        spacing = np.asarray(spacing_mm, np.float64)
        # A mask one voxel thick still needs a frame that can be divided by.
        return cls(
            (centre + np.asarray(first_index, np.float64)) * spacing,
            np.maximum(spread, 0.5) * spacing,
        )

    @cached_property
    def scale_mm(self) -> float:
        """Millimetres per unit of a field: the mean of the three spreads."""
        return float(self.spread_mm.mean())

    def to_frame(self, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Turn (N, 3) grid millimetres into frame units."""
        return (points_mm - self.centre_mm) / self.spread_mm

    def to_nodes(self, points_mm: npt.NDArray[np.float64], n_nodes: int) -> npt.NDArray[np.float64]:
        """Turn (N, 3) grid millimetres into node numbers of a field with `n_nodes` per axis."""
        return (self.to_frame(points_mm) + FRAME_SPAN) * ((n_nodes - 1) / (2 * FRAME_SPAN))

    def node_axes_mm(self, n_nodes: int) -> tuple[npt.NDArray[np.float64], ...]:
        """Positions of the nodes along (z, y, x), in grid millimetres."""
        units = np.linspace(-FRAME_SPAN, FRAME_SPAN, n_nodes)
        return tuple(c + s * units for c, s in zip(self.centre_mm, self.spread_mm, strict=True))

    def step_mm(self, n_nodes: int) -> npt.NDArray[np.float64]:
        """Distance of nodes along (z, y, x)."""
        return self.spread_mm * (2 * FRAME_SPAN / (n_nodes - 1))


def sample_grid(
    array: npt.NDArray[np.float32],
    axes_mm: tuple[npt.NDArray[np.float64], ...],
    spacing_mm: npt.ArrayLike,
    first_index: npt.ArrayLike = 0,
    *,
    mode: str = "nearest",
) -> npt.NDArray[np.float32]:
    """Sample a voxel array, linearly, at every combination of the positions along three axes.

    Parameters
    ----------
    array : (Z, Y, X) float32
        Its voxel (0, 0, 0) is voxel `first_index` of the grid.
    axes_mm : three arrays
        Positions along (z, y, x) in grid millimetres.
    mode : str
        What lies outside: ``nearest`` continues the edge, ``constant`` puts 0.
    """
    spacing = np.asarray(spacing_mm, np.float64)
    first = np.broadcast_to(np.asarray(first_index, np.float64), 3)
    index = [axis / spacing[k] - first[k] for k, axis in enumerate(axes_mm)]
    nodes = np.meshgrid(*index, indexing="ij")
    sampled: npt.NDArray[np.float32] = map_coordinates(
        array, nodes, output=np.float32, order=1, mode=mode
    )
    return sampled


def describe_shape(
    mask: npt.NDArray[np.bool_],
    frame: LungFrame,
    spacing_mm: npt.ArrayLike,
    first_index: npt.ArrayLike = 0,
) -> npt.NDArray[np.float32]:
    """Return the (S, S, S) distance from the rim of a lung, negative inside, S = `SHAPE_GRID`.

    In units of the lung's size, cut at `SHAPE_LIMIT`.
    """
    spacing = np.asarray(spacing_mm, np.float64)
    stride = np.maximum(1, np.rint(SHAPE_STEP_MM / spacing)).astype(int)
    coarse_mm = spacing * stride
    # Room on every side, so that the distance does not depend on how closely the mask was cut out.
    room = np.ceil(SHAPE_LIMIT * frame.scale_mm / coarse_mm).astype(int) + 1
    lung = np.pad(mask[tuple(slice(None, None, n) for n in stride)], [(n, n) for n in room])
    thick = _distance(~lung, coarse_mm) <= SHAPE_CLOSING_MM
    closed = _distance(thick, coarse_mm) > SHAPE_CLOSING_MM
    signed = _distance(~closed, coarse_mm) - _distance(closed, coarse_mm)
    first = np.asarray(first_index, np.float64) / stride - room
    sampled = sample_grid(signed, frame.node_axes_mm(SHAPE_GRID), coarse_mm, first)
    cut: npt.NDArray[np.float32] = np.clip(sampled / frame.scale_mm, -SHAPE_LIMIT, SHAPE_LIMIT)
    return cut.astype(np.float32)


def _distance(
    mask: npt.NDArray[np.bool_], spacing_mm: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Distance of every voxel of a mask from the rest, in mm."""
    found: npt.NDArray[np.float32] = edt.edt(
        mask, anisotropy=tuple(spacing_mm), parallel=1, black_border=False
    )
    return found
