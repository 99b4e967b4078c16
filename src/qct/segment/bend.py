"""Bend a surface onto points of a fissure: a thin plate that is free to leave the fitted shape near them."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d, map_coordinates
from scipy.sparse import coo_array, csc_array

from qct.kernels.band import solve_band
from qct.segment.avascular import REACH_MM, Band
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

SHAPE_SD_MM = 9.0
"""How far the fitted shape is off where nothing is seen, in mm (see `trust.AVERAGE_ERROR`): what a plate
without points varies by, which weighs the vessels against its stiffness."""

_ROUNDS = 3

_WIDTHS_MM = (8.0, 6.0, 4.0, 3.0, 2.0, 2.0)
"""What the vessels say is smoothed by these along the heights, step by step, so that the plate finds a wide
valley before a narrow one."""

_MOST_STEP_MM = 16.0
"""A node alone goes no farther in one step."""

_CELL_MM = CELL_COLUMNS * COLUMN_MM
_STIFFNESS = (SMOOTH_MM / _CELL_MM) ** 4
_PULL = _STIFFNESS * (_CELL_MM / RETURN_MM) ** 4
_SPREAD = 8 * np.sqrt(_STIFFNESS * _PULL)


def bend(chart: Chart, points: SheetPoints) -> npt.NDArray[np.float64]:
    """Return the (U, V) mm by which a surface has to rise to meet points.

    Minimises sum w (d - o)^2 + a (laplacian d)^2 + b d^2 over the nodes of a grid, o being the mean height of
    the points at a node above the surface.
    """
    nodes = _nodes_of(chart)
    rise, _ = _meet(_plate(nodes), *_at_nodes(chart, points, nodes))
    return _on_columns(rise, nodes, chart)


def bend_off_vessels(
    chart: Chart, points: SheetPoints, band: Band
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the rise of `bend`, and the one that also keeps off vessels where there are no points.

    The second adds 2 t^2 c(d) to what is minimised, c being what the `band` says. Without points and band, d
    would have the variance t^2 / (8 sqrt(a b)) in the middle of a large plate: t^2 follows from `SHAPE_SD_MM`.
    """
    nodes = _nodes_of(chart)
    plate = _plate(nodes)
    weight, mean = _at_nodes(chart, points, nodes)
    met, trusted = _meet(plate, weight, mean)
    cost = SHAPE_SD_MM**2 * _SPREAD * _cost_at_nodes(band, nodes)
    off_vessels = _keep_off_vessels(plate, trusted, mean, met, cost)
    return _on_columns(met, nodes, chart), _on_columns(off_vessels, nodes, chart)


def _nodes_of(chart: Chart) -> tuple[int, int]:
    """Return how many nodes a grid has that covers the columns of a chart.

    They are numbered along u first, the shorter axis of most fissures: that makes the band narrow.
    """
    n_u, n_v = chart.height_mm.shape
    return n_u // CELL_COLUMNS + 2, n_v // CELL_COLUMNS + 2


def _at_nodes(
    chart: Chart, points: SheetPoints, nodes: tuple[int, int]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the weight of the points at each node, and their mean height above the surface: (N,)."""
    columns, offset = chart.locate(points.position_mm)
    cell = np.rint(columns / CELL_COLUMNS).astype(np.int64)
    on_grid = ((cell >= 0) & (cell < np.reshape(nodes, (2, 1)))).all(axis=0)
    number = np.ravel_multi_index(tuple(cell[::-1, on_grid]), nodes[::-1])
    weight, size = points.weight[on_grid], nodes[0] * nodes[1]
    total = np.bincount(number, weight, size)
    mean = np.bincount(number, weight * offset[on_grid], size) / np.maximum(total, 1e-9)
    return np.minimum(total / FULL_WEIGHT, 1.0), mean


def _on_columns(
    rise: npt.NDArray[np.float64], nodes: tuple[int, int], chart: Chart
) -> npt.NDArray[np.float64]:
    """Interpolate from nodes to columns."""
    shape = chart.height_mm.shape
    at = np.indices(shape).reshape(2, -1) / CELL_COLUMNS
    fine: npt.NDArray[np.float64] = map_coordinates(
        rise.reshape(nodes[::-1]).T, at, order=1, mode="nearest"
    )
    return fine.reshape(shape)


def _plate(nodes: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Return the stiffness of the plate and its pull towards the fitted shape, as `solve_band` takes them."""
    laplacian = _laplacian(nodes)
    stiffness = coo_array(_STIFFNESS * (laplacian.T @ laplacian))
    below = stiffness.row - stiffness.col
    lower = below >= 0
    band = np.zeros((stiffness.shape[0], below.max() + 1))
    band[stiffness.col[lower], below[lower]] = stiffness.data[lower]
    band[:, 0] += _PULL
    return band


def _meet(
    plate: npt.NDArray[np.float64], weight: npt.NDArray[np.float64], mean: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Solve for the plate, nodes that stay off it counting less each time; return their weights too."""
    rise, trusted = np.zeros(weight.size), weight
    trust = np.ones(weight.size)
    for _ in range(_ROUNDS):
        trusted = weight * trust
        rise = _solve(plate, trusted, trusted * mean)
        trust = 1 / (1 + ((mean - rise) / OUTLIER_MM) ** 2)
    return rise, weight * trust


def _solve(
    plate: npt.NDArray[np.float64], weight: npt.NDArray[np.float64], force: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    band, rise = plate.copy(), force.copy()
    band[:, 0] += weight
    solve_band(band, rise)
    return rise


def _cost_at_nodes(band: Band, nodes: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Sum what the columns next to each node say: (N, H)."""
    n_u, n_v, n_heights = band.cost.shape
    padded = np.zeros((CELL_COLUMNS * nodes[0], CELL_COLUMNS * nodes[1], n_heights))
    first = CELL_COLUMNS // 2  # so that the node's own column lies in the middle of its cell
    padded[first : first + n_u, first : first + n_v] = band.cost
    cells = padded.reshape(nodes[0], CELL_COLUMNS, nodes[1], CELL_COLUMNS, n_heights)
    return np.asarray(cells.sum(axis=(1, 3)).swapaxes(0, 1).reshape(-1, n_heights))


def _keep_off_vessels(
    plate: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    mean: npt.NDArray[np.float64],
    rise: npt.NDArray[np.float64],
    cost: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Move the plate into the valley of the (N, H) cost, by Newton's steps that never climb a curvature."""
    number = np.arange(len(cost))
    for width in _WIDTHS_MM:
        smooth = gaussian_filter1d(cost, width, axis=1, mode="nearest")
        at = np.clip(rise + REACH_MM, 1.0, 2 * REACH_MM - 1.001)
        low = at.astype(np.int64)
        share = at - low
        below, here, over = (
            (1 - share) * smooth[number, low + step] + share * smooth[number, low + step + 1]
            for step in (-1, 0, 1)
        )
        slope = (over - below) / 2
        curve = np.maximum(over - 2 * here + below, np.abs(slope) / _MOST_STEP_MM)
        rise = _solve(plate, weight + curve, weight * mean + curve * rise - slope)
    return rise


def _laplacian(nodes: tuple[int, int]) -> csc_array:
    """Return the second differences along both axes, one row each, none across the edge."""
    number = np.arange(nodes[0] * nodes[1]).reshape(nodes[::-1]).T
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
