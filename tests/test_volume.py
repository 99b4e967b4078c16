import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qct.volume import Volume

HU = np.zeros((2, 3, 4), np.int16)
MM = st.floats(0.2, 10)


@given(MM, MM, MM)
def test_voxel_volume_is_the_product_of_the_spacing(dz, dy, dx):
    volume = Volume.from_spacing(HU, (dz, dy, dx))
    assert volume.spacing_mm == pytest.approx((dz, dy, dx))
    assert volume.voxel_ml == pytest.approx(dz * dy * dx / 1000)


@given(st.floats(-30, 30))
def test_a_tilted_gantry_brings_slices_closer_and_keeps_voxel_volume_true(tilt_deg):
    couch_step_mm = 3.0
    tilt = np.radians(tilt_deg)
    axes = [[0, 0, couch_step_mm], [0, np.cos(tilt), np.sin(tilt)], [1, 0, 0]]
    volume = Volume(HU, np.array(axes), np.zeros(3))
    assert volume.spacing_mm[0] == pytest.approx(couch_step_mm * np.cos(tilt))
    assert volume.voxel_ml == pytest.approx(np.prod(volume.spacing_mm) / 1000)


def test_affine_puts_a_voxel_where_the_axes_say():
    volume = Volume(HU, np.array([[0, 0, 2.5], [0, 0.5, 0], [0.7, 0, 0]]), np.array([1, 2, 3]))
    np.testing.assert_allclose(volume.affine_lps @ [1, 2, 3, 1], [3.1, 3.0, 5.5, 1])


@pytest.mark.parametrize("hu", [np.zeros((2, 2), np.int16), np.zeros((2, 2, 2), np.float32)])
def test_anything_but_a_block_of_whole_hu_is_refused(hu):
    with pytest.raises(ValueError, match="expected 3-D int16"):
        Volume.from_spacing(hu, (1, 1, 1))


def test_axes_that_do_not_span_space_are_refused():
    with pytest.raises(ValueError, match="do not span space"):
        Volume(HU, np.ones((3, 3)), np.zeros(3))
