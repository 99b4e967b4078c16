"""The lungs are drawn (see `drawn_lungs`), so the right division is known."""

from dataclasses import replace

import cc3d
import numba
import numpy as np
import pytest
from tests.segment import drawn_lungs

from qct.flags import Flag
from qct.regions import DENSE, Fissure, Label, Side
from qct.segment.lobes import LOBE_KEYS, divide_lobes
from qct.segment.prior import geometric_prior
from qct.segment.trust import POPULATION_AVERAGE, SUPPORTED
from qct.volume import Volume

LOBES = range(1, 6)


@pytest.fixture(scope="module")
def drawn():
    return drawn_lungs.draw()


@pytest.fixture(scope="module")
def divided(drawn):
    return divide_lobes(drawn.volume, drawn.lungs, prior=geometric_prior())


def dice(a, b, number):
    return (
        2
        * np.count_nonzero((a == number) & (b == number))
        / (np.count_nonzero(a == number) + np.count_nonzero(b == number))
    )


def test_visible_fissures_are_followed(drawn, divided):
    assert all(dice(divided.labels, drawn.lobes, lobe) > 0.96 for lobe in LOBES)


def test_visible_fissures_are_called_supported(divided):
    assert {fit.fissure: fit.support for fit in divided.fissures} == dict.fromkeys(
        Fissure, SUPPORTED
    )
    assert all(fit.completeness_percent > 60 for fit in divided.fissures)


def test_the_volume_error_of_a_lobe_is_that_of_its_borders(divided):
    of = {fit.fissure: fit.volume_error_ml for fit in divided.fissures}
    errors_ml = divided.volume_errors_ml
    assert errors_ml["left_upper_lobe"] == errors_ml["left_lower_lobe"] == of["left_oblique"]
    assert errors_ml["right_lower_lobe"] == of["right_oblique"]
    assert errors_ml["right_upper_and_middle"] == of["right_oblique"]
    for lobe in ("right_upper_lobe", "right_middle_lobe"):
        largest = np.hypot(of["right_oblique"], of["right_horizontal"])
        assert of["right_horizontal"] <= errors_ml[lobe] <= largest + 0.1


def test_fissures_that_are_not_there_are_called_a_population_average():
    unseen = drawn_lungs.draw(visible=False)
    lobes = divide_lobes(unseen.volume, unseen.lungs, prior=geometric_prior())
    assert {fit.support for fit in lobes.fissures} == {POPULATION_AVERAGE}
    assert {fit.completeness_percent for fit in lobes.fissures} == {None}
    for key in LOBE_KEYS.values():
        assert Flag.FISSURE_NOT_SEEN in lobes.region_flags[key]


def test_every_voxel_of_lung_gets_a_lobe_of_its_side_and_nothing_else_changes(drawn, divided):
    right, left = drawn.lungs == Label.RIGHT_LUNG, drawn.lungs == Label.LEFT_LUNG
    assert set(np.unique(divided.labels[right])) == {3, 4, 5}
    assert set(np.unique(divided.labels[left])) == {1, 2}
    assert not divided.labels[drawn.lungs == 0].any()


def test_no_lobe_has_an_island(divided):
    for lobe in LOBES:
        _, n = cc3d.connected_components(divided.labels == lobe, connectivity=6, return_N=True)
        assert n == 1


def test_the_lobes_of_a_lung_touch(divided):
    pairs = cc3d.contacts(divided.labels.astype(np.uint32), connectivity=6)
    assert {(1, 2), (3, 4), (3, 5), (4, 5)} <= set(pairs)


def test_the_origin_of_the_scan_changes_nothing(drawn, divided):
    volume = replace(drawn.volume, origin_mm=np.array([13.0, -250.0, 1234.5]))
    moved = divide_lobes(volume, drawn.lungs, prior=geometric_prior())
    np.testing.assert_array_equal(moved.labels, divided.labels)


def test_cutting_away_what_is_not_lung_changes_nothing(drawn, divided):
    cut = np.s_[6:-4, 5:-3, 4:-2]
    volume = Volume.from_spacing(drawn.volume.hu[cut], (1.0, 1.0, 1.0))
    lobes = divide_lobes(volume, drawn.lungs[cut].copy(), prior=geometric_prior())
    np.testing.assert_array_equal(lobes.labels, divided.labels[cut])


def test_one_thread_gives_the_same_labels(drawn, divided):
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        lobes = divide_lobes(drawn.volume, drawn.lungs, prior=geometric_prior())
    finally:
        numba.set_num_threads(threads)
    np.testing.assert_array_equal(lobes.labels, divided.labels)
    assert lobes.fissures == divided.fissures


@pytest.mark.parametrize("side", list(Side))
def test_a_single_lung_is_divided_alone(side):
    one = drawn_lungs.draw(sides=(side,))
    lobes = divide_lobes(one.volume, one.lungs)
    present = {1, 2} if side is Side.LEFT else {3, 4, 5}
    assert set(np.unique(lobes.labels)) == {0} | present
    assert Flag.LOBES_UNDIVIDED not in lobes.flags


def test_a_tiny_lung_is_left_undivided_and_says_so(drawn):
    lungs = drawn.lungs.copy()
    lungs[:, :, 100:] = 0
    lungs[60:80, 50:70, 120:140] = Label.LEFT_LUNG
    lobes = divide_lobes(drawn.volume, lungs)
    assert Label.LEFT_LUNG in lobes.labels
    assert Flag.LOBES_UNDIVIDED in lobes.flags


def test_airless_lung_and_airways_keep_their_meaning(drawn):
    lungs = drawn.lungs.copy()
    lungs[60:66, 50:56, 40:46] += DENSE
    lungs[0:5, 60, 85] = Label.AIRWAY
    lobes = divide_lobes(drawn.volume, lungs, prior=geometric_prior())
    np.testing.assert_array_equal(lobes.labels >= DENSE, lungs >= DENSE)
    np.testing.assert_array_equal(lobes.labels == Label.AIRWAY, lungs == Label.AIRWAY)


def test_no_lung_gives_no_lobes_and_no_error(drawn):
    lobes = divide_lobes(drawn.volume, np.zeros_like(drawn.lungs))
    assert not lobes.labels.any()
    assert lobes.fissures == ()


def test_labels_of_another_grid_are_refused(drawn):
    with pytest.raises(ValueError, match="not on the grid"):
        divide_lobes(drawn.volume, drawn.lungs[1:])
