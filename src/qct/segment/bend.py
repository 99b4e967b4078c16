"""Bend a surface onto points of a fissure: a thin plate that is free to leave the fitted shape near them."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates
from scipy.sparse import coo_array, csc_array, diags_array
from scipy.sparse.linalg import spsolve

from qct.segment.fissures import SheetPoints
from qct.segment.unroll import COLUMN_MM, Chart

CELL_COLUMNS = 2
"""The plate has a node for every second column: 4 mm."""

SMOOTH_MM = 6.0
"""Details smaller than this, in mm, are smoothed away where the fissure is well seen."""

RETURN_MM = 60.0
"""So far from the last point, in mm, the plate is on its way back to the fitted shape; until then it goes on
in its direction."""

FULL_WEIGHT = 8.0
"""Weight of the points at a node that a well seen fissure crosses (two columns' worth)."""

OUTLIER_MM = 2.0
"""Distance of a node's points from the plate at which their weight halves."""

_ROUNDS = 3


def bend(chart: Chart, points: SheetPoints) -> npt.NDArray[np.float64]:
    """Return the (U, V) mm by which a surface has to rise to meet points.

    Minimises sum w (d - o)^2 + a (laplacian d)^2 + b d^2 over the nodes of a grid, o being the mean height of
    the points at a node above the surface.
    """
    shape = chart.height_mm.shape
    nodes = (shape[0] // CELL_COLUMNS + 2, shape[1] // CELL_COLUMNS + 2)
    columns, offset = chart.locate(points.position_mm)
    cell = np.rint(columns / CELL_COLUMNS).astype(np.int64)
    on_grid = ((cell >= 0) & (cell < np.reshape(nodes, (2, 1)))).all(axis=0)
    number = np.ravel_multi_index(tuple(cell[:, on_grid]), nodes)
    weight, size = points.weight[on_grid], nodes[0] * nodes[1]
    total = np.bincount(number, weight, size)
    mean = np.bincount(number, weight * offset[on_grid], size) / np.maximum(total, 1e-9)
    rises = _solve(np.minimum(total / FULL_WEIGHT, 1.0), mean, nodes).reshape(nodes)
    at = np.indices(shape).reshape(2, -1) / CELL_COLUMNS
    fine: npt.NDArray[np.float64] = map_coordinates(rises, at, order=1, mode="nearest")
    return fine.reshape(shape)


def _solve(
    weight: npt.NDArray[np.float64], mean: npt.NDArray[np.float64], nodes: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """Solve for the plate, nodes that stay off it counting less each time."""
    cell_mm = CELL_COLUMNS * COLUMN_MM
    stiffness = (SMOOTH_MM / cell_mm) ** 4
    pull = stiffness * (cell_mm / RETURN_MM) ** 4
    laplacian = _laplacian(nodes)
    plate = stiffness * (laplacian.T @ laplacian) + pull * diags_array(np.ones(weight.size))
    rise = np.zeros(weight.size)
    trust = np.ones(weight.size)
    for _ in range(_ROUNDS):
        w = weight * trust
        rise = np.asarray(spsolve(csc_array(plate + diags_array(w)), w * mean), np.float64)
        trust = 1 / (1 + ((mean - rise) / OUTLIER_MM) ** 2)
    return rise


def _laplacian(nodes: tuple[int, int]) -> csc_array:
    """Return the second differences along both axes, one row each, none across the edge."""
    number = np.arange(nodes[0] * nodes[1]).reshape(nodes)
    rows, columns, values, n_rows = [], [], [], 0
    for axis in range(2):
        line = np.moveaxis(number, axis, 0)
        triples = np.stack([line[:-2], line[1:-1], line[2:]], axis=-1).reshape(-1, 3)
        row = n_rows + np.arange(len(triples))
        n_rows += len(triples)
        rows.append(np.repeat(row, 3))
        columns.append(triples.ravel())
        values.append(np.tile([1.0, -2.0, 1.0], len(triples)))
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return csc_array(coo_array(entries, shape=(n_rows, number.size)))
