"""The verdict of the acquisition on every number; reference values."""

from qct.interpret.gate import judge

__all__ = ["judge"]
