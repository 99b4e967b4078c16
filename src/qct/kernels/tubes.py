"""Tubes seen across: profiles along rays from the middle, and the edges of lumen and wall in them."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import in_parts, inner, kernel, read_only

PER_UNIT = 10.0
"""Rows and columns of a disc table per unit of the blur's standard deviation."""

SPAN = 6.0
"""A disc table reaches so many standard deviations to either side of the edge."""


def sample_rays(
    hu: npt.NDArray[np.int16],
    frames: npt.NDArray[np.float64],
    turns: npt.NDArray[np.float64],
    radii: npt.NDArray[np.float64],
) -> npt.NDArray[np.float32]:
    """Read a volume, linearly between voxels, along rays in planes through points.

    Letters: Z, Y, X grid, at least 2 each; P points; D rays; S steps.

    Parameters
    ----------
    hu : (Z, Y, X) int16
    frames : (P, 3, 3) float64
        Per point: the point, and two vectors that span the plane and are 1 mm long; in voxels.
    turns : (D, 2) float64
        Cosine and sine of each ray in the plane.
    radii : (S,) float64
        Distances from the point, mm.

    Returns
    -------
    profiles : (P, D, S) float32
        Outside the grid the edge is continued.
    """
    profiles = np.zeros((len(frames), len(turns), radii.size), np.float32)
    in_parts(_sample_rays, read_only(hu), frames, turns, radii, profiles)
    return profiles


@kernel(
    '(Array(int16, 3, "C", True), float64[:, :, ::1], float64[:, ::1], float64[::1], '
    "float32[:, :, ::1], int64, int64)"
)
def _sample_rays(
    hu: npt.NDArray[np.int16],
    frames: npt.NDArray[np.float64],
    turns: npt.NDArray[np.float64],
    radii: npt.NDArray[np.float64],
    profiles: npt.NDArray[np.float32],
    part: int,
    parts: int,
) -> None:
    at = np.zeros(3)
    low = np.zeros(3, np.int64)
    for p in range(part, frames.shape[0], parts):
        for d in range(turns.shape[0]):
            for s in range(radii.size):
                for k in range(3):
                    at[k] = frames[p, 0, k] + radii[s] * (
                        turns[d, 0] * frames[p, 1, k] + turns[d, 1] * frames[p, 2, k]
                    )
                    at[k] = min(max(at[k], 0.0), hu.shape[k] - 1.0)
                    low[k] = min(int(at[k]), hu.shape[k] - 2)
                total = 0.0
                for corner in range(8):
                    dz, dy, dx = corner // 4, corner // 2 % 2, corner % 2
                    fz, fy, fx = at[0] - low[0], at[1] - low[1], at[2] - low[2]
                    share = (fz if dz else 1 - fz) * (fy if dy else 1 - fy) * (fx if dx else 1 - fx)
                    total += share * hu[low[0] + dz, low[1] + dy, low[2] + dx]
                profiles[p, d, s] = total


@kernel("(float32[:, ::1], float64, float64)")
def find_edges(
    profiles: npt.NDArray[np.float32], step_mm: float, reach_mm: float
) -> npt.NDArray[Any]:
    """Find the edges of a wall by full width at half maximum.

    The wall is the first peak that rises above the darkest value before it by half of what the brightest
    value within reach does. Its inner edge is halfway up from that darkest value, its outer edge halfway
    down to the darkest value within reach beyond it.

    Letters: N profiles; S steps.

    Parameters
    ----------
    profiles : (N, S) float32
        From the middle outwards.
    step_mm, reach_mm : float
        Distance of samples; how far beyond the peak its foot is looked for, at least one step.

    Returns
    -------
    edges : (N, 5) float64
        Distance (mm) of the inner edge, the peak and the outer edge; HU of the peak and of the foot beyond it.
        NaN where there is no peak.
    """
    n_profiles, n_steps = profiles.shape
    reach = int(reach_mm / step_mm)
    edges = np.empty((n_profiles, 5))
    for n in range(n_profiles):
        for k in range(5):
            edges[n, k] = np.nan
        line = profiles[n]
        low = 0
        peak = -1
        brightest = line[0]
        for s in range(n_steps):
            brightest = max(brightest, line[s])
        for s in range(1, n_steps - 1):
            if line[s] < line[low]:
                low = s
            if (
                line[s] >= line[s - 1]
                and line[s] > line[s + 1]
                and line[s] - line[low] > 0.5 * (brightest - line[low])
            ):
                peak = s
                break
        if peak < 0:
            continue
        foot = peak
        for s in range(peak + 1, min(peak + reach, n_steps - 1) + 1):
            if line[s] < line[foot]:
                foot = s
        inner = 0.5 * (line[low] + line[peak])
        s = peak
        while line[s - 1] > inner:  # the darkest value before the peak ends this
            s -= 1
        edges[n, 0] = step_mm * (s - (line[s] - inner) / (line[s] - line[s - 1]))
        edges[n, 1] = step_mm * peak
        edges[n, 3] = line[peak]
        edges[n, 4] = line[foot]
        outer = 0.5 * (line[peak] + line[foot])
        s = peak
        while line[s + 1] > outer:  # the foot ends this
            s += 1
        edges[n, 2] = step_mm * (s + (line[s] - outer) / (line[s] - line[s + 1]))
    return edges


