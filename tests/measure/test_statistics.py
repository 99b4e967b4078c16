import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from qct.measure.statistics import HuCounts, schneider_g_ml

LOWEST_HU = -1100
VALUES = hnp.arrays(np.int64, st.integers(1, 40), elements=st.integers(LOWEST_HU, 120))


def counts_of(values):
    return HuCounts(LOWEST_HU, np.bincount(values - LOWEST_HU, minlength=1300))


@given(values=VALUES, percent=st.integers(0, 100))
def test_percentile_is_that_of_numpy(values, percent):
    want = np.percentile(values, percent)
    assert counts_of(values).percentile(percent) == pytest.approx(want, rel=1e-12, abs=1e-9)


@given(values=VALUES)
def test_mean_sd_and_mode_are_those_of_numpy_and_scipy(values):
    counts = counts_of(values)
    assert counts.mean() == pytest.approx(values.mean(), rel=1e-12)
    assert counts.sd() == pytest.approx(values.std(), rel=1e-9, abs=1e-9)
    assert counts.mode() == stats.mode(values).mode


@pytest.mark.parametrize("corrects_bias", [True, False])
def test_higher_moments_are_those_of_scipy(corrects_bias):
    values = np.random.default_rng(3).gamma(2.0, 60.0, 500).astype(np.int64) - 990
    counts, bias = counts_of(values), not corrects_bias
    skewness = counts.skewness(corrects_bias=corrects_bias)
    assert skewness == pytest.approx(stats.skew(values, bias=bias), rel=1e-12)
    for excess in (True, False):
        got = counts.kurtosis(corrects_bias=corrects_bias, excess=excess)
        want = stats.kurtosis(values, bias=bias, fisher=excess)
        assert got == pytest.approx(want, rel=1e-11)


def test_equal_values_have_no_skewness_and_no_kurtosis():
    counts = counts_of(np.full(50, -800))
    assert counts.sd() == 0
    assert counts.skewness(corrects_bias=True) is None
    assert counts.kurtosis(corrects_bias=False, excess=True) is None


@given(values=VALUES, percent=st.integers(0, 100))
def test_percentile_step_leaves_no_more_than_the_share_at_or_below_it(values, percent):
    step = counts_of(values).percentile_step(percent)
    assert np.count_nonzero(values <= step) * 100 <= percent * values.size
    if percent < 100:
        assert np.count_nonzero(values <= step + 1) * 100 > percent * values.size


def test_moments_stay_exact_for_a_hundred_million_voxels():
    counts = np.zeros(1300, np.int64)
    counts[[0, 1000]] = 10**8
    big = HuCounts(LOWEST_HU, counts)
    assert (big.mean(), big.sd()) == (-600.0, 500.0)
    assert big.kurtosis(corrects_bias=False, excess=False) == 1.0


def test_shares_keep_their_operator():
    counts = counts_of(np.array([-951, -950, -950, -949]))
    assert counts.percent_below(-950) == 25
    assert counts.percent_below(-950, or_equal=True) == 75
    assert counts.percent_above(-950) == 25
    assert counts.percent_between(-950, -949) == 75
    assert counts.percent_below(-5000) == 0
    assert counts.percent_below(5000) == 100


def test_air_weighs_nothing_and_water_one_gram():
    counts = counts_of(np.array([-1100, -1000, 0]))
    assert counts.mass_g(2.0, "air_clamped") == 2.0
    assert counts.mass_g(2.0, "air") == pytest.approx(1.8)


@pytest.mark.parametrize(
    ("hu", "g_ml"), [(-1100, 0.00121), (-1000, 0.00121), (0, 1.018), (18, 1.034074)]
)
def test_schneider_density_at_its_joints(hu, g_ml):
    assert schneider_g_ml(hu) == pytest.approx(g_ml)


def test_schneider_density_grows_within_each_piece():
    for piece in (range(-1000, -98), range(-98, 19), range(19, 101), range(101, 1500)):
        assert (np.diff([schneider_g_ml(hu) for hu in piece]) > 0).all()


def test_no_voxels_have_no_mean():
    with pytest.raises(ValueError, match="no voxels"):
        counts_of(np.array([], np.int64)).mean()
