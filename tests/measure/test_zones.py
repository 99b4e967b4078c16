import numpy as np
import pytest

from qct.measure import measure
from qct.measure.density import LOWEST_HU
from qct.measure.zones import count_peel
from qct.regions import DENSE, Label
from qct.volume import Volume


def ball(radius_mm=45.0, spacing_mm=(1.5, 0.8, 0.8)):
    """A lung that is a ball, -950 HU in the middle and -800 HU in its outer 10 mm."""
    half = [int(radius_mm / mm) + 3 for mm in spacing_mm]
    z, y, x = np.ogrid[tuple(slice(-n, n + 1) for n in half)]
    away_mm = np.sqrt(
        (z * spacing_mm[0]) ** 2 + (y * spacing_mm[1]) ** 2 + (x * spacing_mm[2]) ** 2
    )
    labels = np.where(away_mm < radius_mm, Label.LEFT_LUNG, 0).astype(np.uint8)
    hu = np.where(away_mm > radius_mm - 10, -800, -950).astype(np.int16)
    return Volume.from_spacing(hu, spacing_mm), labels


def test_the_peel_of_a_ball_is_as_thick_as_asked_for():
    volume, labels = ball()
    for depth_mm in (5.0, 10.0, 20.0):
        aerated, airless = count_peel(volume, labels, depth_mm)
        shell_ml = 4 / 3 * np.pi * (45**3 - (45 - depth_mm) ** 3) / 1000
        assert aerated.sum() * volume.voxel_ml == pytest.approx(shell_ml, rel=0.04)
        assert airless.sum() == 0


def test_core_and_peel_are_told_apart_and_are_the_whole():
    volume, labels = ball()
    found = {(one.region, one.quantity): one.value for one in measure(volume, labels).measured}
    assert found["core", "median_hu"] == -950
    assert found["peel", "median_hu"] == -800
    parts = found["core", "volume_ml"] + found["peel", "volume_ml"]
    assert parts == pytest.approx(found["whole_lung", "volume_ml"])


def test_airless_lung_counts_apart_and_airways_within_are_no_surface():
    volume, labels = ball()
    middle = tuple(n // 2 for n in labels.shape)
    labels[middle[0] - 2 : middle[0] + 3, middle[1] - 2 : middle[1] + 3, middle[2]] = Label.AIRWAY
    labels[:, : middle[1] - 40] += np.uint8(DENSE) * (labels[:, : middle[1] - 40] > 0)
    aerated, airless = count_peel(volume, labels, 10.0)
    assert airless.sum() > 0
    assert aerated[-950 - LOWEST_HU] < 0.1 * aerated.sum()


def test_the_edge_of_the_scan_is_no_surface():
    volume, labels = ball()
    cut = labels.shape[0] // 2
    half = Volume.from_spacing(np.ascontiguousarray(volume.hu[cut:]), (1.5, 0.8, 0.8))
    whole, _ = count_peel(volume, labels, 10.0)
    upper, _ = count_peel(half, np.ascontiguousarray(labels[cut:]), 10.0)
    assert upper.sum() == pytest.approx(whole.sum() / 2, rel=0.03)


def test_no_lung_has_no_peel():
    volume, labels = ball()
    assert count_peel(volume, np.zeros_like(labels), 10.0).sum() == 0
