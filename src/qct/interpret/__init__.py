"""The verdict of the acquisition on every number; reference values."""

from qct.interpret.gate import judge
from qct.interpret.reference import references

__all__ = ["judge", "references"]
