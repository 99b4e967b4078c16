"""From a volume to labels: lungs, airways, fissures, lobes."""

from qct.segment.lobes import Lobes, divide_lobes
from qct.segment.lungs import Lungs, find_lungs
from qct.segment.prior import Prior, default_prior
from qct.segment.scan import segment

__all__ = [
    "Lobes",
    "Lungs",
    "Prior",
    "default_prior",
    "divide_lobes",
    "find_lungs",
    "segment",
]
