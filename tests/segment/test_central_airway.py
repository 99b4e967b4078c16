"""How far the central airway is flooded before it is a leak."""

import numpy as np
import pytest

from qct.segment.airways import _before_leak

BLOCK_ML = 0.01


def levels(*steps):
    """Highest HU on the way to each block: (HU, mL) for every step."""
    return np.concatenate([np.full(round(ml / BLOCK_ML), hu, np.int32) for hu, ml in steps])


@pytest.mark.parametrize(
    ("steps", "threshold_hu"),
    [
        (((-1000, 40), (-950, 5), (-700, 60)), -701),  # a wall broke at -700
        (((-1040 + 30, 1), (-1008, 40), (-985, 5), (-860, 60)), -861),  # noise: trachea in one step
        (((-1000, 40), (-900, 8)), -900),  # no leak
    ],
)
def test_a_step_up_to_the_air_of_the_trachea_is_no_leak_and_one_beyond_is(steps, threshold_hu):
    found, leaked = _before_leak(levels(*steps), BLOCK_ML, ran_full=False, lumen_hu=-985.0)
    assert found == threshold_hu
    assert leaked is (len(steps) > 2)
