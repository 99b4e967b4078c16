import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from tests.kernels import reference_vessels as reference

from qct.kernels.background import NOT_LUNG
from qct.kernels.vessels import (
    cross_sections,
    lower_quartile_along,
    paint_nearest,
    sum_by_owner,
)

SEEDS = st.integers(0, 2**31)
LIMITS = (900.0, 1.6, 8.0, 40.0)


def rods(centres, radius, sigma=0.8, side=33, fine=5):
    """Rods along the first axis, of full contrast, blurred; drawn five times as fine."""
    sharp = sum(900.0 * disc(centre, radius, side, fine) for centre in centres)
    blurred = gaussian_filter(sharp, sigma * fine)
    flat = blurred.reshape(side, fine, side, fine).mean(axis=(1, 3))
    return np.rint(np.broadcast_to(flat, (9, side, side))).astype(np.int16)


def disc(centre, radius, side=33, fine=5):
    grid = (np.arange(side * fine) - (fine - 1) / 2) / fine
    return np.hypot(grid[:, None] - centre[0], grid - centre[1]) < radius


def section(contrast, at=(4, 16, 16)):
    points, axes = np.array([at], np.float32), np.array([(1, 0, 0)], np.float32)
    return cross_sections(contrast, points, axes, LIMITS)[0]


@settings(max_examples=10)
@given(seed=SEEDS)
def test_cross_sections_agrees_with_its_reference(seed):
    generator = np.random.default_rng(seed)
    contrast = generator.integers(-100, 600, (9, 10, 11)).astype(np.int16)
    contrast[generator.random(contrast.shape) < 0.1] = NOT_LUNG
    points = generator.uniform(0, 8, (12, 3)).astype(np.float32)
    axes = generator.normal(size=(12, 3))
    axes = (axes / np.linalg.norm(axes, axis=1, keepdims=True)).astype(np.float32)
    found = cross_sections(contrast, points, axes, LIMITS)
    expected = reference.cross_sections(contrast, points, axes, LIMITS)
    same = found[:, 2] == expected[:, 2]  # rounding may let one end a ring later
    assert np.count_nonzero(same) >= 10
    np.testing.assert_allclose(found[same], expected[same], rtol=1e-3, atol=0.5)


@settings(max_examples=15)
@given(radius=st.floats(0.5, 3.5), sigma=st.floats(0.6, 0.9))
def test_blur_does_not_change_a_cross_section(radius, sigma):
    integral, _, end, known, around = section(rods([(16, 16)], radius, sigma))
    assert integral / 900 == pytest.approx(disc((16, 16), radius).sum() / 25, rel=0.1)
    assert end < LIMITS[2]
    assert known == 1
    assert around < 0.15 * 900


@pytest.mark.parametrize("sigma", [0.6, 0.9])
def test_area_and_one_variance_determine_the_middle(sigma):
    variances = []
    for radius in (0.4, 0.7, 1.0, 1.3):
        _, middle, *_ = section(rods([(16, 16)], radius, sigma))
        variances.append(radius**2 / (-2 * np.log1p(-middle / 900)))
    assert np.ptp(variances) < 0.2 * np.mean(variances)


def test_a_neighbour_on_one_side_does_not_count():
    alone, _, *_ = section(rods([(16, 16)], 1.0))
    beside, _, *_ = section(rods([(16, 16), (16, 20)], 1.0))
    assert beside == pytest.approx(alone, rel=0.1)


def test_what_fills_all_around_has_no_end():
    _, _, end, _, around = section(np.full((9, 33, 33), 900, np.int16))
    assert (end, around) == (LIMITS[2], 900)


@settings(max_examples=15)
@given(seed=SEEDS)
def test_lower_quartile_along_agrees_with_its_reference(seed):
    generator = np.random.default_rng(seed)
    points = generator.uniform(0, 5.4, (40, 3)).astype(np.float32)
    axes = generator.normal((2.0, 0.0, 0.0), 1.0, (40, 3))
    axes = (axes / np.linalg.norm(axes, axis=1, keepdims=True)).astype(np.float32)
    values = generator.uniform(0, 10, 40)
    arguments = ((6, 6, 6), points, axes, values, (3.0, 0.8, 0.9))
    found = lower_quartile_along(*arguments)
    np.testing.assert_array_equal(found, reference.lower_quartile_along(*arguments))


@settings(max_examples=15)
@given(at=st.integers(0, 19), more=st.floats(0, 50))
def test_one_swollen_place_does_not_change_a_stretch(at, more):
    points = np.stack([np.full(20, 4.0), np.full(20, 4.0), np.arange(20.0)], axis=1)
    axes = np.tile(np.float32([0, 0, -1]), (20, 1))
    values = np.full(20, 3.0)
    values[at] += more
    shape, reach = (8, 8, 20), (3.0, 0.8, 0.9)
    found = lower_quartile_along(shape, points.astype(np.float32), axes, values, reach)
    np.testing.assert_array_equal(found, np.full(20, 3.0))


@settings(max_examples=15)
@given(seed=SEEDS)
def test_painting_and_summing_agree_with_their_references(seed):
    generator = np.random.default_rng(seed)
    shape = (6, 7, 8)
    points = np.stack([generator.integers(0, n, 9) for n in shape], axis=1).astype(np.int32)
    radii = generator.uniform(0.5, 4, 9).astype(np.float32)
    owner = paint_nearest(shape, points, radii)
    np.testing.assert_array_equal(owner, reference.paint_nearest(shape, points, radii))
    contrast = generator.integers(-300, 900, shape).astype(np.int16)
    contrast[generator.random(shape) < 0.05] = NOT_LUNG
    labels = generator.integers(0, 8, shape).astype(np.uint8)
    classes = generator.integers(0, 5, 9).astype(np.int32)
    args = (contrast, labels, owner, points, classes, 5)
    found, expected = sum_by_owner(*args), reference.sum_by_owner(*args)
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=15)
@given(seed=SEEDS)
def test_summing_loses_no_contrast(seed):
    generator = np.random.default_rng(seed)
    contrast = generator.integers(-300, 900, (5, 6, 7)).astype(np.int16)
    owner = generator.integers(0, 4, contrast.shape).astype(np.int32)
    labels = generator.integers(0, 8, contrast.shape).astype(np.uint8)
    points = np.zeros((3, 3), np.int32)
    sums = sum_by_owner(contrast, labels, owner, points, np.array([0, 1, 1], np.int32), 2)
    assert sums.sum() == contrast[owner > 0].sum(dtype=np.int64)


@pytest.mark.parametrize("at", [3, 4, 5])
def test_a_vessel_beside_an_airway_holds_what_it_holds_elsewhere(at):
    contrast = rods([(16, 16)], 1.0)
    alone = contrast.sum(dtype=np.int64)
    contrast[:, :, 16 + at :] = NOT_LUNG
    owner = np.zeros(contrast.shape, np.int32)
    owner[:, :, 12:] = np.arange(1, 10)[:, None, None]
    points = np.array([(z, 16, 16) for z in range(9)], np.int32)
    labels, classes = np.ones(contrast.shape, np.uint8), np.zeros(9, np.int32)
    sums = sum_by_owner(contrast, labels, owner, points, classes, 1)
    assert sums.sum() == pytest.approx(alone, rel=0.01)
