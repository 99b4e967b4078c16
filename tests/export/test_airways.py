"""airways.csv and the airways of analysis.json."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
from tests.report.sample import make_analysis

from qct.export.airways import COLUMNS, airway_records, airways_csv, airways_from
from qct.findings import AirwayBranch, AirwayTree, BranchSize, Measured
from qct.flags import Status

LINE = np.array([[0.0, 0, 0], [0, 0, -3], [0, 4, -3]])


def analysis(*hidden):
    branches = (
        AirwayBranch(
            parent=-1, generation=0, name="trachea", lobe="", line_mm=LINE, radius_mm=np.ones(3)
        ),
        AirwayBranch(
            parent=0,
            generation=1,
            name="",
            lobe="left_upper_lobe",
            line_mm=LINE,
            radius_mm=np.ones(3),
        ),
    )
    sizes = (
        BranchSize(),
        BranchSize(lumen_mm=4.0, wall_mm=1.0, wall_area_percent=55.6, n_places=3),
    )
    plain = make_analysis()
    return replace(
        plain,
        segmentation=replace(plain.segmentation, airways=AirwayTree(branches=branches)),
        airways=sizes,
        measured=tuple(Measured("airway", key, None, Status.WITHHELD) for key in hidden),
    )


def test_every_branch_has_a_row_and_what_was_not_measured_is_empty():
    first, second = csv.DictReader(io.StringIO(airways_csv(analysis())))
    assert tuple(first) == COLUMNS
    assert (first["name"], first["parent"], first["lumen_mm"]) == ("Trachea", "", "")
    assert (second["lobe"], second["length_mm"], second["wall_mm"]) == (
        "left_upper_lobe",
        "7.0",
        "1.0",
    )


def test_walls_that_the_scan_does_not_allow_are_in_no_table():
    second = airway_records(analysis("pi10_airways"))[1]
    assert (second["wall_mm"], second["wall_area_percent"], second["lumen_mm"]) == (None, None, 4.0)
    assert airway_records(analysis("segmental_lumen_mm"))[1]["lumen_mm"] is None


def test_without_a_tree_there_is_a_head_and_no_row():
    assert airway_records(make_analysis()) == []
    assert airways_csv(make_analysis()) == ",".join(COLUMNS) + "\n"


def test_branches_read_back_give_the_same_records():
    first = analysis()
    uneven = replace(first.segmentation.airways.branches[1], line_mm=LINE * 1.03 + 0.017)
    tree = AirwayTree(branches=(first.segmentation.airways.branches[0], uneven))
    first = replace(first, segmentation=replace(first.segmentation, airways=tree))
    records = json.loads(json.dumps(airway_records(first)))
    tree, sizes = airways_from(records)
    assert tree.branches[0].name == "trachea"
    assert tree.branches[0].parent == -1
    again = replace(first, segmentation=replace(first.segmentation, airways=tree), airways=sizes)
    assert airway_records(again) == records


def test_no_records_are_no_tree():
    assert airways_from([]) == (None, ())
