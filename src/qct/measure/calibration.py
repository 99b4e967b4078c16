"""Measure air, whose HU is known, in this very scan."""

import edt
import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from qct.boxes import box_of
from qct.measure.noise import Noise
from qct.measure.trachea import FROM_WALL_MM, tracheal_core
from qct.regions import Label
from qct.volume import PADDING_HU, Volume

BODY_ABOVE_HU = -500
"""Seen from the front, the patient begins where HU first rises above this."""

IN_FIELD = 0.96
"""Share of the half width of the image that surely lies in the round field of view."""

N_SLICES = 24
"""Outside air is measured in about so many slices."""

MUSCLE_HEIGHTS = (0.25, 0.75)
"""Part of the height of the lungs in which muscle is looked for: below the shoulders, above the bowel."""

MUSCLE_REACH_MM = 70.0
"""Muscle beside the spine is looked for this far to either side of the middle of the lungs."""

MUSCLE_AHEAD_MM = 15.0
"""And from this far in front of the hindmost lung."""

MUSCLE_HU = (-10, 120)
"""Smoothed muscle lies within; fat and bone do not."""

SMOOTH_MM = 4.0
"""Side of the window over which HU are averaged to tell muscle from fat and bone."""

MIN_VOXELS = 200
"""Fewer voxels than this do not make a calibration."""


def calibrate(
    volume: Volume, labels: npt.NDArray[np.uint8], noise: Noise | None
) -> dict[str, float]:
    """Measure the median HU of substances that the gate knows the truth about.

    Parameters
    ----------
    volume : Volume
        The scan.
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers.
    noise : Noise or None
        Of this scan, by `qct.measure.measure_noise`.

    Returns
    -------
    hu : dict
        ``tracheal_air``: the core of the trachea; ``outside_air``: air in front of the patient; ``muscle``:
        beside the spine, behind the lungs; ``noise_sd``: standard deviation of `noise`. What the image does
        not show is not in it.

    Raises
    ------
    ValueError
        If `labels` is on another grid than `volume`.
    """
    volume.check_grid(labels)
    trachea = tracheal_core(volume, labels)
    samples = {
        "tracheal_air": volume.hu[trachea[0]][trachea[1]] if trachea else np.empty(0, np.int16),
        "outside_air": _outside_air(volume.hu, labels),
        "muscle": _muscle(volume, labels),
    }
    found = {name: hu for name, hu in samples.items() if hu.size >= MIN_VOXELS}
    known = {name: float(np.median(hu)) for name, hu in found.items()}
    if noise is not None:
        known["noise_sd"] = noise.sd_hu
    return known


def _muscle(volume: Volume, labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
    """Return the HU of the muscles beside the spine: the core of what is soft tissue when smoothed."""
    is_lung = np.ones(256, bool)
    is_lung[[Label.BACKGROUND, Label.AIRWAY]] = False
    named = box_of(labels) or (slice(0), slice(0), slice(0))
    heights = np.flatnonzero([is_lung.take(plane).any() for plane in labels[named]])
    if heights.size == 0:
        return np.empty(0, np.int16)
    heights += named[0].start
    bottom, top = np.quantile(heights, MUSCLE_HEIGHTS).astype(int)
    picked = np.arange(bottom, top + 1, max(1, (top - bottom) // N_SLICES))
    lungs = is_lung[labels[picked]]
    seen = np.logical_or.reduce(lungs)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    _, dy, dx = volume.spacing_mm
    middle, reach = (columns[0] + columns[-1]) // 2, round(MUSCLE_REACH_MM / dx)
    behind = (
        slice(max(rows[-1] - round(MUSCLE_AHEAD_MM / dy), 0), None),
        slice(max(middle - reach, 0), middle + reach + 1),
    )
    hu = volume.hu[picked, *behind]
    smooth = uniform_filter(hu, (1, *(max(1, round(SMOOTH_MM / mm)) for mm in (dy, dx))))
    soft = (smooth > MUSCLE_HU[0]) & (smooth < MUSCLE_HU[1]) & ~lungs[:, *behind]
    core = [
        plane[edt.edt(inside, anisotropy=(dy, dx), black_border=False) >= FROM_WALL_MM]
        for plane, inside in zip(hu, soft, strict=True)
    ]
    return np.concatenate(core)


def _outside_air(hu: npt.NDArray[np.int16], labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
    """Return the HU in front of the patient, inside the field of view, in some slices."""
    step = max(hu.shape[0] // N_SLICES, 1)
    some, named = hu[::step], labels[::step]
    body = np.maximum.accumulate((some > BODY_ABOVE_HU) | (named > 0), axis=1)
    _, ny, nx = hu.shape
    y, x = np.ogrid[-1 : 1 : ny * 1j, -1 : 1 : nx * 1j]
    air: npt.NDArray[np.int16] = some[~body & (some != PADDING_HU) & (y**2 + x**2 < IN_FIELD**2)]
    return air
