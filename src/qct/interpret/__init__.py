"""The verdict of the acquisition on every number; reference values."""

from qct.interpret.gate import Gate, Outlook, foresee, judge, site_gate
from qct.interpret.reference import person, references
from qct.interpret.uncertainty import uncertainties

__all__ = [
    "Gate",
    "Outlook",
    "foresee",
    "judge",
    "person",
    "references",
    "site_gate",
    "uncertainties",
]
