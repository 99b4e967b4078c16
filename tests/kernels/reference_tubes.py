"""What the kernels of tubes mean: slow, short, obviously right."""

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.optimize import minimize


def sample_rays(hu, frames, turns, radii):
    rays = turns @ frames[:, 1:]  # (P, D, 3)
    at = frames[:, None, None, 0] + radii[:, None] * rays[:, :, None]
    return map_coordinates(hu.astype(float), np.moveaxis(at, -1, 0), order=1, mode="nearest")


def half_maximum(line, step_mm):
    """Inner and outer edge of a profile with one peak, by interpolation on a fine grid."""
    fine = np.linspace(0, len(line) - 1, 200 * len(line))
    values = np.interp(fine, np.arange(len(line)), line)
    peak = int(np.argmax(values))
    inner = (values[:peak].min() + values[peak]) / 2
    outer = (values[peak:].min() + values[peak]) / 2
    rise = np.flatnonzero(values[:peak] <= inner)[-1]
    fall = peak + np.flatnonzero(values[peak:] <= outer)[0]
    return step_mm * fine[rise], step_mm * fine[fall]


def annulus(distance, inner, outer, blur, lumen, wall, beyond, disc):
    return (
        beyond
        + (wall - beyond) * disc(distance / blur, outer / blur)
        + (lumen - wall) * disc(distance / blur, inner / blur)
    )


def fit_wall(line, distance, start, model):
    found = minimize(
        lambda radii: float(((model(distance, *radii) - line) ** 2).mean()),
        start,
        method="Nelder-Mead",
        options={"xatol": 1e-3, "fatol": 1e-6},
    )
    return found.x
