"""Two ellipsoid lungs with fissures drawn along surfaces of the geometric prior: the answer is known.

The lungs are 120 x 100 x 70 mm at -860 HU in soft tissue of 40 HU; fissures are sheets of 1.4 mm and +200 HU.
The surfaces are the planes of the geometric prior, shifted and bent by known mode coefficients.
"""

from dataclasses import dataclass

import numpy as np

from qct.regions import Fissure, Label, Side
from qct.segment.lung_frame import LungFrame
from qct.segment.prior import geometric_prior
from qct.segment.surfaces import LATTICE_STEP_MM, Lattice, place_surface
from qct.volume import Volume

BENT = np.array([0.25, 0.1, -0.15, 0.05, 0, 0, 0, 0, 0, 0])
"""Mode coefficients of the drawn fissures: a shift by 7 mm, and tilts."""

CENTRES = {Side.RIGHT: (70.0, 60.0, 45.0), Side.LEFT: (70.0, 60.0, 125.0)}
SHAPE = (140, 120, 170)
LUNG = {Side.RIGHT: Label.RIGHT_LUNG, Side.LEFT: Label.LEFT_LUNG}


@dataclass(frozen=True)
class Drawn:
    """A scan, its lungs, and its true lobes."""

    volume: Volume
    lungs: np.ndarray
    lobes: np.ndarray


def _heights(surface, mask):
    inside = np.argwhere(mask).astype(np.float64)
    heights = np.zeros(mask.shape)
    heights[mask] = surface.heights(inside)
    return heights


def _surface(side, fissure, mask):
    frame = LungFrame.of(mask, (1.0, 1.0, 1.0))
    n = tuple(int(size / LATTICE_STEP_MM) + 2 for size in mask.shape)
    model = geometric_prior().sides[side].surfaces[fissure]
    return place_surface(model.field_of(BENT), frame, Lattice(np.zeros(3), n))


def draw(*, visible=True, sides=(Side.RIGHT, Side.LEFT), noise_hu=15.0, seed=1):
    """Draw the scan at 1 mm; `visible` false leaves the fissures out of the image."""
    grid = np.indices(SHAPE).astype(np.float64)
    hu = np.full(SHAPE, 40.0)
    lungs, lobes = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    for side in sides:
        centre = np.reshape(CENTRES[side], (3, 1, 1, 1))
        mask = (((grid - centre) / np.reshape((60, 50, 35), (3, 1, 1, 1))) ** 2).sum(axis=0) < 1
        lungs[mask] = LUNG[side]
        hu[mask] = -860
        oblique = Fissure.RIGHT_OBLIQUE if side is Side.RIGHT else Fissure.LEFT_OBLIQUE
        upper = _heights(_surface(side, oblique, mask), mask)
        sheets = [np.exp(-0.5 * (upper / 0.6) ** 2) * mask]
        if side is Side.RIGHT:
            top = _heights(_surface(side, Fissure.RIGHT_HORIZONTAL, mask), mask)
            sheets.append(np.exp(-0.5 * (top / 0.6) ** 2) * mask * (upper > 0))
            lobes[mask] = np.where(upper > 0, np.where(top > 0, 3, 4), 5)[mask]
        else:
            lobes[mask] = np.where(upper > 0, 1, 2)[mask]
        if visible:
            hu += 200 * np.maximum.reduce(sheets)
    hu += np.random.default_rng(seed).normal(0, noise_hu, SHAPE)
    return Drawn(Volume.from_spacing(np.rint(hu).astype(np.int16), (1.0, 1.0, 1.0)), lungs, lobes)