@inner
def read_disc(table: npt.NDArray[np.float64], distance: float, radius: float) -> Any:
    """Read the share of a blurred disc at some distance from its middle; both in standard deviations."""
    row = min(radius * PER_UNIT, table.shape[0] - 1.0)
    column = (min(max(distance - radius, -SPAN), SPAN) + SPAN) * PER_UNIT
    i = min(max(int(row), 0), table.shape[0] - 2)
    j = min(int(column), table.shape[1] - 2)
    a, b = row - i, column - j
    return (1 - a) * ((1 - b) * table[i, j] + b * table[i, j + 1]) + a * (
        (1 - b) * table[i + 1, j] + b * table[i + 1, j + 1]
    )


@inner
def _misfit(
    line: npt.NDArray[np.float32],
    table: npt.NDArray[np.float64],
    about: npt.NDArray[np.float64],
    inner: float,
    outer: float,
) -> float:
    """Sum of squares between a profile and a blurred annulus; `about` as a row of `fit_walls`, and the step."""
    n_used = min(int(about[5] / about[6]) + 1, line.size)
    total = 0.0
    for s in range(n_used):
        distance = s * about[6] / about[2]
        model = (
            about[4]
            + (about[3] - about[4]) * read_disc(table, distance, outer / about[2])
            + (about[7] - about[3]) * read_disc(table, distance, inner / about[2])
        )
        off = model - line[s]
        total += off * off
    return total / n_used


def fit_walls(
    profiles: npt.NDArray[np.float32],
    table: npt.NDArray[np.float64],
    about: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Fit a blurred annulus (lumen, wall, lung) to every profile: least squares over its two radii.

    Letters: N profiles; S steps; R, C table.

    Parameters
    ----------
    profiles : (N, S) float32
        From the middle outwards.
    table : (R, C) float64
        Share of a disc of radius row / `PER_UNIT` at the distance (column / `PER_UNIT` - `SPAN`) from its
        edge, after a blur of standard deviation 1.
    about : (N, 8) float64
        Per profile: first guess of the inner and the outer radius (mm), standard deviation of the blur (mm),
        HU of the wall, HU beyond it, how far out the fit goes (mm), distance of samples (mm), HU of the lumen.

    Returns
    -------
    fitted : (N, 3) float64
        Inner and outer radius (mm), and the root mean square of what is left (HU).

    Notes
    -----
    A pattern search: both radii are moved together, apart and one by one, by steps that are halved from
    0.4 mm down to 0.0125 mm, whenever none of the moves helps. It needs no derivative of the table.
    """
    fitted = np.zeros((len(profiles), 3))
    in_parts(_fit_walls, profiles, table, about, fitted)
    return fitted


@kernel("(float32[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], int64, int64)")
def _fit_walls(
    profiles: npt.NDArray[np.float32],
    table: npt.NDArray[np.float64],
    about: npt.NDArray[np.float64],
    fitted: npt.NDArray[np.float64],
    part: int,
    parts: int,
) -> None:
    moves = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1))
    for n in range(part, profiles.shape[0], parts):
        inner, outer = about[n, 0], about[n, 1]
        best = _misfit(profiles[n], table, about[n], inner, outer)
        step = 0.4
        while step > 0.01:
            moved = False
            for move_in, move_out in moves:
                to_in, to_out = inner + step * move_in, outer + step * move_out
                if to_in < 0.1 or to_out < to_in + 0.05:
                    continue
                tried = _misfit(profiles[n], table, about[n], to_in, to_out)
                if tried < best:
                    best, inner, outer = tried, to_in, to_out
                    moved = True
                    break
            if not moved:
                step *= 0.5
        fitted[n, 0], fitted[n, 1], fitted[n, 2] = inner, outer, math.sqrt(best)
