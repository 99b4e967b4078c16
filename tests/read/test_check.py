"""Air and tissue have to be where Hounsfield units have them; a floor is told."""

import numpy as np
import pytest
from tests.read import series

from qct.errors import PixelError
from qct.read.check import check_scale
from qct.volume import PADDING_HU, Volume


def volume(change=None, n=8):
    hu = np.stack([series.chest_hu(k) for k in range(n)])
    if change is not None:
        hu = change(hu)
    return Volume.from_spacing(hu.astype(np.int16), (2.5, 1.5, 1.25))


def test_air_and_tissue_are_measured():
    scale = check_scale(volume())
    assert scale.air_hu == pytest.approx(-1000, abs=3)
    assert scale.tissue_hu == pytest.approx(40, abs=10)
    assert scale.floor_hu is None
    assert scale.is_calibrated


def test_padding_is_no_air():
    def pad(hu):
        hu[:, :5] = PADDING_HU
        return hu

    assert check_scale(volume(pad)).air_hu == pytest.approx(-1000, abs=3)


def test_a_picture_of_nothing_but_padding_is_refused():
    with pytest.raises(PixelError, match="nothing but padding"):
        check_scale(volume(lambda hu: np.full_like(hu, PADDING_HU)))


@pytest.mark.parametrize("offset", [-1024, -200, 200, 1000, 1024])
def test_an_offset_is_refused(offset):
    with pytest.raises(PixelError, match="not HU"):
        check_scale(volume(lambda hu: hu + offset))


def test_an_offset_is_refused_in_a_picture_that_is_nearly_all_air():
    def small(hu):
        hu = np.random.default_rng(1).integers(-1012, -988, hu.shape)
        hu[:, 20:24, 20:30] = 40
        return hu

    assert check_scale(volume(small)).tissue_hu == pytest.approx(40, abs=10)
    with pytest.raises(PixelError, match="not HU"):
        check_scale(volume(lambda hu: small(hu) + 1024))


def test_a_picture_without_air_is_let_through_where_tissue_is_right():
    scale = check_scale(volume(lambda hu: np.where(hu < -500, 40, hu)))
    assert scale.air_hu is None
    assert scale.is_calibrated


def test_lungs_alone_are_no_outside_air():
    def cropped(hu):
        hu[hu < -950] = 40
        return hu

    scale = check_scale(volume(cropped))
    assert scale.air_hu is None
    assert scale.is_calibrated


@pytest.mark.parametrize("slope", [0.5, 2.0])
def test_a_wrong_slope_is_refused(slope):
    with pytest.raises(PixelError, match="not HU"):
        check_scale(volume(lambda hu: (hu * slope).astype(int)))
