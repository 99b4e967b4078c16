"""Density and volume of regions, from counts."""

from qct.measure.density import density_of
from qct.measure.lungs import Measurements, measure

__all__ = ["Measurements", "density_of", "measure"]
