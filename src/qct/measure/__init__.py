"""Density and volume of regions, from counts."""

from qct.measure.calibration import calibrate
from qct.measure.density import Extras, density_of
from qct.measure.lungs import Measurements, measure
from qct.measure.noise import standard_errors
from qct.measure.normalised import normalised

__all__ = [
    "Extras",
    "Measurements",
    "calibrate",
    "density_of",
    "measure",
    "normalised",
    "standard_errors",
]
