"""`qct.boxes`: a box holds all that is asked for, and no plane of its sides is empty."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qct.boxes import box_in, box_of

GRIDS = hnp.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=5)


def sides(chosen):
    """Return the box from the places themselves."""
    places = np.argwhere(chosen)
    if len(places) == 0:
        return None
    ends = zip(places.min(axis=0).tolist(), places.max(axis=0).tolist(), strict=True)
    return tuple(slice(low, high + 1) for low, high in ends)


@given(data=st.data(), grid=GRIDS)
def test_box_of_anything(data, grid):
    few = st.sampled_from([0, 0, 0, 0, 1, 200])
    marked = data.draw(hnp.arrays(np.uint8, grid, elements=few, fill=st.just(0)))
    assert box_of(marked) == sides(marked != 0)
    assert box_of(marked > 0) == sides(marked != 0)


@given(data=st.data(), grid=GRIDS)
def test_box_in_looks_only_for_what_is_marked(data, grid):
    labels = data.draw(hnp.arrays(np.uint8, grid, elements=st.integers(0, 4), fill=st.just(0)))
    marks = np.isin(np.arange(256), [2, 3])
    assert box_in(marks, labels) == sides(np.isin(labels, [2, 3]))
