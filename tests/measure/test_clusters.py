import numpy as np
import pytest
from scipy import ndimage

from qct.measure.clusters import Clusters, cluster_voxels, laa_clusters
from qct.regions import DENSE, Label
from qct.volume import PADDING_HU, Volume


def rods(exponent, n=180, shortest=5):
    """Rods of low attenuation in a lung: n of them, n/2 at least 2^(1/D) times the shortest, and so on.

    Voxels are 1 mm3, so a rod of k voxels is a cluster of k mm3, and the number of rods at least as long
    as the i-th longest is i by construction.
    """
    lengths = np.round(shortest * (n / np.arange(1, n + 1)) ** (1 / exponent)).astype(int)
    hu = np.full((2 * lengths.size + 1, 3, 1002), -860, np.int16)
    for i, length in enumerate(lengths):
        hu[2 * i + 1, 1, 1 : 1 + length] = -970
    volume = Volume.from_spacing(hu, (1.0, 1.0, 1.0))
    return volume, np.full(hu.shape, Label.RIGHT_UPPER_LOBE, np.uint8), lengths


@pytest.mark.parametrize("exponent", [1.0, 1.3, 1.8])
def test_the_exponent_is_the_one_that_was_put_in(exponent):
    volume, labels, lengths = rods(exponent)
    found = laa_clusters(volume, labels)
    assert found.n == found.n_fitted == lengths.size
    assert found.exponent == pytest.approx(exponent, rel=0.08)
    assert found.r_squared > 0.98


def test_clusters_are_those_of_scipy():
    low = np.random.default_rng(4).random((20, 22, 24)) < 0.06
    numbered, n = ndimage.label(low, np.ones((3, 3, 3)))
    want = np.sort(np.bincount(numbered.ravel())[1:])[::-1]
    assert n == want.size
    np.testing.assert_array_equal(cluster_voxels(low), want)


def test_size_classes_share_the_whole_low_volume():
    hu = np.full((40, 40, 40), -860, np.int16)
    hu[5, 5, 5] = -970  # 1 mm3: 1.2 mm across
    hu[10:13, 10:13, 10:13] = -970  # 27 mm3: 3.7 mm
    hu[20:36, 20:36, 20:36] = -970  # 4096 mm3: 19.8 mm
    volume = Volume.from_spacing(hu, (1.0, 1.0, 1.0))
    found = laa_clusters(volume, np.full(hu.shape, Label.LEFT_UPPER_LOBE, np.uint8))
    assert found.share_percent == pytest.approx([100 * k / 4124 for k in (1, 27, 0, 4096)])
    assert (found.n, found.exponent) == (3, None)


def test_airways_airless_lung_and_padding_are_no_clusters():
    hu = np.full((3, 4, 4), -970, np.int16)
    labels = np.zeros(hu.shape, np.uint8)
    labels[0], labels[1], labels[2] = Label.AIRWAY, Label.LEFT_LUNG + DENSE, Label.LEFT_LUNG
    hu[2] = PADDING_HU
    found = laa_clusters(Volume.from_spacing(hu, (1.0, 1.0, 1.0)), labels)
    assert found == Clusters(0, None, None, found.fit_mm3, 0, 0.0, (0.0, 0.0, 0.0, 0.0))


def test_labels_on_another_grid_are_refused():
    volume, labels, _ = rods(1.0, n=4)
    with pytest.raises(ValueError, match="not on the grid"):
        laa_clusters(volume, labels[1:])
