import re
from math import pi, sqrt
from pathlib import Path

import pytest

from qct.findings import Measured
from qct.flags import Status
from qct.interpret import uncertainties
from qct.interpret.uncertainty import least_change, table
from qct.quantities import QUANTITIES

DOCS = Path(__file__).parents[2] / "docs"


def test_every_row_is_about_a_quantity_and_has_a_source():
    entries = set(
        re.findall(r"^- \*\*(\w+)\*\*", (DOCS / "references.md").read_text(), re.MULTILINE)
    )
    for row in table():
        assert row.quantity in QUANTITIES.keys() | {"perc15_adjusted_g_l"}
        assert row.source in entries
        assert row.amount > 0


@pytest.mark.parametrize(
    ("quantity", "difference"),
    [("volume_ml", 169), ("mean_hu", 5.0), ("laa950_percent", 0.66), ("perc15_hu", 2.4)],
)
def test_mean_absolute_differences_become_least_changes_by_the_rule_of_the_table(
    quantity, difference
):
    (row,) = [r for r in table() if r.source == "chong2011" and r.quantity == quantity]
    assert row.amount == pytest.approx(1.96 * sqrt(pi / 2) * difference, rel=0.005)


def test_what_is_from_memory_says_so():
    assert least_change("whole_lung", "laa950_percent").amount == 3.7
    assert not least_change("whole_lung", "laa950_percent").confirmed


def test_only_numbers_that_are_shown_have_an_uncertainty():
    measured = (
        Measured("whole_lung", "laa950_percent", 5.0),
        Measured("whole_lung", "perc15_hu", None, Status.WITHHELD),
        Measured("left_lung", "mean_hu", -850.0),
    )
    assert {one.quantity for one in uncertainties(measured)} == {"laa950_percent"}


def test_the_error_of_a_border_stands_with_the_volume_it_moves():
    measured = (
        Measured("left_upper_lobe", "volume_ml", 1200.0),
        Measured("right_middle_lobe", "volume_ml", None, Status.WITHHELD),
    )
    errors_ml = {"left_upper_lobe": 54.0, "right_middle_lobe": 80.0}
    (row,) = uncertainties(measured, border_errors_ml=errors_ml)
    assert (row.region, row.kind, row.amount) == ("left_upper_lobe", "border error", 54.0)


def test_nothing_is_said_of_a_lobe():
    assert least_change("left_upper_lobe", "laa950_percent") is None
