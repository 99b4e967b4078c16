"""Fit a fissure surface to points on sheets.

First the mode coefficients of the prior: iteratively reweighted least squares, with a robust (Geman-McClure)
weight that narrows from centimetres to millimetres, so that far noise lets go of the surface step by step
(Geman and McClure 1987). Then a local correction that the modes cannot express: Gaussian-process regression
on the distances that are left.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from qct.kernels.fields import sample_fields
from qct.segment.fissures import BOX_STEP_MM, LungBox, SheetPoints
from qct.segment.lung_frame import FRAME_SPAN, LungFrame
from qct.segment.prior import FIELD_GRID, SurfacePrior

FIT_SIGMAS_MM = (14.0, 10.0, 7.0, 5.0, 3.5, 2.5, 2.0, 2.0)
"""Width of the robust weight in each round of the fit, in mm; starts at the prior's typical error."""

OUTLIER_SIGMAS = 3.0
"""Points farther from the surface than this many widths do not count at all."""

LEAST_COSINE = 0.6
"""Points whose sheet is turned further than this (53 degrees) from the surface do not count."""

POINTS_PER_DATUM = 60.0
"""Neighbouring points share their error: so many, per mm² of robust width, make one independent datum."""

NARROWEST_DATUM_MM = 2.5
"""No datum is better than this, in mm, whatever the robust width."""

LATTICE_STEP_MM = 4.0
"""Node distance of the fields that divide the lung, in mm: half of the finest correction."""

CELL_MM = 5.0
"""Points are averaged in cells of this size, in mm, before the local correction."""

LEAST_IN_CELL = 4
"""Points that a cell needs."""

MOST_CELLS = 700
"""Cells that the local correction may use; the heaviest are taken."""

LEAST_CELLS = 10
"""Fewer cells do not move the surface."""

CORRECTION_BAND_MM = 20.0
"""The correction reaches this far from the surface, in mm."""

CELL_NOISE_MM = 1.2
"""Expected error of a cell's mean distance, in mm."""

FULL_CELL_WEIGHT = 12.0
"""Weight of the points in a cell that a well seen fissure crosses; with less, its noise is larger."""

CELL_OUTLIER_MM = 1.5
"""Residual of a cell, in mm, at which its weight halves."""


@dataclass(frozen=True)
class Correction:
    """One round of the local correction: which points, how far-reaching, how large (all mm)."""

    reach_mm: float
    length_mm: float
    size_mm: float


CORRECTIONS = (
    Correction(reach_mm=6.0, length_mm=14.0, size_mm=5.0),
    Correction(reach_mm=4.0, length_mm=8.0, size_mm=3.0),
)
"""From coarse to fine."""

_INLIER_COSINE = 0.8
"""Sheets that a correction follows are turned at most this far (37 degrees) from the surface."""


