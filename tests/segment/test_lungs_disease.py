"""Lungs of a phantom with lesions painted into them: what is lung, what is airless, what stays outside."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from qct.flags import Flag
from qct.phantom import ChestSpec, make_chest, preset
from qct.regions import DENSE, Label
from qct.segment.lungs import find_lungs

RIGHT = (Label.RIGHT_UPPER_LOBE, Label.RIGHT_MIDDLE_LOBE, Label.RIGHT_LOWER_LOBE, Label.RIGHT_LUNG)
LEFT = (Label.LEFT_UPPER_LOBE, Label.LEFT_LOWER_LOBE, Label.LEFT_LUNG)
RIGHT_LABELS = (Label.RIGHT_LUNG, Label.RIGHT_LUNG + DENSE)
TISSUE_HU, FLUID_HU = 40, 4


@cache
def chest():
    return make_chest(ChestSpec(model_mm=2.0, size=192, slice_mm=2.5))


@cache
def true_lung(side):
    return np.isin(chest().labels % DENSE, side)


def painted(where, hu):
    """Return the scan with `hu` and some noise where lung was."""
    volume = chest().volume
    noise = np.random.default_rng(3).normal(0, 12, volume.shape)
    return replace(volume, hu=np.where(where, hu + noise, volume.hu).astype(np.int16))


def ball(centre, radius_mm):
    grids = np.ogrid[tuple(slice(0, n) for n in chest().volume.shape)]
    spacing = chest().volume.spacing_mm
    parts = zip(grids, centre, spacing, strict=True)
    return sum(((g - c) * s) ** 2 for g, c, s in parts) <= radius_mm**2


def middle_of(side):
    return np.array(ndimage.center_of_mass(true_lung(side)))


def outermost(side, height, turn):
    """Return a voxel of the lung's surface at a share of its height: at the back (0), the side (1)."""
    lung = true_lung(side)
    rows = np.flatnonzero(lung.any(axis=(1, 2)))
    z = int(rows[0] + height * (rows[-1] - rows[0]))
    spots = np.argwhere(lung[z])
    y, x = spots[np.argmax(spots[:, 0] if turn == 0 else -spots[:, 1])]
    return np.array((z, y, x))


def volume_ml(labels, numbers):
    return np.isin(labels, numbers).sum() * chest().volume.voxel_ml


def share_found(labels, where, label):
    return ((labels == label) | (labels == label + DENSE))[where].mean()


def test_a_healthy_chest_has_no_airless_lung():
    lungs = find_lungs(chest().volume)
    assert not (lungs.labels > DENSE).any()
    assert not lungs.flags & {Flag.DENSE_LUNG, Flag.PLEURAL_FLUID, Flag.LUNG_BASE_HIGH}


def test_the_shoulders_of_a_small_chest_are_no_airless_lung():
    child = make_chest(preset("paediatric-size", model_mm=2.0, size=192, slice_mm=2.5))
    lungs = find_lungs(child.volume)
    assert not (lungs.labels > DENSE).any()
    assert Flag.DENSE_LUNG not in lungs.flags


@pytest.mark.slow
def test_at_one_millimetre_the_volume_is_true_to_one_percent():
    fine = make_chest(ChestSpec(model_mm=1.2, size=380, fov_mm=380, slice_mm=1.0))
    labels = find_lungs(fine.volume).labels
    for side, label in ((RIGHT, Label.RIGHT_LUNG), (LEFT, Label.LEFT_LUNG)):
        n_true = np.isin(fine.labels % DENSE, side).sum()
        assert (labels % DENSE == label).sum() == pytest.approx(n_true, rel=0.01)


def test_each_lung_is_one_part():
    labels = find_lungs(chest().volume).labels
    for label in (Label.RIGHT_LUNG, Label.LEFT_LUNG):
        _, n_parts = ndimage.label((labels == label) | (labels == label + DENSE))
        assert n_parts == 1


