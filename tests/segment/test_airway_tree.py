from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests.segment.drawn_airways import BRANCHES, TUBES, drawn_bronchi

from qct.kernels.draw import draw_capsules
from qct.regions import BRONCHI, Label
from qct.segment.airway_names import Sketch, bronchi_in_lobes, lobes_that_disagree, name_branches
from qct.segment.airway_tree import follow_airways, smoothed
from qct.segment.lungs import find_lungs
from qct.volume import Volume


@pytest.fixture(scope="module")
def drawn():
    return drawn_bronchi()


@pytest.fixture(scope="module")
def followed(drawn):
    return follow_airways(*drawn)


def off_the_axes_mm(points):
    """Distance of LPS points from the nearest drawn axis."""
    nearest = np.full(len(points), np.inf)
    for start, end, _ in TUBES:
        a, b = np.array(start[::-1], float), np.array(end[::-1], float)
        share = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(points - a - share[:, None] * (b - a), axis=1))
    return nearest


def test_every_drawn_branch_is_followed_and_none_besides(followed):
    assert len(followed[0].branches) == BRANCHES
    assert sorted(one.generation for one in followed[0].branches) == [0] + 2 * [1] + 4 * [2] + 8 * [
        3
    ]


def test_parents_come_before_their_children_and_lines_begin_where_the_parent_ends(followed):
    branches = followed[0].branches
    for number, branch in enumerate(branches[1:], 1):
        parent = branches[branch.parent]
        assert branch.parent < number
        assert branch.generation == parent.generation + 1
        np.testing.assert_allclose(branch.line_mm[0], parent.line_mm[-1])


def test_centre_lines_keep_to_the_middle(followed):
    off = off_the_axes_mm(np.concatenate([one.line_mm for one in followed[0].branches]))
    assert np.median(off) < 0.5
    assert off.max() < 4


def test_bronchi_are_named_by_where_they_lead(followed):
    names = {one.name for one in followed[0].branches} - {""}
    assert names == set(BRONCHI)
    for one in followed[0].branches:
        right = one.line_mm[-1, 0] < 75
        assert one.lobe.startswith(("", "right")) if right else one.lobe.startswith(("", "left"))


def test_lumen_and_wall_are_taken_out_of_the_lungs(drawn, followed):
    volume, labels = drawn
    _, marked = followed
    taken = (marked == Label.AIRWAY) & (labels != Label.AIRWAY)
    lung = (marked == Label.RIGHT_LUNG) | (marked == Label.LEFT_LUNG)
    assert np.count_nonzero(lung & (volume.hu < -960)) < 0.01 * np.count_nonzero(taken)
    drawn_ml = sum(
        np.pi
        * (r + {8.0: 1.5, 6.0: 1.2, 4.0: 1.0, 2.2: 0.8}[r]) ** 2
        * np.linalg.norm(np.subtract(a, b))
        for a, b, r in TUBES[1:]
    )
    assert np.count_nonzero(taken) == pytest.approx(drawn_ml, rel=0.2)


def test_a_bronchus_that_opens_into_a_bulla_does_not_pour_into_it():
    tree, marked = follow_airways(*drawn_bronchi(hole=True))
    z, y, x = np.indices(marked.shape)
    bulla = (z - 30) ** 2 + (y - 14) ** 2 + (x - 60) ** 2 < 10**2
    assert np.count_nonzero(marked[bulla] == Label.AIRWAY) < 0.1 * np.count_nonzero(bulla)
    assert BRANCHES <= len(tree.branches) <= BRANCHES + 3


def test_dark_lung_is_no_airway():
    tree, _ = follow_airways(*drawn_bronchi(lung_hu=-960.0))
    assert len(tree.branches) <= BRANCHES