@dataclass(frozen=True)
class Lattice:
    """A grid of nodes over the box of one lung, `LATTICE_STEP_MM` apart.

    Attributes
    ----------
    origin_mm : (3,) float64
        Grid millimetres of node (0, 0, 0).
    shape : (int, int, int)
    """

    origin_mm: npt.NDArray[np.float64]
    shape: tuple[int, int, int]

    @classmethod
    def over(cls, box: LungBox) -> "Lattice":
        """Cover a lung's box."""
        extent = (np.array(box.mask.shape) - 1) * BOX_STEP_MM
        n = np.ceil(extent / LATTICE_STEP_MM).astype(int) + 1
        return cls(box.origin_mm, (int(n[0]), int(n[1]), int(n[2])))

    def axes_mm(self) -> tuple[npt.NDArray[np.float64], ...]:
        """Positions of the nodes along (z, y, x)."""
        return tuple(
            start + LATTICE_STEP_MM * np.arange(n)
            for start, n in zip(self.origin_mm, self.shape, strict=True)
        )

    def to_nodes(self, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Turn (N, 3) grid millimetres into node numbers."""
        return (points_mm - self.origin_mm) / LATTICE_STEP_MM


@dataclass(frozen=True)
class Surface:
    """A fissure surface: the zero level of a field on a lattice.

    Attributes
    ----------
    lattice : Lattice
    field_mm : (A, B, C) float32
        About the distance in mm near the surface; positive towards the head.
    """

    lattice: Lattice
    field_mm: npt.NDArray[np.float32]

    def heights(self, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the field at (N, 3) points."""
        values: npt.NDArray[np.float64] = sample_fields(
            self.field_mm[None], self.lattice.to_nodes(points_mm)
        )[:, 0]
        return values

    def normals(self, points_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return (N, 3) unit vectors up the field at points."""
        slope = sample_fields(self.gradient(), self.lattice.to_nodes(points_mm))
        length = np.sqrt((slope**2).sum(axis=1, keepdims=True)) + 1e-9
        return np.asarray(slope / length, np.float64)

    def gradient(self) -> npt.NDArray[np.float32]:
        """Return the (3, A, B, C) gradient of the field, in mm per mm."""
        slopes: Any = np.gradient(self.field_mm, LATTICE_STEP_MM)
        return np.stack(slopes).astype(np.float32)

    def measure(
        self, points: SheetPoints
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the signed distance in mm of points, and the cosine between their sheet and the surface."""
        gradient = self.gradient()
        nodes = self.lattice.to_nodes(points.position_mm)
        slope = sample_fields(gradient, nodes)
        return _distance(self.heights(points.position_mm), slope, points.normal)


def _distance(
    height: npt.NDArray[np.float64],
    slope: npt.NDArray[np.float64],
    normal: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """First-order distance to the zero level, and agreement of directions."""
    steepness = np.sqrt((slope**2).sum(axis=1)) + 1e-6
    return height / steepness, np.abs((slope * normal).sum(axis=1)) / steepness


# --- the modes ------------------------------------------------------------------------------------


def fit_modes(
    model: SurfacePrior,
    expected: npt.NDArray[np.float64],
    points: SheetPoints,
    frame: LungFrame,
) -> npt.NDArray[np.float64]:
    """Return the mode coefficients that explain the points, held back by the prior.

    Parameters
    ----------
    model : SurfacePrior
    expected : (K,) float64
        Coefficients that the prior expects; they are returned if there are no points.
    points : SheetPoints
    frame : LungFrame
    """
    if not len(points):
        return expected
    nodes = frame.to_nodes(points.position_mm, FIELD_GRID)
    basis = frame.scale_mm * sample_fields(np.concatenate([model.mean[None], model.modes]), nodes)
    precision = np.linalg.inv(model.covariance)
    coefficients = expected
    for sigma in FIT_SIGMAS_MM:
        slope = sample_fields(_gradient(model.field_of(coefficients), frame), nodes)
        steepness = np.sqrt((slope**2).sum(axis=1)) + 1e-6
        height = basis[:, 0] + basis[:, 1:] @ coefficients
        distance, cosine = _distance(height, slope, points.normal)
        weight = points.weight * _robust_weight(distance, cosine, sigma)
        weight /= POINTS_PER_DATUM * max(sigma, NARROWEST_DATUM_MM) ** 2
        rows = basis / steepness[:, None]
        weighted = rows[:, 1:] * weight[:, None]
        normal_matrix = weighted.T @ rows[:, 1:] + precision
        right_side = precision @ expected - weighted.T @ rows[:, 0]
        coefficients = np.linalg.solve(normal_matrix, right_side)
    return coefficients


def _robust_weight(
    distance: npt.NDArray[np.float64], cosine: npt.NDArray[np.float64], sigma: float
) -> npt.NDArray[np.float64]:
    agreement = np.clip((cosine - LEAST_COSINE) / (1 - LEAST_COSINE), 0, 1) ** 2
    near = np.abs(distance) < OUTLIER_SIGMAS * sigma
    weight: npt.NDArray[np.float64] = agreement * near / (1 + (distance / sigma) ** 2) ** 2
    return weight


def _gradient(field: npt.NDArray[np.float32], frame: LungFrame) -> npt.NDArray[np.float32]:
    """Return the (3, G, G, G) gradient of a frame field, in mm per mm."""
    steps = frame.step_mm(FIELD_GRID)
    return np.stack(np.gradient(field * np.float32(frame.scale_mm), *steps)).astype(np.float32)


def place_surface(field: npt.NDArray[np.float32], frame: LungFrame, lattice: Lattice) -> Surface:
    """Bring a field from a lung's frame onto its lattice, in mm."""
    per_unit = (FIELD_GRID - 1) / (2 * FRAME_SPAN)
    nodes = [
        ((axis - centre) / spread + FRAME_SPAN) * per_unit
        for axis, centre, spread in zip(
            lattice.axes_mm(), frame.centre_mm, frame.spread_mm, strict=True
        )
    ]
    on_lattice = map_coordinates(
        field, np.meshgrid(*nodes, indexing="ij"), output=np.float32, order=3, mode="nearest"
    )
    return Surface(lattice, on_lattice * np.float32(frame.scale_mm))


# --- the local correction -------------------------------------------------------------------------


def correct_locally(
    surface: Surface, points: SheetPoints, rounds: tuple[Correction, ...] = CORRECTIONS
) -> Surface:
    """Bend a surface onto the points close to it."""
    for correction in rounds:
        surface = _correct_once(surface, points, correction)
    return surface


def _correct_once(surface: Surface, points: SheetPoints, correction: Correction) -> Surface:
    distance, cosine = surface.measure(points)
    chosen = (np.abs(distance) < correction.reach_mm) & (cosine > _INLIER_COSINE)
    origin = (
        surface.lattice.origin_mm
    )  # cells move with the lung: a crop of the scan changes nothing
    cells = _average_in_cells(points.where(chosen), distance[chosen], origin)
    if len(cells.offset_mm) < LEAST_CELLS:
        return surface
    return _shift(surface, cells.centre_mm, _solve_weights(cells, correction), correction)


@dataclass(frozen=True)
class _Cells:
    """(M, 3) centres, (M,) mean distances and (M,) noise variances of the fullest cells, in mm."""

    centre_mm: npt.NDArray[np.float64]
    offset_mm: npt.NDArray[np.float64]
    noise_mm2: npt.NDArray[np.float64]


def _average_in_cells(
    points: SheetPoints,
    distance: npt.NDArray[np.float64],
    origin_mm: npt.NDArray[np.float64],
) -> _Cells:
    """Average the points in cells, by weight."""
    if not len(points):
        return _Cells(np.zeros((0, 3)), np.zeros(0), np.zeros(0))
    cell = np.floor((points.position_mm - origin_mm) / CELL_MM).astype(np.int64)
    _, of_cell = np.unique(cell, axis=0, return_inverse=True)
    of_cell = of_cell.ravel()
    count = np.bincount(of_cell)
    total = np.bincount(of_cell, points.weight)
    columns = [*points.position_mm.T, distance]
    means = np.stack([np.bincount(of_cell, points.weight * v) / total for v in columns], axis=1)
    full = np.flatnonzero(count >= LEAST_IN_CELL)
    heaviest = full[np.argsort(-total[full], kind="stable")[:MOST_CELLS]]
    noise = CELL_NOISE_MM**2 * np.maximum(1.0, FULL_CELL_WEIGHT / total[heaviest])
    return _Cells(means[heaviest, :3], means[heaviest, 3], noise)


def _covariance(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], correction: Correction
) -> npt.NDArray[np.float64]:
    """Squared-exponential covariance of the correction between two sets of points, in mm²."""
    square = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2)
    covariance: npt.NDArray[np.float64] = correction.size_mm**2 * np.exp(
        -0.5 * square / correction.length_mm**2
    )
    return covariance


def _solve_weights(cells: _Cells, correction: Correction) -> npt.NDArray[np.float64]:
    """Regress the offsets, then once more with outlying cells held at arm's length."""
    covariance = _covariance(cells.centre_mm, cells.centre_mm, correction)
    weights = np.linalg.solve(covariance + np.diag(cells.noise_mm2), cells.offset_mm)
    left = cells.offset_mm - covariance @ weights
    trust = 1 / (1 + (left / CELL_OUTLIER_MM) ** 2)
    loose = covariance + np.diag(cells.noise_mm2 / np.maximum(trust**2, 1e-2))
    return np.asarray(np.linalg.solve(loose, cells.offset_mm), np.float64)


def _shift(
    surface: Surface,
    centres: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    correction: Correction,
) -> Surface:
    """Add the correction to the field, near the surface."""
    field = surface.field_mm
    steepness = np.sqrt((surface.gradient() ** 2).sum(axis=0))
    near = np.abs(field) < CORRECTION_BAND_MM
    nodes = np.argwhere(near) * LATTICE_STEP_MM + surface.lattice.origin_mm
    shift = np.concatenate(
        [
            _covariance(some, centres, correction) @ weights
            for some in np.array_split(nodes, max(1, len(nodes) // 2000))
        ]
    )
    moved = field.copy()
    moved[near] -= (shift * steepness[near]).astype(np.float32)
    return Surface(surface.lattice, moved)
