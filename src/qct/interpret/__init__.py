"""The verdict of the acquisition on every number; reference values."""

from qct.interpret.gate import judge
from qct.interpret.reference import person, references
from qct.interpret.uncertainty import uncertainties

__all__ = ["judge", "person", "references", "uncertainties"]
