"""`qct.read.assemble`: stored values become Hounsfield units, whichever way they are reckoned."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numba import config
from tests.read import series

from qct.kernels.compiled import limit_threads
from qct.read import assemble, read_scan
from qct.read.assemble import HIGHEST_HU, LOWEST_HU, fill

NOWHERE = np.zeros((2, 3), bool)


def told(intercept, slope=1.0):
    return SimpleNamespace(slope=slope, intercept=intercept, padding=None)


@pytest.mark.parametrize("kind", ["<i2", "<u2", ">i2", ">u2", "u1", "i4"])
@given(data=st.data())
def test_a_slice_is_stored_value_times_slope_plus_intercept(kind, data):
    stored = data.draw(hnp.arrays(kind, (2, 3)))
    intercept = data.draw(st.sampled_from([0.0, -1024.0, -1000.0, 1.0, -8192.0, 40000.0, 0.5]))
    one = told(intercept, data.draw(st.sampled_from([1.0, 1.0, 1.0, 2.0, 0.5])))
    hu = np.zeros((3, 2), np.int16)
    place = hu[::-1].T  # as in a scan that is stored the other way round
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qct.read.assemble.stored_values", lambda _: stored)
        patch.setattr("qct.read.assemble.padding_of", lambda *_: None)
        fill(one, place, NOWHERE)
    expected = np.rint(stored.astype(float) * one.slope + one.intercept)
    np.testing.assert_array_equal(place, np.clip(expected, LOWEST_HU, HIGHEST_HU))


@pytest.mark.parametrize("most", [1, 3])
def test_slices_are_decoded_on_as_many_threads_as_are_allowed(most, tmp_path, monkeypatch):
    pools = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, n):
            pools.append(n)
            super().__init__(n)

    monkeypatch.setattr(assemble, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(config, "NUMBA_NUM_THREADS", 4)
    limit_threads(most)
    try:
        read_scan(series.write(tmp_path))
    finally:
        limit_threads(0)
    assert pools == [most]