@pytest.mark.parametrize(("height", "turn"), [(0.3, 0), (0.5, 1)])
def test_consolidation_at_the_ribs_is_airless_lung(height, turn):
    lesion = ball(outermost(RIGHT, height, turn), 32.0) & true_lung(RIGHT)
    lungs = find_lungs(painted(lesion, TISSUE_HU))
    assert share_found(lungs.labels, lesion, Label.RIGHT_LUNG) > 0.85
    dense = lungs.labels == Label.RIGHT_LUNG + DENSE
    assert (dense & ndimage.binary_dilation(lesion, iterations=3)).sum() > 0.9 * dense.sum()
    assert Flag.DENSE_LUNG in lungs.flags


def test_a_mass_inside_the_lung_is_airless_lung():
    z, y, x = middle_of(LEFT)
    lesion = ball((z, y, x), 22.0) & true_lung(LEFT)
    labels = find_lungs(painted(lesion, TISSUE_HU)).labels
    assert (labels == Label.LEFT_LUNG + DENSE)[lesion].mean() > 0.85


def test_a_nodule_at_the_pleura_is_plain_lung():
    lesion = ball(outermost(RIGHT, 0.5, 1), 7.0) & true_lung(RIGHT)
    labels = find_lungs(painted(lesion, TISSUE_HU)).labels
    assert (labels == Label.RIGHT_LUNG)[lesion].mean() > 0.7


def test_a_layer_of_fluid_behind_the_lung_is_outside_and_said():
    lung = true_lung(LEFT)
    back = lung & (np.arange(lung.shape[1])[:, None] > np.argwhere(lung)[:, 1].max() - 20)
    lungs = find_lungs(painted(back, FLUID_HU))
    assert share_found(lungs.labels, back, Label.LEFT_LUNG) < 0.2
    assert Flag.PLEURAL_FLUID in lungs.flags


def test_a_bulla_is_lung_and_no_bowel_gas():
    z, y, x = outermost(LEFT, 0.25, 0)
    bulla = ball((z, y, x), 25.0) & true_lung(LEFT)
    lungs = find_lungs(painted(bulla, -995))
    assert share_found(lungs.labels, bulla, Label.LEFT_LUNG) > 0.95


def test_an_azygos_septum_does_not_part_the_right_lung():
    lung = true_lung(RIGHT)
    top = np.flatnonzero(lung.any(axis=(1, 2)))[-1]
    z, _, x = np.ogrid[tuple(slice(0, n) for n in lung.shape)]
    column = round(np.argwhere(lung[top - 12])[:, 1].mean())
    septum = lung & (x == column) & (z > top - 24)
    whole, parted = find_lungs(chest().volume).labels, find_lungs(painted(septum, -300)).labels
    assert volume_ml(parted, RIGHT_LABELS) == pytest.approx(
        volume_ml(whole, RIGHT_LABELS), rel=1e-3
    )
    _, n_parts = ndimage.label(np.isin(parted, RIGHT_LABELS))
    assert n_parts == 1


@pytest.mark.parametrize("hu", [FLUID_HU, TISSUE_HU])
def test_a_base_without_air_is_said(hu):
    lung = true_lung(LEFT)
    rows = np.flatnonzero(lung.any(axis=(1, 2)))
    base = lung & (np.arange(len(lung)) < rows[0] + 0.4 * len(rows))[:, None, None]
    lungs = find_lungs(painted(base, hu))
    assert Flag.LUNG_BASE_HIGH in lungs.flags
    assert share_found(lungs.labels, base, Label.LEFT_LUNG) < 0.1


def test_a_collapsed_lung_is_said():
    lung = true_lung(LEFT)
    rest = ball(middle_of(LEFT), 45.0)
    lungs = find_lungs(painted(lung & ~rest, FLUID_HU))
    assert lungs.flags & {Flag.LUNG_ASYMMETRY, Flag.SINGLE_LUNG}
    assert lungs.method["right_ml"] > 4 * lungs.method["left_ml"]
