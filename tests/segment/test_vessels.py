"""Vessels in a block of lung, drawn with partial volume, blurred and made noisy."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from qct.regions import Label
from qct.segment.vessels import find_vessels
from qct.volume import Volume

SIDE = 96
LUNG_HU, BLOOD_HU = -860.0, 40.0


def rod(share, start, end, radius):
    """Fill a rod of even radius (voxels) into the share of blood in every voxel."""
    start, end = np.array(start, float), np.array(end, float)
    length = np.linalg.norm(end - start)
    from_start = np.stack(np.indices(share.shape), axis=-1) - start
    along = np.clip(from_start @ (end - start) / length, 0, length)
    off = np.linalg.norm(from_start - along[..., None] * (end - start) / length, axis=-1)
    even = np.sqrt(max(radius**2 - 1 / 12, 0.0))  # so that the soft rim keeps the area
    np.maximum(share, np.clip(0.5 + even - off, 0, 1), out=share)
    return np.pi * radius**2 * length / 1000


def image(share, extra=0.0, *, hu=BLOOD_HU, sigma=0.55, noise=20.0, spacing=(1.0, 1.0, 1.0)):
    clean = gaussian_filter(LUNG_HU + share * (hu - LUNG_HU) + extra, sigma)
    noisy = clean + np.random.default_rng(1).normal(0, noise, share.shape)
    return Volume.from_spacing(np.rint(noisy).astype(np.int16), spacing)


def labels_of(shape, label=Label.RIGHT_LOWER_LOBE):
    labels = np.zeros(shape, np.uint8)
    labels[3:-3, 3:-3, 3:-3] = label
    return labels


def rods(n=40, radii=(0.8, 1.05, 1.6, 2.6), seed=0):
    """Draw rods at random; return the share of blood, and the volume (mL) of every radius."""
    generator = np.random.default_rng(seed)
    share = np.zeros((SIDE, SIDE, SIDE), np.float32)
    volumes = dict.fromkeys(radii, 0.0)
    for k in range(n):
        centre, direction = generator.uniform(15, SIDE - 15, 3), generator.normal(size=3)
        direction *= 14 / np.linalg.norm(direction)
        radius = radii[k % len(radii)]
        volumes[radius] += rod(share, centre - direction / 2, centre + direction / 2, radius)
    return share, volumes


@pytest.fixture(scope="module")
def drawn():
    return rods()


@pytest.mark.parametrize("hu", [BLOOD_HU, 250.0])
@pytest.mark.parametrize("sigma", [0.45, 0.7])
def test_volume_is_that_of_the_rods_whatever_blur_and_brightness(drawn, sigma, hu):
    share, _ = drawn
    found = find_vessels(image(share, sigma=sigma, hu=hu), labels_of(share.shape))
    assert found.method["blood_hu"] == pytest.approx(hu, abs=25)
    assert found.volume_ml.sum() == pytest.approx(share.sum() / 1000, rel=0.1)


def test_rods_are_sorted_by_their_cross_section(drawn):
    share, volumes = drawn
    found = find_vessels(image(share), labels_of(share.shape))
    small = sum(volume for radius, volume in volumes.items() if np.pi * radius**2 < 5)
    by_mm2 = found.volume_ml.sum(axis=0)
    assert by_mm2[:5].sum() / by_mm2.sum() == pytest.approx(small / sum(volumes.values()), abs=0.07)


def test_what_lies_around_most_vessels_does_not_change_the_blur():
    alone, sheath = np.zeros((2, SIDE, SIDE, SIDE), np.float32)
    generator = np.random.default_rng(2)
    for y in range(12, SIDE - 8, 11):
        for x in range(12, SIDE - 8, 11):
            start, end = (8, y, x), (SIDE - 8, *np.add((y, x), generator.uniform(-2, 2, 2)))
            rod(alone, start, end, 0.9)
            if (x + y) % 3:
                rod(sheath, start, end, 3.5)
    hazy = np.maximum(alone, 0.06 * sheath)
    found = [find_vessels(image(one), labels_of(one.shape)) for one in (alone, hazy)]
    blur = [one.method["blur_mm2"][0] for one in found]
    assert blur[1] == pytest.approx(blur[0], rel=0.05)


def test_only_the_label_that_holds_a_rod_gets_its_volume():
    share = np.zeros((40, 40, 60), np.float32)
    rod(share, (20, 20, 6), (20, 20, 26), 1.5)
    labels = labels_of(share.shape)
    labels[:, :, 30:][labels[:, :, 30:] > 0] = Label.LEFT_LOWER_LOBE
    found = find_vessels(image(share), labels)
    by_label = found.volume_ml.sum(axis=1)
    assert np.flatnonzero(by_label > 0.005).tolist() == [Label.RIGHT_LOWER_LOBE]


def test_what_is_no_vessel_does_not_count():
    share, empty = np.zeros((2, 64, 64, 64), np.float32)
    z, y, x = np.indices(share.shape) - 32.0
    fissure = 300 * np.exp(-0.5 * (z / 0.6) ** 2)
    nodule = 600.0 * (np.sqrt((z - 15) ** 2 + y**2 + x**2) < 3.5)
    consolidation = 600.0 * (np.sqrt((z + 22) ** 2 + (y - 8) ** 2 + (x - 20) ** 2) < 16)
    volume = image(empty, fissure + nodule + consolidation)
    found = find_vessels(volume, labels_of(share.shape))
    not_lung = fissure.sum() + nodule.sum() + consolidation.sum()
    assert found.volume_ml.sum() < 0.02 * not_lung / (BLOOD_HU - LUNG_HU) / 1000


def test_holes_of_emphysema_do_not_make_vessels(drawn):
    share, _ = drawn
    generator = np.random.default_rng(3)
    holes = gaussian_filter(generator.normal(size=share.shape), 2.5) > 0
    extra = np.where(holes & (share == 0), -110.0, 0.0)
    found = find_vessels(image(share, extra), labels_of(share.shape))
    assert found.volume_ml.sum() == pytest.approx(share.sum() / 1000, rel=0.15)


def test_the_grid_of_the_scan_does_not_matter(drawn):
    share, _ = drawn
    fine = np.repeat(share, 2, axis=2)
    labels = np.repeat(labels_of(share.shape), 2, axis=2)
    found = find_vessels(image(fine, sigma=(0.55, 0.55, 1.1), spacing=(1.0, 1.0, 0.5)), labels)
    assert found.volume_ml.sum() == pytest.approx(share.sum() / 1000, rel=0.1)


def test_the_number_of_threads_does_not_change_a_digit(drawn, monkeypatch):
    share, _ = drawn
    volume, labels = image(share), labels_of(share.shape)
    several = find_vessels(volume, labels)
    monkeypatch.setattr("qct.kernels.compiled._limit", 1)
    one = find_vessels(volume, labels)
    np.testing.assert_array_equal(one.volume_ml, several.volume_ml)
    np.testing.assert_array_equal(one.area_mm2, several.area_mm2)


@pytest.mark.parametrize("label", [0, Label.AIRWAY])
def test_without_lung_there_are_no_vessels(label):
    labels = np.full((8, 8, 8), label, np.uint8)
    assert find_vessels(image(np.zeros((8, 8, 8), np.float32)), labels) is None


def test_a_lung_without_vessels_measures_none():
    share = np.zeros((40, 40, 40), np.float32)
    found = find_vessels(image(share), labels_of(share.shape))
    assert found.volume_ml.sum() == pytest.approx(0, abs=0.02)
    assert found.method["blood_from"] == "usual value"
