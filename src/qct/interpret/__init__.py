"""The verdict of the acquisition on every number; reference values; drafted statements."""

from qct.interpret.change import compare, in_order
from qct.interpret.gate import Gate, Outlook, foresee, judge, site_gate
from qct.interpret.reference import person, references
from qct.interpret.sponge import adjust
from qct.interpret.statements import draft
from qct.interpret.uncertainty import uncertainties

__all__ = [
    "Gate",
    "Outlook",
    "adjust",
    "compare",
    "draft",
    "foresee",
    "in_order",
    "judge",
    "person",
    "references",
    "site_gate",
    "uncertainties",
]
