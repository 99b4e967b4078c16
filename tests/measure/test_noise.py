import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from qct.findings import Histogram, Measured
from qct.interpret import uncertainties
from qct.measure.noise import correlation_in_slice, measure_noise, standard_errors
from qct.regions import Label
from qct.volume import Volume

MM = (1.0, 1.0, 1.0)


def grain(rng, shape, blur):
    """Noise as filtered back-projection makes it: little at low frequencies, slices apart."""
    white = rng.standard_normal(shape)
    narrow, wide = (gaussian_filter(white, (0, b, b)) for b in (blur, 3 * blur))
    noise = narrow - 0.8 * wide
    return noise / noise.std()


def ramp_grain(rng, shape, blur):
    """Noise with the power of filtered back-projection, drawn finer than the voxels and read off."""
    fine = 3
    side = fine * max(shape[1:])
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None]) * fine
    gain = np.sqrt(f) * np.exp(-((2 * np.pi * blur * f) ** 2) / 2)
    white = rng.standard_normal((shape[0], side, side))
    noise = np.fft.ifft2(np.fft.fft2(white) * gain).real[:, ::fine, ::fine][
        :, : shape[1], : shape[2]
    ]
    return noise / noise.std()


def trachea(sd_hu, blur, seed=0, grain=grain):
    """A tube of air of 9 mm radius, and a lung beside it."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((40, 24, 60), np.uint8)
    y, x = np.ogrid[:24, :60]
    labels[:, (y - 12) ** 2 + (x - 12) ** 2 < 81] = Label.AIRWAY
    labels[:, :, 26:] = Label.LEFT_LUNG
    noise = sd_hu * grain(rng, labels.shape, blur)
    texture = gaussian_filter(np.random.default_rng(99).standard_normal(labels.shape), 2.0)
    clean = np.where(labels == Label.LEFT_LUNG, -930 + 300 * texture, -985)
    return Volume.from_spacing(np.rint(clean + noise).astype(np.int16), MM), labels


def histogram(volume, labels):
    hu = volume.hu[(labels > 0) & (labels < Label.AIRWAY)].astype(int)
    return Histogram("whole_lung", -2048, np.bincount(hu + 2048, minlength=6144))


@pytest.mark.parametrize("sd_hu", [8.0, 20.0])
def test_noise_and_its_correlation_are_found_in_the_trachea(sd_hu):
    noise = measure_noise(*trachea(sd_hu, blur=0.8))
    assert noise.sd_hu == pytest.approx(sd_hu, rel=0.15)
    much = grain(np.random.default_rng(5), (8, 200, 200), 0.8)
    for lag in (1, 2):
        drawn = (much[..., lag:] * much[..., :-lag]).mean()
        assert noise.correlation((0, 0, lag), MM) == pytest.approx(drawn, abs=0.12)
    assert noise.correlation((1, 0, 0), MM) == 0.0


def test_noise_of_slices_that_overlap_is_correlated_across():
    volume, labels = trachea(15.0, 0.8)
    hu = volume.hu.astype(float)
    overlapped = np.rint((hu[1:] + hu[:-1]) / 2).astype(np.int16)
    noise = measure_noise(Volume.from_spacing(overlapped, MM), labels[1:])
    assert noise.across == pytest.approx(0.5, abs=0.1)
    assert noise.correlation((1, 0, 0), MM) == noise.across


def test_ramp_filtered_noise_has_no_power_at_zero_frequency():
    away = np.linspace(0, 400, 400_001)
    power = (correlation_in_slice(away, 0.7) * away).sum() * (away[1] - away[0])
    assert correlation_in_slice(0.0, 0.7) == 1
    assert abs(power) < 0.01


def test_without_a_trachea_nothing_is_claimed():
    volume, labels = trachea(10.0, 0.8)
    labels[labels == Label.AIRWAY] = 0
    assert measure_noise(volume, labels) is None
    assert standard_errors(volume, labels, [histogram(volume, labels)], None) == ()


@pytest.mark.parametrize(("blur", "drawn"), [(0.4, ramp_grain), (0.8, ramp_grain), (1.0, grain)])
def test_repeats_spread_as_the_standard_error_says(blur, drawn):
    shares, told = [], []
    for seed in range(40):
        volume, labels = trachea(15.0, blur, seed, drawn)
        counts = histogram(volume, labels)
        shares.append(100 * counts.counts[: 2048 - 950].sum() / counts.counts.sum())
        if seed < 5:
            errors = standard_errors(volume, labels, [counts], measure_noise(volume, labels))
            told.append(next(e.amount for e in errors if e.quantity == "laa950_percent"))
    assert np.mean(told) / np.std(shares, ddof=1) == pytest.approx(1, abs=0.3)


def test_the_error_stands_beside_the_number():
    volume, labels = trachea(15.0, 0.8)
    noise = measure_noise(volume, labels)
    errors = standard_errors(volume, labels, [histogram(volume, labels)], noise)
    (one,) = [
        u
        for u in uncertainties((Measured("whole_lung", "perc15_hu", -950.0),), errors)
        if u.kind == "standard error"
    ]
    assert one.amount > 0
    assert "HU in the trachea" in one.conditions
