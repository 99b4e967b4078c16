"""Which numbers may leave the house, and with how many digits."""

import math

from qct.findings import Measured
from qct.flags import Status


def is_told(one: Measured) -> bool:
    """Whether the value of a number may be told: it is there, and is not withheld."""
    return (
        one.value is not None
        and math.isfinite(one.value)
        and one.status in (Status.REPORTED, Status.CAVEAT)
    )


def rounded(value: float, decimals: int) -> float:
    """Round as the report does; a whole number has no point, and zero no sign.

    >>> rounded(12.34, 0), rounded(-0.04, 1)
    (12, 0.0)
    """
    return round(value) if decimals == 0 else round(value, decimals) + 0.0
