from types import SimpleNamespace

import numpy as np
import pytest

from qct.findings import AirwayBranch, AirwayTree, BranchSize
from qct.phantom.trees import Tree, wall_mm
from qct.phantom.truth import airway_at
from qct.validate.run import _airway_truth

DRAWN = Tree(
    np.array(
        [
            [100, 0, 0, 50, 0, 0, 9, 9],  # z, y, x of either end, then radii
            [50, 0, 0, 0, 0, 0, 4, 3],
            [50, 0, 0, 50, 0, 60, 2, 2],
        ],
        np.float64,
    ),
    np.zeros(3, np.uint8),
    np.zeros(3, np.uint8),
    np.array([-1, 0, 0]),
)


def branch(parent, end, *, name="", lobe=""):
    ends = np.array([[0.0, 0, 50], end])
    line = np.linspace(*ends, 11)
    return AirwayBranch(
        parent=parent, generation=0, name=name, lobe=lobe, line_mm=line, radius_mm=np.ones(11)
    )


def test_what_was_drawn_is_that_of_the_widest_bronchus_around_a_point():
    lumen, wall = airway_at(DRAWN, 1.5, np.array([0.2, 0.0, 25.0]))
    assert lumen == pytest.approx(7.0)
    assert wall == pytest.approx(1.5 * wall_mm(3.0))


def test_only_the_segmental_bronchi_that_were_measured_are_compared():
    lobar = branch(0, [0, 0, 60], name="left_lower_lobe", lobe="left_lower_lobe")
    measured = branch(1, [0, 0, 0], lobe="left_lower_lobe")
    passed_over = branch(1, [60, 0, 50], lobe="left_lower_lobe")
    tree = AirwayTree(branches=(branch(-1, [0, 0, 100]), lobar, measured, passed_over))
    assert tree.segmental == (2, 3)
    found = BranchSize(lumen_mm=7.2, wall_mm=1.0, wall_area_percent=38.8)
    sizes = (BranchSize(), BranchSize(), found, BranchSize(wall_mm=1.0))
    chest = SimpleNamespace(
        trees=SimpleNamespace(airways=DRAWN),
        spec=SimpleNamespace(wall=1.0),
        truth={"airways": {"pi10_mm": 3.0}},
    )
    analysis = SimpleNamespace(segmentation=SimpleNamespace(airways=tree), airways=sizes)
    assert _airway_truth("segmental_lumen_mm", chest, analysis) == {"model": pytest.approx(7.0)}
    assert _airway_truth("pi10_mm", chest, analysis) == {"model": 3.0}
    assert _airway_truth("mean_hu", chest, analysis) == {}
