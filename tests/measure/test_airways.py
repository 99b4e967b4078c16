import numpy as np
import pytest
from tests.segment.drawn_airways import TUBES, WALLS, drawn_bronchi

from qct.findings import BranchSize
from qct.flags import Status
from qct.measure import measure_airways
from qct.measure.airways import MOST_OVAL, _bridged, _oval
from qct.measure.bronchi import pi10
from qct.quantities import AIRWAY_KEYS
from qct.segment.airway_tree import follow_airways


@pytest.fixture(scope="module")
def sized():
    volume, labels = drawn_bronchi()
    tree, _ = follow_airways(volume, labels)
    return tree, measure_airways(volume, tree, slice_mm=1.0)


def pairs(sized):
    """(measured, drawn lumen, drawn wall) of every branch, matched by where it ends."""
    tree, found = sized
    for branch, size in zip(tree.branches, found.branches, strict=True):
        ends = [np.linalg.norm(branch.line_mm[-1] - np.array(end[::-1])) for _, end, _ in TUBES]
        radius = TUBES[int(np.argmin(ends))][2]
        yield size, 2 * radius, WALLS[radius]


def test_lumens_of_3_mm_and_more_are_within_10_percent(sized):
    measured = [(size.lumen_mm, lumen) for size, lumen, _ in pairs(sized) if size.lumen_mm]
    assert len(measured) >= 12
    for found, drawn in measured:
        assert found == pytest.approx(drawn, rel=0.1)


def test_wall_area_is_within_10_percent_where_half_maximum_is_far_off(sized):
    area = {"model": [], "half maximum": []}
    for size, lumen, wall in pairs(sized):
        if size.wall_mm is None:
            continue
        drawn = wall * (lumen + wall)
        area["model"].append(size.wall_mm * (size.lumen_mm + size.wall_mm) / drawn)
        fwhm = size.wall_fwhm_mm * (size.lumen_fwhm_mm + size.wall_fwhm_mm)
        area["half maximum"].append(fwhm / drawn)
    assert len(area["model"]) >= 10
    assert np.median(area["model"]) == pytest.approx(1, abs=0.1)
    assert np.percentile(np.abs(np.array(area["model"]) - 1), 80) < 0.15
    assert np.median(area["half maximum"]) > 1.5


def test_an_artery_beside_a_bronchus_makes_its_lumen_no_wider(sized):
    volume, labels = drawn_bronchi(arteries=True)
    tree, _ = follow_airways(volume, labels)
    beside = tree, measure_airways(volume, tree, slice_mm=1.0)
    alone = [one.lumen_mm for one, lumen, _ in pairs(sized) if one.lumen_mm and lumen < 5]
    found = [one.lumen_mm for one, lumen, _ in pairs(beside) if one.lumen_mm and lumen < 5]
    assert len(found) >= 6
    assert np.median(found) == pytest.approx(np.median(alone), rel=0.015)


def test_a_contour_is_bridged_over_the_rays_that_are_not_trusted():
    turn = 2 * np.pi * np.arange(16) / 16
    contour = 2.0 + 0.2 * np.cos(turn)[None]
    trusted = np.ones((1, 16), bool)
    trusted[0, [15, 0, 1]] = False
    spoilt = np.where(trusted, contour, 9.0)
    np.testing.assert_allclose(_bridged(spoilt, trusted), contour, atol=0.06)
    assert np.isnan(_bridged(spoilt, np.zeros((1, 16), bool))).all()


@pytest.mark.parametrize(("askew_degrees", "measured"), [(0, True), (20, True), (45, False)])
def test_a_tube_that_is_cut_askew_is_not_measured(askew_degrees, measured):
    turn = 2 * np.pi * np.arange(16) / 16
    along = np.cos(turn) * np.cos(np.deg2rad(askew_degrees))
    contour = 2.0 / np.hypot(along, np.sin(turn))
    assert (_oval(contour[None])[0] <= MOST_OVAL) == measured


def test_the_blur_is_read_off_the_trachea(sized):
    # 0.6 mm, the voxels that were averaged (1 mm / sqrt 12), and reading between them (1 mm / sqrt 6)
    assert sized[1].blur_mm == pytest.approx(np.sqrt(0.6**2 + 1 / 12 + 1 / 6), abs=0.08)


def test_the_tree_is_described(sized):
    values = {one.quantity: one.value for one in sized[1].measured}
    assert tuple(values) == AIRWAY_KEYS
    assert values["airway_branches"] == 15
    assert values["airway_generations"] == 3
    drawn_ml = sum(np.pi * r**2 * np.linalg.norm(np.subtract(a, b)) for a, b, r in TUBES) / 1000
    assert values["airway_lumen_ml"] == pytest.approx(drawn_ml, rel=0.15)
    assert values["segmental_lumen_mm"] == pytest.approx(4.4, rel=0.1)
    assert values["segmental_wall_mm"] == pytest.approx(0.8, rel=0.15)


def test_without_a_tree_nothing_is_measured():
    volume, _ = drawn_bronchi()
    found = measure_airways(volume, None)
    assert found.branches == ()
    assert {one.status for one in found.measured} == {Status.NOT_MEASURED}


def size(perimeter_mm, root_mm):
    """Return a branch with an inner perimeter and a square root of its wall area."""
    lumen = perimeter_mm / np.pi
    wall = (-lumen + np.sqrt(lumen**2 + 4 * root_mm**2 / np.pi)) / 2
    return BranchSize(lumen_mm=lumen, wall_mm=wall)


def test_pi10_is_read_off_the_line_at_a_perimeter_of_10_mm():
    sizes = [size(p, 1.0 + 0.25 * p) for p in (6.5, 8, 9, 12, 15, 19)]
    found = pi10([*sizes, size(25, 1.0), size(4, 9.0), BranchSize()])
    assert found["pi10_mm"] == pytest.approx(3.5)
    assert found["pi10_airways"] == 6
    assert found["pi10_r_squared"] == pytest.approx(1)


@pytest.mark.parametrize("sizes", [[], [size(8, 3.0)] * 2, [size(8, 3.0)] * 5])
def test_pi10_is_not_measured_without_a_line(sizes):
    found = pi10(sizes)
    assert (found["pi10_mm"], found["pi10_airways"]) == (None, len(sizes))
