"""Scalar fields on small grids: reading them between their nodes."""

from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, kernel, read_only


def sample_fields(
    fields: npt.NDArray[np.float32], nodes: npt.NDArray[np.float64]
) -> npt.NDArray[Any]:
    """Read several fields at many points, linearly between their nodes; the edge is continued.

    Letters: K fields; A, B, C nodes, at least 2 each; N points.

    Parameters
    ----------
    fields : (K, A, B, C) float32
    nodes : (N, 3) float64
        Points in units of nodes.

    Returns
    -------
    values : (N, K) float64
    """
    values = np.zeros((len(nodes), len(fields)))
    in_parts(_sample_fields, fields, np.ascontiguousarray(nodes), values)
    return values


@kernel("(float32[:, :, :, ::1], float64[:, ::1], float64[:, ::1], int64, int64)")
def _sample_fields(
    fields: npt.NDArray[np.float32],
    nodes: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64],
    part: int,
    parts: int,
) -> None:
    """Fill one of `parts` spans of points of what `sample_fields` returns."""
    n_fields, na, nb, nc = fields.shape
    n_points = nodes.shape[0]
    for n in range(n_points * part // parts, n_points * (part + 1) // parts):
        a = min(max(nodes[n, 0], 0.0), na - 1.0)
        b = min(max(nodes[n, 1], 0.0), nb - 1.0)
        c = min(max(nodes[n, 2], 0.0), nc - 1.0)
        ia, ib, ic = min(int(a), na - 2), min(int(b), nb - 2), min(int(c), nc - 2)
        fa, fb, fc = a - ia, b - ib, c - ic
        for da in range(2):
            for db in range(2):
                for dc in range(2):
                    share = (fa if da else 1 - fa) * (fb if db else 1 - fb) * (fc if dc else 1 - fc)
                    for k in range(n_fields):
                        values[n, k] += share * fields[k, ia + da, ib + db, ic + dc]


def resample_hu(
    hu: npt.NDArray[np.int16],
    rows: npt.NDArray[np.float64],
    columns: npt.NDArray[np.float64],
    slices: npt.NDArray[np.float64],
    lowest_hu: float,
    highest_hu: float,
) -> npt.NDArray[Any]:
    """Read a volume, linearly between voxels, at every combination of positions along the axes.

    Letters: Z, Y, X grid; P, Q, R positions.

    Parameters
    ----------
    hu : (Z, Y, X) int16
    rows, columns, slices : (Q,), (R,), (P,) float64
        Positions along y, x and z, in voxels; outside, the edge is continued.
    lowest_hu, highest_hu : float
        Voxels are cut to these before they are mixed.

    Returns
    -------
    resampled : (P, Q, R) float32
    """
    resampled = np.empty((slices.size, rows.size, columns.size), np.float32)
    limits = (float(lowest_hu), float(highest_hu))
    in_parts(_resample_hu, read_only(hu), rows, columns, slices, limits, resampled)
    return resampled


@kernel(
    '(Array(int16, 3, "C", True), float64[::1], float64[::1], float64[::1], '
    "UniTuple(float64, 2), float32[:, :, ::1], int64, int64)"
)
def _resample_hu(
    hu: npt.NDArray[np.int16],
    rows: npt.NDArray[np.float64],
    columns: npt.NDArray[np.float64],
    slices: npt.NDArray[np.float64],
    limits: tuple[float, float],
    resampled: npt.NDArray[np.float32],
    part: int,
    parts: int,
) -> None:
    """Fill the slices ``part::parts`` of what `resample_hu` returns; `limits` are its lowest and highest HU."""
    lowest_hu, highest_hu = limits
    nz, ny, nx = hu.shape
    for p in range(part, slices.size, parts):
        z = min(max(slices[p], 0.0), nz - 1.0)
        z0 = int(z)
        z1 = min(z0 + 1, nz - 1)
        fz = z - z0
        for q in range(rows.size):
            y = min(max(rows[q], 0.0), ny - 1.0)
            y0 = int(y)
            y1 = min(y0 + 1, ny - 1)
            fy = y - y0
            for r in range(columns.size):
                x = min(max(columns[r], 0.0), nx - 1.0)
                x0 = int(x)
                x1 = min(x0 + 1, nx - 1)
                fx = x - x0
                total = 0.0
                for dz in range(2):
                    for dy in range(2):
                        for dx in range(2):
                            share = (
                                (fz if dz else 1 - fz)
                                * (fy if dy else 1 - fy)
                                * (fx if dx else 1 - fx)
                            )
                            value = float(hu[z1 if dz else z0, y1 if dy else y0, x1 if dx else x0])
                            total += share * min(max(value, lowest_hu), highest_hu)
                resampled[p, q, r] = total


def divide_by_fields(
    labels: npt.NDArray[np.uint8],
    fields: npt.NDArray[np.float32],
    origin_nodes: npt.NDArray[np.float64],
    step_nodes: npt.NDArray[np.float64],
    renumber: npt.NDArray[np.uint8],
) -> None:
    """Give every voxel of one lung its lobe, in place, by the signs of one or two fields.

    The number of a voxel's case is 0 where the first field is not positive; else 1 where there is a second
    field and that is not positive; else 2. `labels` becomes ``renumber[label, case]``.

    Letters: Z, Y, X grid; F fields (1 or 2); A, B, C nodes, at least 2 each; L labels.

    Parameters
    ----------
    labels : (Z, Y, X) uint8
        Changed in place.
    fields : (F, A, B, C) float32
    origin_nodes, step_nodes : (3,) float64
        Voxel (z, y, x) lies at node ``origin_nodes + (z, y, x) * step_nodes``; outside, the edge is continued.
    renumber : (L, 3) uint8
        New label by old label and case.
    """
    in_parts(_divide_by_fields, labels, fields, origin_nodes, step_nodes, renumber)


@kernel(
    "(uint8[:, :, ::1], float32[:, :, :, ::1], float64[::1], float64[::1], "
    "uint8[:, ::1], int64, int64)"
)
def _divide_by_fields(
    labels: npt.NDArray[np.uint8],
    fields: npt.NDArray[np.float32],
    origin_nodes: npt.NDArray[np.float64],
    step_nodes: npt.NDArray[np.float64],
    renumber: npt.NDArray[np.uint8],
    part: int,
    parts: int,
) -> None:
    """Divide the slices ``part::parts`` as `divide_by_fields` says."""
    n_fields, na, nb, nc = fields.shape
    nz, ny, nx = labels.shape
    for z in range(part, nz, parts):
        a = min(max(origin_nodes[0] + z * step_nodes[0], 0.0), na - 1.0)
        ia = min(int(a), na - 2)
        fa = a - ia
        for y in range(ny):
            b = min(max(origin_nodes[1] + y * step_nodes[1], 0.0), nb - 1.0)
            ib = min(int(b), nb - 2)
            fb = b - ib
            for x in range(nx):
                label = labels[z, y, x]
                if renumber[label, 0] == label:  # not of this lung
                    continue
                c = min(max(origin_nodes[2] + x * step_nodes[2], 0.0), nc - 1.0)
                ic = min(int(c), nc - 2)
                fc = c - ic
                case = 2
                for k in range(n_fields):
                    total = 0.0
                    for da in range(2):
                        for db in range(2):
                            for dc in range(2):
                                share = (
                                    (fa if da else 1 - fa)
                                    * (fb if db else 1 - fb)
                                    * (fc if dc else 1 - fc)
                                )
                                total += share * fields[k, ia + da, ib + db, ic + dc]
                    if total <= 0:
                        case = k
                        break
                labels[z, y, x] = renumber[label, case]
