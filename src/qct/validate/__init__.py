"""Does this installation measure right? Digital chests of known answers through the whole pipeline."""

from qct.validate.cases import Case, plan
from qct.validate.judge import Outcome, Row, judge, load_limits
from qct.validate.run import Validation, measure_case, validate

__all__ = [
    "Case",
    "Outcome",
    "Row",
    "Validation",
    "judge",
    "load_limits",
    "measure_case",
    "plan",
    "validate",
]
