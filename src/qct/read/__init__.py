"""From what came in to one calibrated volume: discover, choose, assemble, check."""

from qct.read.inventory import StudySurvey, Survey, survey
from qct.read.scan import read_scan

__all__ = ["StudySurvey", "Survey", "read_scan", "survey"]
