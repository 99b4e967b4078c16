"""What is known to have changed between two dates is what `qct compare` reports."""

import pytest

from qct.phantom import make_chest, preset, write_series
from qct.pipeline import compare

COARSE = {"model_mm": 2.0, "size": 192, "slice_mm": 1.5, "hole_mm": 3.0, "cluster_d": 0.7}


@pytest.fixture(scope="module")
def dated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("progression")
    chests = []
    for date, laa in ((1, 8.0), (2, 14.0)):
        chest = make_chest(preset("mild", seed=4, laa=laa, date=date, **COARSE))
        write_series(chest, folder / f"date{date}")
        chests.append(chest)
    changes = compare([folder / "date1", folder / "date2"]).changes
    return chests, {(one.region, one.quantity): one for one in changes}


def known(chests, quantity, region="whole_lung"):
    before, after = (one.truth["sampled"]["regions"][region][quantity]["value"] for one in chests)
    return after - before


def test_the_progression_of_emphysema_is_measured_as_it_is_known(dated):
    chests, changes = dated
    measured = changes["whole_lung", "laa950_percent"]
    assert known(chests, "laa950_percent") > 2
    assert measured.difference == pytest.approx(known(chests, "laa950_percent"), abs=0.3)


def test_what_did_not_change_is_not_called_a_change(dated):
    chests, changes = dated
    volume = changes["whole_lung", "volume_ml"]
    assert known(chests, "volume_ml") == pytest.approx(0, abs=2)
    assert abs(volume.difference) < 15
