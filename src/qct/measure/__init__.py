"""Density and volume of regions, from counts; lumen and wall of the airways."""

from qct.measure.airways import AirwaySizes, measure_airways
from qct.measure.calibration import calibrate
from qct.measure.density import Extras, density_of
from qct.measure.lungs import Measurements, measure
from qct.measure.noise import measure_noise, standard_errors
from qct.measure.normalised import normalised
from qct.measure.vessels import measure_vessels

__all__ = [
    "AirwaySizes",
    "Extras",
    "Measurements",
    "calibrate",
    "density_of",
    "measure",
    "measure_airways",
    "measure_noise",
    "measure_vessels",
    "normalised",
    "standard_errors",
]
