"""From slices to one volume of Hounsfield units, in one pass and one allocation."""

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from qct.errors import PixelError
from qct.findings import Progress
from qct.kernels.compiled import n_threads
from qct.read.decode import Stored, stored_values
from qct.read.geometry import Grid, Turn, turn_of
from qct.read.headers import Slice
from qct.volume import PADDING_HU, Volume

HU16 = npt.NDArray[np.int16]

LOWEST_HU = -32767
"""One above `PADDING_HU`; lower values cannot be told from padding."""

HIGHEST_HU = 32767
"""Highest value of int16; metal may be above it in extended scales."""

NOTHING_BELOW_HU = -1200
"""A constant value below this outside the field of view is padding; noise of air does not reach it."""

PLAUSIBLE_HU = (-1024, 3071)
"""The 12-bit scale: a padding value inside it may be tissue or air as well."""

FIELD_MARGIN_PIXELS = 1.0
"""Pixels by which the round field of view may reach beyond the circle inside the image."""


def assemble(
    slices: Sequence[Slice], grid: Grid, progress: Progress
) -> tuple[Volume, tuple[int, int, int]]:
    """Decode every slice, rescale it with its own slope and intercept, and put it in its place.

    Parameters
    ----------
    slices : sequence of Slice
        In any order; all have slope and intercept.
    grid : Grid
        Made of the same slices.

    Returns
    -------
    volume : Volume
        z to the head, y to the back, x to the left; read-only.
    stored_axes : (int, int, int)
        As in `qct.findings.Scan`.

    Raises
    ------
    PixelError
        If a slice cannot be decoded.
    """
    turn = turn_of(grid)
    hu: HU16 = np.empty(turn.shape, np.int16)
    corners = outside_field(grid.shape[1], grid.shape[2])
    jobs = [(slices[index], place_of(hu, turn, k)) for k, index in enumerate(grid.order)]
    with ThreadPoolExecutor(n_threads()) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # here and not in the threads: filters are shared by all
        done = pool.map(lambda job: fill(job[0], job[1], corners), jobs)
        for k, _ in enumerate(done, start=1):
            if k % 16 == 0 or k == len(jobs):
                progress("reading pixels", k / len(jobs))
    hu.flags.writeable = False
    return Volume(hu, turn.axes_mm, turn.origin_mm), turn.stored_axes


def outside_field(rows: int, columns: int) -> npt.NDArray[np.bool_]:
    """Mark the corners of an image: what lies outside the circle that fits into it."""
    radius = min(rows, columns) / 2 + FIELD_MARGIN_PIXELS
    y = np.arange(rows)[:, None] - (rows - 1) / 2
    x = np.arange(columns)[None, :] - (columns - 1) / 2
    return np.asarray(y * y + x * x > radius * radius)


def fill(one: Slice, place: HU16, corners: npt.NDArray[np.bool_]) -> None:
    """Write the HU of one slice into its place, as stored: rows, columns."""
    stored = stored_values(one)
    if stored.shape != place.shape:
        raise PixelError(
            f"{one.shown_path.name} holds {stored.shape} pixels, expected {place.shape}",
            hint="Send this slice again.",
        )
    nothing = padding_of(stored, one, corners)
    if not _shift(stored, one, place):
        place[...] = _rescaled(stored, one)
    if nothing is not None:
        place[nothing] = PADDING_HU


def padding_of(
    stored: Stored, one: Slice, corners: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_] | None:
    """Mark the pixels that mean nothing, by their stored values.

    A declared padding value (or range) counts wherever it stands, unless it is a plausible HU: then it
    counts outside the field of view only, because the scanner stores air at the same value. Undeclared
    padding is recognised by corners that all hold one value: it counts everywhere if no air can be so
    dark, else in the corners only.
    """
    nothing: npt.NDArray[np.bool_] | None = None
    if one.padding is not None:
        low, high = one.padding
        nothing = (stored >= low) & (stored <= high)
        if _is_plausible(low, one) or _is_plausible(high, one):
            nothing &= corners
    corner = stored[0, 0]
    hu = _hu(float(corner), one)
    if hu <= NOTHING_BELOW_HU and corner == stored[-1, -1]:
        same = stored == corner
        return np.asarray(same if nothing is None else nothing | same)
    if hu <= -1000 and corners.any() and (stored[corners] == corner).all():
        return np.asarray(corners if nothing is None else nothing | corners)
    return nothing


def _is_plausible(value: int, one: Slice) -> bool:
    return PLAUSIBLE_HU[0] <= _hu(value, one) <= PLAUSIBLE_HU[1]


def _hu(value: float, one: Slice) -> float:
    return value * (one.slope or 1.0) + (one.intercept or 0.0)


def _shift(stored: Stored, one: Slice, place: HU16) -> bool:
    """Write the HU of a slice if that takes no more than an intercept and fits; tell whether it was done.

    Sums of 16 bits that fit come out right whether the stored values have a sign or not.
    """
    intercept = one.intercept
    if one.slope != 1 or intercept is None or intercept != int(intercept) or stored.itemsize != 2:
        return False
    shift = int(intercept)
    if int(stored.min()) + shift < LOWEST_HU or int(stored.max()) + shift > HIGHEST_HU:
        return False
    bits = stored.astype(stored.dtype.newbyteorder("="), copy=False).view(np.uint16)
    np.add(bits, np.uint16(shift % (1 << 16)), out=place.view(np.uint16))
    return True


def _rescaled(stored: Stored, one: Slice) -> npt.NDArray[np.int32]:
    slope, intercept = one.slope, one.intercept
    assert slope is not None
    assert intercept is not None
    if slope == 1 and intercept == int(intercept):
        hu = stored.astype(np.int64 if stored.itemsize > 2 else np.int32) + int(intercept)
    else:
        hu = np.rint(stored * slope + intercept)
    return np.asarray(np.clip(hu, LOWEST_HU, HIGHEST_HU), np.int32)


def place_of(hu: HU16, turn: Turn, k: int) -> HU16:
    """View the place of stored slice `k`, as stored: rows, columns."""
    stored_z, stored_y, stored_x = turn.stored_axes
    at = hu[len(hu) - 1 - k if stored_z < 0 else k]
    at = at[:: 1 if stored_y > 0 else -1, :: 1 if stored_x > 0 else -1]
    return np.asarray(at.T if abs(stored_y) == 3 else at)
