"""Sheets with gaps are drawn between two blocks of lung: what share of them is there is known."""

import numpy as np
import pytest

from qct.regions import Fissure, Label
from qct.segment.completeness import Completeness
from qct.segment.drawn_borders import completeness
from qct.volume import Volume


def left_lung(shown, noise_hu=20.0, seed=3):
    """Two lobes of 60 x 100 x 100 mm, one above the other; their border shows a sheet where `shown` is 1."""
    shape = (130, 110, 110)
    labels = np.zeros(shape, np.uint8)
    labels[5:65, 5:105, 5:105] = Label.LEFT_LOWER_LOBE
    labels[65:125, 5:105, 5:105] = Label.LEFT_UPPER_LOBE
    hu = np.where(labels > 0, -860.0, 40.0)
    sheet = np.exp(-0.5 * ((np.arange(130) - 64.5) / 0.7) ** 2)[:, None, None]
    hu[:, 5:105, 5:105] += 200 * sheet * shown
    hu += np.random.default_rng(seed).normal(0, noise_hu, shape)
    return Volume.from_spacing(np.rint(hu).astype(np.int16), (1.0, 1.0, 1.0)), labels


@pytest.mark.parametrize("percent", [0, 40, 70, 100])
def test_the_share_of_a_border_that_shows_a_sheet_is_measured(percent):
    shown = np.zeros((100, 100))
    shown[:, :percent] = 1
    found = completeness(*left_lung(shown))[Fissure.LEFT_OBLIQUE]
    assert found.percent == pytest.approx(percent, abs=10)
    assert found.usable > 0.8


def test_thick_slices_say_nothing_about_completeness():
    volume, labels = left_lung(np.ones((100, 100)))
    thick = Volume.from_spacing(volume.hu[::5].copy(), (5.0, 1.0, 1.0))
    assert completeness(thick, labels[::5].copy()) == {}


def test_lobes_that_do_not_touch_have_no_completeness():
    volume, labels = left_lung(np.ones((100, 100)))
    labels[60:70] = 0
    assert completeness(volume, labels) == {}


def test_the_bands_are_those_of_valve_planning():
    bands = [Completeness(percent, 1.0).band for percent in (96, 85, 60)]
    assert bands == ["complete", "nearly complete", "incomplete"]
