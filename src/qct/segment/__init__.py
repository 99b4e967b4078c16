"""From a volume to labels: lungs, airways, fissures, lobes."""

from qct.segment.lobes import Lobes, divide_lobes
from qct.segment.prior import Prior, default_prior

__all__ = ["Lobes", "Prior", "default_prior", "divide_lobes"]
