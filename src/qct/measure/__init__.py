"""Density and volume of regions, from counts."""

from qct.measure.calibration import calibrate
from qct.measure.density import Extras, density_of
from qct.measure.lungs import Measurements, measure

__all__ = ["Extras", "Measurements", "calibrate", "density_of", "measure"]
