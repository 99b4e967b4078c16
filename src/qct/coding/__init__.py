"""The 0721T / 0722T worksheet: a catalogue of codes, and advice on one study. Prepares, never decides."""

from qct.coding.advise import advise
from qct.coding.facts import StudyFacts
from qct.coding.worksheet import Worksheet

__all__ = ["StudyFacts", "Worksheet", "advise"]
