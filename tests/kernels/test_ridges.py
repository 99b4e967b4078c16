import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels import reference_ridges as reference

from qct.kernels.ridges import find_ridges
from qct.segment.fissures import derivative_taps

TAPS = derivative_taps(2 / 3)
BLANK = -32768
LEAST = (40.0, 10.0, 0.45)


def everywhere(image):
    """Every voxel that the taps around it fit on the grid."""
    radius = TAPS.shape[1] // 2
    inner = np.zeros(image.shape, bool)
    inner[(slice(radius, -radius),) * 3] = True
    return np.argwhere(inner).astype(np.int32)


def off_line(shape, point, direction):
    """Distance of every voxel from a line."""
    from_point = np.indices(shape).reshape(3, -1).T - np.array(point)
    direction = np.array(direction) / np.linalg.norm(direction)
    along = from_point @ direction
    return np.linalg.norm(from_point - along[:, None] * direction, axis=1).reshape(shape)


def tube(point, direction, sigma=0.9, peak=400):
    """A tube of Gaussian profile through a block of 15 voxels."""
    off = off_line((15, 15, 15), point, direction)
    return np.rint(peak * np.exp(-0.5 * (off / sigma) ** 2)).astype(np.int16)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31))
def test_find_ridges_agrees_with_its_reference(seed):
    generator = np.random.default_rng(seed)
    image = generator.integers(-50, 400, (9, 9, 9)).astype(np.int16)
    image[generator.random(image.shape) < 0.1] = BLANK
    candidates = everywhere(image)
    found = find_ridges(image, candidates, TAPS, LEAST, BLANK)
    expected = reference.find_ridges(image, candidates, TAPS, LEAST, BLANK)
    turned = np.sign((found[:, 3:] * expected[:, 3:]).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found[:, :3], expected[:, :3], atol=1e-4)
    np.testing.assert_allclose(found[:, 3:], turned * expected[:, 3:], atol=1e-3)


@settings(max_examples=25)
@given(
    point=st.tuples(*[st.floats(6, 8)] * 3),
    direction=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda d: np.linalg.norm(d) > 0.3),
)
def test_a_tube_is_found_where_it_runs_and_the_way_it_runs(point, direction):
    image = tube(point, direction)
    candidates = everywhere(image)
    found = find_ridges(image, candidates, TAPS, LEAST, BLANK)
    on_line = found[:, 3:].any(axis=1)
    assert np.count_nonzero(on_line) >= 8
    unit = np.array(direction) / np.linalg.norm(direction)
    assert np.abs(found[on_line, 3:] @ unit).min() > 0.97
    from_point = candidates[on_line] + found[on_line, :3] - np.array(point)
    off = np.linalg.norm(from_point - (from_point @ unit)[:, None] * unit, axis=1)
    assert off.max() < 0.4


@pytest.mark.parametrize("what", ["sheet", "edge"])
def test_what_is_no_tube_has_no_ridge(what):
    grid = np.indices((15, 15, 15)) - 7.3
    image = {
        "sheet": 400 * np.exp(-0.5 * grid[0] ** 2),
        "edge": np.where(grid[0] > 0, 400.0, 0.0),
    }[what]
    image = np.rint(image).astype(np.int16)
    found = find_ridges(image, everywhere(image), TAPS, LEAST, BLANK)
    assert not found.any()


def test_a_ball_has_no_ridge_longer_than_itself():
    grid = np.indices((15, 15, 15)) - 7.3
    image = np.rint(400 * np.exp(-0.5 * (grid**2).sum(axis=0))).astype(np.int16)
    candidates = everywhere(image)
    on_line = find_ridges(image, candidates, TAPS, LEAST, BLANK)[:, 3:].any(axis=1)
    assert np.ptp(candidates[on_line], axis=0).max(initial=0) < 4
