"""Density and volume of regions, from counts."""

from qct.measure.calibration import calibration
from qct.measure.density import density_of
from qct.measure.lungs import Measurements, measure

__all__ = ["Measurements", "calibration", "density_of", "measure"]
