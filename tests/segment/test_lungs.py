from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from qct.errors import NoLungsError
from qct.flags import Flag
from qct.regions import DENSE, Label
from qct.segment.lungs import find_lungs
from qct.volume import PADDING_HU, Volume

SPACING = (2.0, 1.2, 1.2)
SHAPE = (120, 200, 280)
MIDDLE = (120.0, 120.0, 168.0)
RIGHT_AT, LEFT_AT = (120.0, 120.0, 98.0), (120.0, 120.0, 236.0)
RIGHT_RADII, LEFT_RADII = (90.0, 60.0, 48.0), (86.0, 58.0, 45.0)


@dataclass(frozen=True)
class Chest:
    """What to draw."""

    right: bool = True
    left: bool = True
    stomach: bool = False
    lung_hu: int = -850
    noise_hu: float = 25.0


def ellipsoid(centre, radii):
    grids = np.ogrid[tuple(slice(0, n) for n in SHAPE)]
    parts = ((g * s - c) / r for g, s, c, r in zip(grids, SPACING, centre, radii, strict=True))
    return sum(part**2 for part in parts) <= 1


def tube(y_mm, x_mm, radius_mm, from_mm):
    z, y, x = np.ogrid[tuple(slice(0, n) for n in SHAPE)]
    z, y, x = z * SPACING[0], y * SPACING[1], x * SPACING[2]
    return ((y - y_mm) ** 2 + (x - x_mm) ** 2 <= radius_mm**2) & (z >= from_mm)


@cache
def draw(chest: Chest = Chest()) -> Volume:
    hu = np.full(SHAPE, -1000, np.float32)
    hu[ellipsoid(MIDDLE, (1e4, 95.0, 150.0))] = 40
    hu[:, 188:190] = -300  # a hollow table
    hu[:, 196:198] = -300
    if chest.right:
        hu[ellipsoid(RIGHT_AT, RIGHT_RADII)] = chest.lung_hu
    if chest.left:
        hu[ellipsoid(LEFT_AT, LEFT_RADII)] = chest.lung_hu
    if chest.stomach:
        hu[ellipsoid((30.0, 80.0, 240.0), (22.0, 25.0, 40.0)) & (hu == 40)] = -1000
    hu[tube(120.0, 168.0, 9.0, 130.0)] = -990
    hu += np.random.default_rng(7).normal(0, chest.noise_hu, SHAPE)
    return Volume.from_spacing(np.clip(hu, -1024, 3071).astype(np.int16), SPACING)


def volume_ml(volume, labels, label):
    return np.isin(labels, (label, label + DENSE)).sum() * volume.voxel_ml


def ellipsoid_ml(radii):
    return 4 / 3 * np.pi * np.prod(radii) / 1000


@pytest.mark.parametrize("noise_hu", [0.0, 25.0, 120.0])
def test_lungs_of_known_size_are_measured_within_one_percent(noise_hu):
    volume = draw(Chest(noise_hu=noise_hu))
    lungs = find_lungs(volume)
    right = volume_ml(volume, lungs.labels, Label.RIGHT_LUNG)
    left = volume_ml(volume, lungs.labels, Label.LEFT_LUNG)
    assert right == pytest.approx(ellipsoid_ml(RIGHT_RADII), rel=0.01)
    assert left == pytest.approx(ellipsoid_ml(LEFT_RADII), rel=0.01)


@pytest.mark.parametrize("lung_hu", [-930, -600])
def test_emphysema_and_expiration_leave_the_size_alone(lung_hu):
    volume = draw(Chest(lung_hu=lung_hu))
    right = volume_ml(volume, find_lungs(volume).labels, Label.RIGHT_LUNG)
    assert right == pytest.approx(ellipsoid_ml(RIGHT_RADII), rel=0.015)


def test_trachea_is_airway_and_no_lung():
    labels = find_lungs(draw()).labels
    assert labels[90, 100, 140] == Label.AIRWAY


def test_nothing_outside_the_body_is_labelled():
    labels = find_lungs(draw()).labels
    assert not labels[:, 180:].any()


def test_a_mirrored_scan_has_mirrored_sides():
    volume = draw()
    mirrored = replace(volume, hu=np.ascontiguousarray(volume.hu[:, :, ::-1]))
    straight, turned = find_lungs(volume).labels, find_lungs(mirrored).labels[:, :, ::-1]
    names = {Label.RIGHT_LUNG: Label.LEFT_LUNG, Label.LEFT_LUNG: Label.RIGHT_LUNG}
    for here, there in names.items():
        differ = ((straight == here) != (turned == there)).sum()
        assert differ < 0.001 * (straight == here).sum()


def test_cutting_away_the_air_around_the_body_changes_next_to_nothing():
    volume = draw()
    inner = (slice(None), slice(8, 190), slice(8, 272))
    cut = find_lungs(replace(volume, hu=np.ascontiguousarray(volume.hu[inner]))).labels
    whole = find_lungs(volume).labels[inner]
    assert (cut != whole).sum() < 0.001 * (whole > 0).sum()


def test_the_same_scan_gives_the_same_labels():
    np.testing.assert_array_equal(find_lungs(draw()).labels, find_lungs(draw()).labels)


def test_padding_is_never_lung():
    volume = draw()
    hu = volume.hu.copy()
    hu[:, :, :40] = PADDING_HU
    lungs = find_lungs(replace(volume, hu=hu))
    assert not lungs.labels[:, :, :40].any()
    assert (lungs.labels == Label.LEFT_LUNG).any()


def test_stomach_gas_is_no_lung():
    volume = draw(Chest(stomach=True))
    left = volume_ml(volume, find_lungs(volume).labels, Label.LEFT_LUNG)
    assert left == pytest.approx(ellipsoid_ml(LEFT_RADII), rel=0.02)


def test_one_lung_is_flagged_and_lies_on_its_side():
    lungs = find_lungs(draw(Chest(left=False)))
    assert Flag.SINGLE_LUNG in lungs.flags
    assert (lungs.labels == Label.RIGHT_LUNG).any()
    assert not (lungs.labels == Label.LEFT_LUNG).any()


def test_a_lung_cut_by_the_last_slice_is_flagged():
    volume = draw()
    assert Flag.TRUNCATED_LUNG not in find_lungs(volume).flags
    assert Flag.TRUNCATED_LUNG in find_lungs(replace(volume, hu=volume.hu[40:])).flags


@pytest.mark.parametrize(
    "hu",
    [
        np.full((40, 60, 60), 0, np.int16),
        np.full((40, 60, 60), -1000, np.int16),
        np.full((40, 60, 60), PADDING_HU, np.int16),
        np.random.default_rng(1).integers(-1024, 1000, (40, 60, 60)).astype(np.int16),
        draw(Chest(right=False, left=False, stomach=True)).hu,
    ],
    ids=["water", "air", "padding", "noise", "abdomen"],
)
def test_an_image_without_lungs_is_refused_with_a_hint(hu):
    with pytest.raises(NoLungsError) as refused:
        find_lungs(Volume.from_spacing(hu, SPACING))
    assert str(refused.value).startswith("no lungs found")
    assert refused.value.hint


def test_progress_is_told_in_order():
    told = []
    find_lungs(draw(), progress=lambda doing, share: told.append(share))
    assert told == sorted(told)
    assert len(told) > 3
