"""Patches of columns against the components of the graph that their links make."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from qct.segment.follow import JUMP_MM, number_patches


def patches_of_graph(height, chosen):
    number = np.full(height.shape, -1)
    number[chosen] = np.arange(np.count_nonzero(chosen))
    pairs = [
        (number[at], number[beside])
        for at in zip(*np.nonzero(chosen), strict=True)
        for beside in ((at[0] + 1, at[1]), (at[0], at[1] + 1))
        if beside[0] < height.shape[0]
        and beside[1] < height.shape[1]
        and chosen[beside]
        and abs(height[at] - height[beside]) <= JUMP_MM
    ]
    rows, columns = np.array(pairs, int).reshape(-1, 2).T
    n = int(np.count_nonzero(chosen))
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    number[chosen] = connected_components(graph, directed=False)[1] if n else []
    return number


@given(data=st.data())
def test_patches_are_the_components_of_linked_columns(data):
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    chosen = data.draw(hnp.arrays(bool, shape))
    steps = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(-3, 3)))
    height = steps * JUMP_MM / 2
    found, wanted = number_patches(height, chosen), patches_of_graph(height, chosen)
    np.testing.assert_array_equal(found == -1, ~chosen)
    pairs = set(zip(found[chosen].tolist(), wanted[chosen].tolist(), strict=True))
    assert len(pairs) == len(set(found[chosen].tolist())) == len(set(wanted[chosen].tolist()))
