import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.kernels import reference_sheetness as reference

from qct.kernels import sheetness
from qct.segment.fissures import derivative_taps

TAPS = derivative_taps(1.0)


def _scan(seed, shape=(7, 8, 9)):
    generator = np.random.default_rng(seed)
    hu = generator.uniform(-950, -700, shape).astype(np.float32)
    return hu, generator.random(shape) < 0.7


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31))
def test_find_sheets_agrees_with_its_reference(seed):
    hu, inside = _scan(seed)
    strength, normal, smooth, across_line = sheetness.find_sheets(hu, inside, TAPS, 4.0)
    expected, direction, smoothed, across = reference.find_sheets(hu, inside, TAPS, 4.0)
    off = across_line - np.floor(across)
    assert np.abs(off).max() <= 1  # a rounding error next to a whole number
    assert np.mean(off != 0) < 0.02
    np.testing.assert_allclose(strength, expected, atol=0.05)
    np.testing.assert_allclose(smooth, smoothed, rtol=1e-5, atol=1e-2)
    clear = expected > 5
    cosine = np.abs((normal[clear] / 127 * direction[clear]).sum(axis=-1))
    assert (cosine > 0.98).all()


def _slab(normal):
    """Return a lung of -850 HU with a 1 mm sheet of -700 HU through its middle, facing `normal`."""
    grid = np.stack(np.mgrid[-10:11, -10:11, -10:11], axis=-1)
    distance = grid @ (np.array(normal) / np.linalg.norm(normal))
    return (-850 + 150 * np.exp(-0.5 * (distance / 0.6) ** 2)).astype(np.float32)


@pytest.mark.parametrize("normal", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, -2, 2)])
def test_a_sheet_is_found_and_faces_its_normal(normal):
    hu = _slab(normal)
    strength, found, *_ = sheetness.find_sheets(hu, np.ones(hu.shape, bool), TAPS, 4.0)
    assert strength[10, 10, 10] > 30
    unit = np.array(normal) / np.linalg.norm(normal)
    assert abs(found[10, 10, 10] / 127 @ unit) > 0.99


def test_a_line_and_a_dark_sheet_are_no_sheets():
    z, y, _ = np.mgrid[-10:11, -10:11, -10:11]
    line = (-850 + 400 * np.exp(-0.5 * (z**2 + y**2))).astype(np.float32)
    inside = np.ones(line.shape, bool)
    strength, _, _, across_line = sheetness.find_sheets(line, inside, TAPS, 4.0)
    # Two equal curvatures leave a rounding error of contrast.
    assert strength[10, 10, 10] < 1
    assert across_line[10, 10, 10] > 60
    sheet = _slab((1, 0, 0))
    assert sheetness.find_sheets(sheet, inside, TAPS, 4.0)[3].max() == 0
    dark = -1700 - _slab((1, 0, 0))
    assert sheetness.find_sheets(dark, inside, TAPS, 4.0)[0][10, 10, 10] == 0


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31))
def test_find_crests_agrees_with_its_reference(seed):
    hu, inside = _scan(seed)
    strength, normal, *_ = sheetness.find_sheets(hu, np.ones(hu.shape, bool), TAPS, 4.0)
    found = sheetness.find_crests(strength, normal, inside, 8.0)
    np.testing.assert_array_equal(found, reference.find_crests(strength, normal, inside, 8.0))


def test_the_crest_of_a_sheet_is_one_voxel_thick():
    hu = _slab((1, 0, 0))
    inside = np.ones(hu.shape, bool)
    strength, normal, *_ = sheetness.find_sheets(hu, inside, TAPS, 4.0)
    crest = sheetness.find_crests(strength, normal, inside, 8.0)
    assert np.flatnonzero(crest[:, 10, 10]).tolist() == [10]


def _crests(seed, n=30):
    generator = np.random.default_rng(seed)
    flat = np.sort(generator.choice(6 * 6 * 6, n, replace=False))
    crests = np.stack(np.unravel_index(flat, (6, 6, 6)), axis=1).astype(np.int32)
    normals = generator.normal(size=(n, 3))
    normals = (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32)
    return crests, normals, (6, 6, 6)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31))
def test_count_coplanar_agrees_with_its_reference(seed):
    args = (*_crests(seed), 3, 0.5, 1.2)
    np.testing.assert_array_equal(sheetness.count_coplanar(*args), reference.count_coplanar(*args))


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31))
def test_the_sign_of_a_normal_does_not_matter(seed):
    crests, normals, shape = _crests(seed)
    assume(len(crests))
    once = sheetness.count_coplanar(crests, normals, shape, 3, 0.5, 1.2)
    turned = sheetness.count_coplanar(crests, -normals, shape, 3, 0.5, 1.2)
    np.testing.assert_array_equal(once, turned)


def test_a_slice_without_lung_has_no_sheets():
    hu, inside = _scan(3)
    inside[2] = False
    strength, _, smooth, _ = sheetness.find_sheets(hu, inside, TAPS, 4.0)
    expected, _, smoothed, _ = reference.find_sheets(hu, inside, TAPS, 4.0)
    assert not strength[2].any()
    np.testing.assert_allclose(strength, expected, atol=0.05)
    np.testing.assert_allclose(smooth, smoothed, rtol=1e-5, atol=1e-2)


def test_sheets_do_not_depend_on_where_else_is_looked():
    hu, _ = _scan(4)
    everywhere = sheetness.find_sheets(hu, np.ones(hu.shape, bool), TAPS, 4.0)
    corner = np.zeros(hu.shape, bool)
    corner[2, 3, 4] = corner[5, 0, 8] = True
    for whole, part in zip(everywhere, sheetness.find_sheets(hu, corner, TAPS, 4.0), strict=True):
        np.testing.assert_array_equal(part[corner], whole[corner])
        assert not part[~corner].any()


def test_a_point_is_no_sheet():
    hu = np.zeros((5, 5, 5), np.float32)
    hu[2, 2, 2] = 64
    exact = np.array([(0.25, 0.5, 0.25), (-0.5, 0.0, 0.5), (1.0, -2.0, 1.0)], np.float32)
    strength, _, _, across_line = sheetness.find_sheets(hu, hu > 0, exact, 4.0)
    assert not strength.any()
    assert across_line[2, 2, 2] == 32
