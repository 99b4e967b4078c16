import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.kernels import reference_rays

from qct.kernels.rays import march_rays, paint_rays

N_STEPS = 9


@st.composite
def scenes(draw):
    """Draw sides, bone, centres and directions of a small grid."""
    grid = draw(hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6))
    sides = draw(hnp.arrays(np.uint8, grid, elements=st.integers(0, 2)))
    bone = draw(hnp.arrays(np.uint8, grid, elements=st.integers(0, 1)))
    centres = draw(hnp.arrays(np.float64, (grid[0], 2), elements=st.floats(0, 5, width=16)))
    directions = draw(hnp.arrays(np.float64, (3, 2), elements=st.floats(-1.5, 1.5, width=16)))
    return sides, bone, centres, directions


@given(scene=scenes())
def test_march_rays_agrees_with_its_reference(scene):
    sides, bone, centres, directions = scene
    own = np.array([1, 2, 1], np.uint8)
    args = (sides, bone, centres, directions, own, N_STEPS)
    for found, wanted in zip(march_rays(*args), reference_rays.march_rays(*args), strict=True):
        np.testing.assert_array_equal(found, wanted)


@given(scene=scenes(), data=st.data())
def test_paint_rays_agrees_with_its_reference(scene, data):
    sides, _, centres, directions = scene
    depths = hnp.arrays(np.int16, (len(sides), 3), elements=st.integers(0, 12))
    inner, outer = data.draw(depths), data.draw(depths)
    painted, wanted = np.zeros(sides.shape, bool), np.zeros(sides.shape, bool)
    paint_rays(painted, inner, outer, centres, directions)
    reference_rays.paint_rays(wanted, inner, outer, centres, directions)
    np.testing.assert_array_equal(painted, wanted)


def test_bone_counts_only_behind_all_lung():
    sides = np.array([[[0, 1, 0, 1, 0, 0]]], np.uint8)
    bone = np.array([[[0, 0, 1, 0, 0, 1]]], np.uint8)
    centres, directions = np.zeros((1, 2)), np.array([[0.0, 1.0]])
    first, last, wall = march_rays(sides, bone, centres, directions, np.ones(1, np.uint8), 6)
    assert (first[0, 0], last[0, 0], wall[0, 0]) == (1, 3, 5)
