import numpy as np
import pytest

from qct.findings import BranchSize
from qct.measure.bronchi import MOST_ERROR_PERCENT, Cuts, branch_size, pi10, told

BLUR_MM = 0.7


def cuts(lumen_mm, wall_mm):
    lumen, wall = np.array(lumen_mm, float), np.array(wall_mm, float)
    return Cuts(np.zeros(lumen.size, np.int64), np.zeros((lumen.size, 3)), lumen, wall, lumen, wall)


def test_places_beside_a_division_do_not_widen_a_branch():
    even = branch_size(cuts([4.0] * 8, [0.8] * 8), BLUR_MM)
    spoilt = branch_size(cuts([4.0] * 5 + [4.8, 5.2, 6.0], [0.8] * 8), BLUR_MM)
    assert spoilt.lumen_mm == even.lumen_mm == 4.0
    assert even.wall_area_percent == pytest.approx(100 * (1 - (4 / 5.6) ** 2))
    assert spoilt.lumen_error_percent > even.lumen_error_percent


def test_the_error_falls_with_places_and_with_the_lumen_and_grows_with_blur():
    def error(lumen, n, blur_mm=BLUR_MM):
        scatter = 1 + 0.1 * np.linspace(-1, 1, n)
        return branch_size(cuts(lumen * scatter, [0.8] * n), blur_mm).lumen_error_percent

    assert error(4, 9) < error(4, 3)
    assert error(8, 5) < error(3, 5)
    assert error(4, 5, 0.4) < error(4, 5)


def test_the_scatter_of_repeats_is_within_the_error():
    rng = np.random.default_rng(3)
    sizes = [branch_size(cuts(rng.normal(4, 0.2, 9), [0.8] * 9), 0.0) for _ in range(400)]
    areas = np.array([np.pi / 4 * one.lumen_mm**2 for one in sizes])
    said = np.mean([one.lumen_error_percent for one in sizes])
    assert said == pytest.approx(100 * areas.std() / areas.mean(), rel=0.15)


def test_a_size_of_few_places_or_large_error_is_withheld_and_its_error_is_not():
    small = branch_size(cuts([1.6] * 5, [0.8] * 5), BLUR_MM)
    assert small.lumen_error_percent > MOST_ERROR_PERCENT
    sure = told(small)
    assert (sure.lumen_mm, sure.wall_mm, sure.wall_area_percent) == (None, 0.8, None)
    assert sure.lumen_error_percent == small.lumen_error_percent
    few = branch_size(cuts([5.0, 5.0], [1.0, 1.0]), BLUR_MM)
    assert few.lumen_mm == 5.0
    assert told(few) == BranchSize(
        lumen_error_percent=few.lumen_error_percent,
        wall_error_percent=few.wall_error_percent,
        n_places=2,
        n_walls=2,
    )
    plain = branch_size(cuts([5.0] * 4, [1.0] * 4), BLUR_MM)
    assert told(plain) == plain


def test_a_lumen_without_walls_stands_alone():
    size = branch_size(cuts([5.0] * 4, [np.nan] * 3 + [1.0]), BLUR_MM)
    assert (size.lumen_mm, size.wall_mm, size.n_walls) == (5.0, None, 0)
    assert told(size) == size
    assert branch_size(cuts([5.0, np.nan], [1.0, np.nan]), BLUR_MM) == BranchSize()


def test_an_airway_of_many_places_counts_for_more_in_pi10():
    line = [
        BranchSize(lumen_mm=lumen, wall_mm=0.5 + 0.1 * lumen, n_walls=9)
        for lumen in (2.2, 3.0, 4.0, 5.0, 6.0)
    ]
    alone = pi10(line)["pi10_mm"]
    off = [
        pi10([*line, BranchSize(lumen_mm=3.2, wall_mm=2.0, n_walls=n)])["pi10_mm"] - alone
        for n in (2, 9)
    ]
    assert 0 < 2 * off[0] < off[1]
