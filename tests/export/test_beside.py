"""What is said of a number over time, wherever a result goes."""

from dataclasses import replace

import pytest
from tests.export.analysis_builder import CHANGES
from tests.report.sample import make_analysis

from qct.export.beside import Beside, change_words
from qct.findings import Measured
from qct.flags import Status
from qct.quantities import QUANTITIES

ROW = QUANTITIES["volume_ml"]
VOLUME = Measured("whole_lung", "volume_ml", 5131.0)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "Since 2018-01-03: +131 mL, changed (test2020; to be confirmed)."),
        ({"difference": -9.0, "confirmed": True}, "Since 2018-01-03: -9 mL, changed (test2020)."),
        (
            {"difference": None, "why": "slices of 1 and 5 mm"},
            "Not comparable with 2018-01-03: slices of 1 and 5 mm.",
        ),
    ],
)
def test_a_difference_is_told_with_its_verdict_or_why_there_is_none(changed, said):
    assert change_words(replace(CHANGES[0], **changed), ROW) == said


def test_only_differences_of_known_repeatability_are_told_and_none_of_a_withheld_number():
    (change,) = CHANGES
    known = Beside(make_analysis(changes=(change,)))
    assert change_words(change, ROW) in known.sentences(VOLUME)
    open_ = Beside(make_analysis(changes=(replace(change, least_change=None),)))
    assert change_words(change, ROW) not in open_.sentences(VOLUME)
    assert known.sentences(replace(VOLUME, status=Status.WITHHELD)) == []
