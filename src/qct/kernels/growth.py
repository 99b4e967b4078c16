"""Arrays that grow inside a kernel."""

import numpy as np
import numpy.typing as npt

from qct.kernels.compiled import inner


@inner
def doubled(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return an array twice as long that begins with the values; zeros follow."""
    longer = np.zeros(2 * values.size, np.int64)
    for n in range(values.size):
        longer[n] = values[n]
    return longer
