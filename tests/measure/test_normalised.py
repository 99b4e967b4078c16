import numpy as np
import pytest
from scipy import ndimage

from qct.flags import Flag, Status
from qct.measure.normalised import normalised
from qct.quantities import NORMALISED_KEYS
from qct.read import read_scan
from qct.regions import DENSE, Label
from qct.volume import PADDING_HU, Volume


def laa950(volume, labels):
    return {one.region: one.value for one in normalised(volume, labels) if "laa" in one.quantity}


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


@pytest.mark.real_data
def test_the_gap_between_two_kernels_of_one_acquisition_shrinks_by_four_fifths(real_data):
    folder = real_data / "ct" / "lung_dx_a0001"
    soft, sharp = (read_scan(folder / name).volume for name in ("kernel_b", "kernel_l"))
    parts, _ = ndimage.label(soft.hu < -600)
    outside = set(np.unique(parts[:, [0, -1]])) | set(np.unique(parts[:, :, [0, -1]]))
    sizes = np.bincount(parts.ravel())
    sizes[list(outside)] = 0
    labels = np.where(parts == sizes.argmax(), Label.LEFT_LUNG, 0).astype(np.uint8)
    was = [native(volume, labels) for volume in (soft, sharp)]
    found = [laa950(volume, labels)["whole_lung"] for volume in (soft, sharp)]
    assert was[1] - was[0] > 10
    assert abs(found[1] - found[0]) < 0.2 * (was[1] - was[0])


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
