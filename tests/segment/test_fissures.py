import numpy as np
from tests.segment import drawn_lungs

from qct.segment.fissures import LungBox, derivative_taps, find_evidence


def _box(hu):
    mask = np.zeros(hu.shape, bool)
    mask[4:-4, 4:-4, 4:-4] = True
    return LungBox(hu.astype(np.float32), mask, np.zeros(3))


def _noisy_lung(seed=0):
    return np.random.default_rng(seed).normal(-860, 20, (50, 50, 50))


def test_a_faint_sheet_in_noise_is_found_where_it_is():
    hu = _noisy_lung()
    hu[25] += 90
    points = find_evidence(_box(hu)).points
    on_sheet = np.abs(points.position_mm[:, 0] - 25) <= 1
    assert np.count_nonzero(on_sheet) > 600
    assert np.mean(on_sheet) > 0.97


def test_noise_alone_gives_hardly_a_clear_point():
    assert len(find_evidence(_box(_noisy_lung())).points) < 50


def test_vessels_are_not_sheets():
    hu = _noisy_lung()
    for y in range(8, 45, 6):
        hu[:, y : y + 2, 20:22] = -200
    assert len(find_evidence(_box(hu)).points) < 50


def test_a_thick_bright_sheet_is_a_fissure_and_a_thick_vessel_is_none():
    hu = _noisy_lung()
    hu[24:27] = -450
    hu[:, 10:13, 38:41] = -450
    usable = find_evidence(_box(hu)).usable
    assert usable[25, 20:30, 15:30].all()
    assert not usable[10:18, 11, 39].any()


def test_derivative_taps_are_exact_on_polynomials():
    gauss, slope, bend = derivative_taps(1.0).astype(float)
    x = np.arange(len(gauss)) - len(gauss) // 2
    np.testing.assert_allclose([gauss.sum(), slope @ x, bend @ x**2], [1, 1, 2], atol=1e-5)
    np.testing.assert_allclose([slope.sum(), bend.sum(), bend @ x], 0, atol=1e-5)


def test_the_drawn_lungs_are_what_they_say():
    drawn = drawn_lungs.draw()
    assert set(np.unique(drawn.lobes)) == {0, 1, 2, 3, 4, 5}
    assert ((drawn.lobes > 0) == (drawn.lungs > 0)).all()
