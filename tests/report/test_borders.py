"""A border that was not seen is dashed: its line has gaps, that of any other border has none."""

from dataclasses import replace

import numpy as np
import pytest
from tests.report.sample import make_analysis, measured

from qct.findings import FissureFit
from qct.flags import Status
from qct.regions import Fissure, Label
from qct.report.borders import MEETING, Unseen, gaps, unseen

SIZE = (300, 240)


def lobes():
    """Return (48, 60): the right upper lobe above the middle lobe, and the lower lobe on the right of both."""
    labels = np.zeros((48, 60), np.uint8)
    labels[4:24, 6:34] = Label.RIGHT_UPPER_LOBE
    labels[24:44, 6:34] = Label.RIGHT_MIDDLE_LOBE
    labels[4:44, 34:54] = Label.RIGHT_LOWER_LOBE
    return labels


def runs(line):
    """Return how often a line changes between drawn and left out."""
    return int(np.count_nonzero(np.diff(line.astype(int))))


@pytest.mark.parametrize(
    ("fissure", "line"),
    [
        (Fissure.RIGHT_HORIZONTAL, (120, slice(40, 150))),
        (Fissure.RIGHT_OBLIQUE, (slice(30, 210), 170)),
    ],
)
def test_a_border_that_is_not_seen_has_gaps_and_the_other_has_none(fissure, line):
    mask = np.asarray(gaps(lobes(), SIZE, frozenset({fissure}))) > 0
    assert mask.shape == SIZE[::-1]
    assert runs(mask[line]) >= 6
    others = {
        Fissure.RIGHT_HORIZONTAL: (slice(30, 100), 170),
        Fissure.RIGHT_OBLIQUE: (120, slice(40, 140)),
    }
    assert not mask[others[fissure]].any()


def test_where_every_border_is_seen_nothing_is_left_out():
    assert gaps(lobes(), SIZE, frozenset()) is None
    assert gaps(lobes(), SIZE, frozenset({Fissure.LEFT_OBLIQUE})) is None


def test_only_a_population_average_counts_as_not_seen_and_only_a_withheld_lobe_as_unknown():
    supports = ("supported", "partly supported", "population average")
    fits = tuple(
        FissureFit(fissure=fissure, coverage=0.1, prior_distance=1.0, support=support)
        for fissure, support in zip(Fissure, supports, strict=True)
    )
    hidden = ("right_middle_lobe", "volume_ml")
    numbers = tuple(
        replace(one, status=Status.WITHHELD) if (one.region, one.quantity) == hidden else one
        for one in measured()
    )
    found = unseen(make_analysis(fissures=fits, measured=numbers))
    assert found == Unseen(frozenset({list(Fissure)[2]}), frozenset({"right_middle_lobe"}))
    assert set(MEETING) == set(Fissure)