def test_a_wide_trachea_on_fine_pixels_is_followed_into_both_main_bronchi():
    spacing = (1.0, 0.742, 0.742)
    hu = np.full((110, 60, 150), 20, np.float32)
    ends = [((108, 22, 55), 9.3), ((34, 22, 87), 8.3), ((32, 22, 20), 8.3)]
    carina = (48, 22, 55)
    tubes = np.array([[*carina, *end, radius, radius] for end, radius in ends])
    draw_capsules(hu, tubes, -985.0, np.array(spacing), 0.8)
    labels = np.zeros(hu.shape, np.uint8)
    labels[20:90, :, :10], labels[20:90, :, -10:] = Label.RIGHT_LUNG, Label.LEFT_LUNG
    labels[60:][hu[60:] < -900] = Label.AIRWAY
    axes = np.array([[0, 0, 1], [0, 0.742, 0], [0.742, 0, 0]])
    volume = Volume(np.rint(gaussian_filter(hu, 1)).astype(np.int16), axes, np.zeros(3))
    tree, _ = follow_airways(volume, labels)
    assert [branch.generation for branch in tree.branches] == [0, 1, 1]
    for end, _ in ends[1:]:
        away = [np.linalg.norm(one.line_mm[-1] - end[::-1]) for one in tree.branches]
        assert min(away) < 10


def test_without_a_trachea_there_is_no_tree(drawn):
    volume, labels = drawn
    assert follow_airways(volume, np.where(labels == Label.AIRWAY, 0, labels)) is None
    assert follow_airways(volume, np.zeros_like(labels)) is None


def test_smoothing_keeps_the_ends_of_a_line():
    line = np.random.default_rng(0).normal(size=(6, 4))
    np.testing.assert_array_equal(smoothed(line)[[0, -1]], line[[0, -1]])


def sketch(parent, *points):
    return Sketch(parent, np.array([[*point, 2.0] for point in points], float))


def test_two_branches_forward_are_the_middle_lobe_and_no_lower_lobe_is_invented():
    tree = [
        sketch(-1, (100, 0, 0), (50, 0, 0)),
        sketch(0, (50, 0, 0), (45, 0, -20)),
        sketch(0, (50, 0, 0), (45, 0, 20)),
        sketch(1, (45, 0, -20), (50, 0, -40)),
        sketch(1, (45, 0, -20), (20, 0, -25)),
        sketch(4, (20, 0, -25), (10, -20, -30)),
        sketch(4, (20, 0, -25), (5, -20, -20)),
    ]
    lobes = {lobe for _, lobe in name_branches(tree)} - {""}
    assert lobes == {"right_upper_lobe", "right_middle_lobe"}


def test_bronchi_in_another_lobe_than_their_name_are_noticed(drawn, followed):
    volume, _ = drawn
    tree, marked = followed
    z, y, _ = np.indices(marked.shape)
    right, left = marked == Label.RIGHT_LUNG, marked == Label.LEFT_LUNG
    lobes = marked.copy()
    lobes[left] = np.where(z[left] > 58, Label.LEFT_UPPER_LOBE, Label.LEFT_LOWER_LOBE)
    below = np.where(y[right] < 40, Label.RIGHT_MIDDLE_LOBE, Label.RIGHT_LOWER_LOBE)
    lobes[right] = np.where(z[right] > 62, Label.RIGHT_UPPER_LOBE, below)
    shares = bronchi_in_lobes(tree, lobes, volume)
    assert len(shares) == 5
    assert lobes_that_disagree(shares) == []
    swapped = lobes.copy()
    swapped[lobes == Label.LEFT_UPPER_LOBE] = Label.LEFT_LOWER_LOBE
    swapped[lobes == Label.LEFT_LOWER_LOBE] = Label.LEFT_UPPER_LOBE
    doubted = lobes_that_disagree(bronchi_in_lobes(tree, swapped, volume))
    assert doubted == ["left_upper_lobe", "left_lower_lobe"]


@pytest.mark.real_data
@pytest.mark.slow
def test_on_a_real_thin_slice_scan_the_tree_reaches_segments_of_every_lobe_with_air(real_data):
    from qct.read import read_scan

    scan = read_scan(real_data / "ct" / "ricord1a")
    lungs = find_lungs(scan.volume).labels
    tree, marked = follow_airways(scan.volume, lungs)
    lobes = [one.lobe for one in tree.branches]
    assert 60 < len(tree.branches) < 250
    for lobe in ("right_upper_lobe", "right_middle_lobe", "left_upper_lobe", "left_lower_lobe"):
        assert lobes.count(lobe) >= 5, lobe
    airway_ml = np.count_nonzero(marked == Label.AIRWAY) * scan.volume.voxel_ml
    assert 60 < airway_ml < 180
    again, _ = follow_airways(scan.volume, lungs)
    assert [replace(one, line_mm=0, radius_mm=0) for one in again.branches] == [
        replace(one, line_mm=0, radius_mm=0) for one in tree.branches
    ]
