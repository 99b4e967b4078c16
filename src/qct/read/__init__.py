"""From what came in to one calibrated volume: discover, choose, assemble, check."""

from qct.read.inventory import StudySurvey, Survey, survey
from qct.read.scan import read_scan
from qct.read.told import completed, completed_acquisition

__all__ = [
    "StudySurvey",
    "Survey",
    "completed",
    "completed_acquisition",
    "read_scan",
    "survey",
]
