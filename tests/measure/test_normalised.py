import numpy as np
import pytest
from scipy import ndimage

from qct.flags import Flag, Status
from qct.measure.normalised import (
    EDGES_MM,
    band_energies_hu,
    normalised,
    soft_energies_hu,
)
from qct.quantities import NORMALISED_KEYS
from qct.read import read_scan
from qct.regions import DENSE, Label
from qct.segment.lungs import find_lungs
from qct.volume import PADDING_HU, Volume


def laa950(volume, labels):
    return {one.region: one.value for one in normalised(volume, labels) if "laa" in one.quantity}


def perc15(volume, labels):
    return next(one.value for one in normalised(volume, labels) if "perc15" in one.quantity)


def native_perc15(volume, labels):
    return np.percentile(volume.hu[(labels > 0) & (labels < 8)], 15)


def native(volume, labels):
    return 100 * (volume.hu[(labels > 0) & (labels < 8)] < -950).mean()


def drawn(kernel_mm, noise_hu, grain_px):
    """A lung of coarse texture as a kernel shows it: its blur, and noise of its amount and fineness."""
    rng = np.random.default_rng(4)
    texture = ndimage.gaussian_filter(rng.standard_normal((16, 96, 96)), (1, 3, 3))
    clean = -880 + 45 * texture / texture.std()
    narrow, wide = (
        ndimage.gaussian_filter(rng.standard_normal(clean.shape), (0, g, g)) for g in grain_px
    )
    grain = narrow - 0.8 * wide
    blurred = ndimage.gaussian_filter(clean, (0, kernel_mm / 0.8, kernel_mm / 0.8))
    hu = np.rint(blurred + noise_hu * grain / grain.std()).astype(np.int16)
    return Volume.from_spacing(hu, (1.5, 0.8, 0.8)), np.full(hu.shape, Label.LEFT_LUNG, np.uint8)


def test_the_gap_between_a_drawn_soft_and_sharp_kernel_shrinks_by_two_thirds():
    soft, sharp = drawn(0.68, 9.0, (0.95, 3.0)), drawn(0.38, 40.0, (0.45, 1.2))
    was = native(*sharp) - native(*soft)
    assert was > 2
    gap = laa950(*sharp)["whole_lung"] - laa950(*soft)["whole_lung"]
    assert abs(gap) < was / 3


def walled(kernel_mm, noise_hu):
    """A lung in the chest, every fourth column a thin wall, as a kernel shows it, with little noise."""
    inside = np.zeros((8, 96, 96), bool)
    inside[:, 12:-12, 12:-12] = True
    clean = np.where(inside, -900.0, 40.0)
    clean[:, :, 24::16] = 40.0
    at = kernel_mm / 0.8
    grain = ndimage.gaussian_filter(
        np.random.default_rng(5).standard_normal(clean.shape), (0, at, at)
    )
    hu = ndimage.gaussian_filter(clean, (0, at, at)) + noise_hu * grain / grain.std()
    labels = np.where(inside, Label.LEFT_LUNG, 0).astype(np.uint8)
    return Volume.from_spacing(np.rint(hu).astype(np.int16), (1.5, 0.8, 0.8)), labels


def test_edges_spill_into_the_lung_as_a_soft_kernel_lets_them():
    soft, sharp = walled(0.8, 8.0), walled(0.4, 40.0)
    was = abs(native_perc15(*sharp) - native_perc15(*soft))
    assert was > 25
    assert abs(perc15(*sharp) - perc15(*soft)) < was / 4


def test_energies_are_those_of_the_noise_whatever_vessels_and_walls_there_are():
    rng = np.random.default_rng(6)
    hu = np.rint(-850 + 20 * rng.standard_normal((6, 90, 90))).astype(np.int16)
    labels = np.full(hu.shape, Label.LEFT_LUNG, np.uint8)
    bare = band_energies_hu(Volume.from_spacing(hu, (1.0, 0.7, 0.7)), labels)
    hu[:, ::30, ::30] = 60
    labels[:, :, 70:], hu[:, :, 70:] = 0, 50
    found = band_energies_hu(Volume.from_spacing(hu, (1.0, 0.7, 0.7)), labels)
    assert len(bare) == len(EDGES_MM)
    assert bare[0] == pytest.approx(20, rel=0.25)
    assert found == pytest.approx(bare, rel=0.05)
    assert band_energies_hu(Volume.from_spacing(hu, (1.0, 0.7, 0.7)), 0 * labels) == ()


def test_the_table_has_a_level_for_every_band():
    assert len(soft_energies_hu()) == len(EDGES_MM)


@pytest.mark.real_data
@pytest.mark.slow
def test_the_gap_between_two_kernels_of_one_acquisition_shrinks_by_four_fifths(real_data):
    folder = real_data / "ct" / "lung_dx_a0001"
    both = [read_scan(folder / name).volume for name in ("kernel_b", "kernel_l")]
    soft, sharp = ((volume, find_lungs(volume).labels) for volume in both)
    was = native(*sharp) - native(*soft)
    assert was > 10
    assert abs(laa950(*sharp)["whole_lung"] - laa950(*soft)["whole_lung"]) < 0.05 * was
    was = abs(native_perc15(*sharp) - native_perc15(*soft))
    assert was > 50
    assert abs(perc15(*sharp) - perc15(*soft)) < 0.2 * was


def smooth(shape=(12, 40, 40)):
    """A lung without noise: its finest bands are weaker than those of a soft kernel."""
    y = np.linspace(-970, -850, shape[1])
    hu = np.broadcast_to(np.rint(y)[None, :, None], shape).astype(np.int16).copy()
    labels = np.full(shape, Label.LEFT_UPPER_LOBE, np.uint8)
    return Volume.from_spacing(hu, (2.0, 0.8, 0.8)), labels


def test_nothing_is_done_to_what_is_smooth_already():
    volume, labels = smooth()
    found = laa950(volume, labels)
    assert found["whole_lung"] == pytest.approx(native(volume, labels), abs=0.01)
    assert found["left_upper_lobe"] == found["left_lung"] == found["whole_lung"]


def test_what_lies_around_the_lung_changes_nothing():
    volume, labels = smooth()
    labels[:, :, 30:] = 0
    labels[:, :, 20:22] = Label.LEFT_UPPER_LOBE + DENSE
    wall = volume.hu.copy()
    wall[:, :, 30:], wall[:, :, 20:22] = 400, PADDING_HU
    found = laa950(Volume.from_spacing(wall, (2.0, 0.8, 0.8)), labels)
    assert found["whole_lung"] == pytest.approx(laa950(volume, labels)["whole_lung"])


def test_a_region_too_small_or_absent_is_not_measured():
    volume, labels = smooth()
    labels[:] = 0
    labels[5, 5, 5:9] = Label.LEFT_UPPER_LOBE
    measured = {(one.region, one.quantity): one for one in normalised(volume, labels)}
    small = measured["left_lung", NORMALISED_KEYS[0]]
    assert (small.status, small.flags) == (Status.NOT_MEASURED, {Flag.TOO_FEW_VOXELS})
    assert not measured["right_lung", NORMALISED_KEYS[0]].flags
    labels[:] = 0
    assert {one.status for one in normalised(volume, labels)} == {Status.NOT_MEASURED}
