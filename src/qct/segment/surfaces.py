"""Fit a fissure surface to points on sheets.

The mode coefficients of the prior come from iteratively reweighted least squares, with a robust
(Geman-McClure) weight that narrows from centimetres to millimetres, so that far noise lets go of the surface
step by step (Geman and McClure 1987). What the modes cannot express is left to `qct.segment.bend`.
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
        height = basis[:, 0] + np.einsum("nk,k->n", basis[:, 1:], coefficients)
        distance, cosine = _distance(height, slope, points.normal)
        weight = points.weight * _robust_weight(distance, cosine, sigma)
        weight /= POINTS_PER_DATUM * max(sigma, NARROWEST_DATUM_MM) ** 2
        rows = basis / steepness[:, None]
        weighted = rows[:, 1:] * weight[:, None]
        # Not the BLAS: its threads wait for each other longer than these small products take.
        products = np.einsum("nk,nl->kl", weighted, rows)
        normal_matrix = products[:, 1:] + precision
        right_side = precision @ expected - products[:, 0]
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
    shares = [
        _spline_shares(((axis - centre) / spread + FRAME_SPAN) * per_unit)
        for axis, centre, spread in zip(
            lattice.axes_mm(), frame.centre_mm, frame.spread_mm, strict=True
        )
    ]
    on_lattice = field.astype(np.float64)
    for along in shares:  # an axis goes from the front to the back each time
        on_lattice = np.einsum("ng,gab->abn", along, on_lattice)
    return Surface(lattice, on_lattice.astype(np.float32) * np.float32(frame.scale_mm))


def _spline_shares(nodes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what each node of an axis of a field adds to a cubic spline at (N,) places: (N, `FIELD_GRID`)."""
    each = np.arange(FIELD_GRID, dtype=np.float64)
    places = np.meshgrid(nodes, each, indexing="ij")
    # Column k of a unit matrix is node k alone; along the other axis it is read at its own nodes.
    shares: npt.NDArray[np.float64] = map_coordinates(
        np.eye(FIELD_GRID), places, order=3, mode="nearest"
    )
    return shares


# --- the border -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Border:
    """The part of a surface inside the lung that parts two lobes.

    Attributes
    ----------
    position_mm : (N, 3) float64
        Grid millimetres.
    area_mm2 : (N,) float64
        Area that each point stands for.
    """

    position_mm: npt.NDArray[np.float64]
    area_mm2: npt.NDArray[np.float64]


def trace_border(surface: Surface, box: LungBox, above: Surface | None = None) -> Border:
    """Return the border that a surface draws in a lung; with `above`, only its part above that surface.

    Points are the crossings of the surface with the edges of its lattice. A surface with unit normal n crosses
    (abs(nz) + abs(ny) + abs(nx)) / step² edges per area, which gives each crossing its area.
    """
    positions = np.concatenate([_crossings(surface, axis) for axis in range(3)])
    slopes = np.moveaxis(surface.gradient(), 0, -1)
    nearest = np.rint(surface.lattice.to_nodes(positions)).astype(int)
    normal = slopes[tuple(nearest.T)]
    normal = normal / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9)
    area = LATTICE_STEP_MM**2 / np.maximum(np.abs(normal).sum(axis=1), 1.0)
    kept = box.holds(positions)
    if above is not None:
        kept &= above.heights(positions) > 0
    return Border(positions[kept], area[kept].astype(np.float64))


def _crossings(surface: Surface, axis: int) -> npt.NDArray[np.float64]:
    field = np.moveaxis(surface.field_mm, axis, 0).astype(np.float64)
    before, after = field[:-1], field[1:]
    crossed = (before > 0) != (after > 0)
    share = before[crossed] / (before[crossed] - after[crossed])
    nodes = np.argwhere(crossed).astype(np.float64)
    nodes[:, 0] += share
    order = [axis, *(other for other in range(3) if other != axis)]
    placed = np.empty_like(nodes)
    placed[:, order] = nodes
    return placed * LATTICE_STEP_MM + surface.lattice.origin_mm
