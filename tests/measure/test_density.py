"""Numbers of the Chest Imaging Platform, and of arrays one can check by hand."""

import csv
import zlib

import numpy as np
import pytest

from qct.measure import density_of
from qct.measure.density import DENSITY_KEYS, LOWEST_HU, N_BINS
from qct.measure.statistics import HuCounts
from qct.quantities import PROFILES, REGION_KEYS
from qct.volume import PADDING_HU

CIP_REGIONS = {
    "wholeLung": range(9, 15),
    "leftLung": (9, 10, 11),
    "rightLung": (12, 13, 14),
    **dict(zip(("lutLung", "lmtLung", "lltLung"), ((9,), (10,), (11,)), strict=True)),
    **dict(zip(("rutLung", "rmtLung", "rltLung"), ((12,), (13,), (14,)), strict=True)),
    **dict(zip(("utLung", "mtLung", "ltLung"), ((9, 12), (10, 13), (11, 14)), strict=True)),
}
"""Numbers of the low byte of a label that make each column group of the table."""


def read_nrrd(path):
    header, data = path.read_bytes().split(b"\n\n", 1)
    fields = dict(
        line.split(": ", 1)
        for line in header.decode("latin1").splitlines()
        if ": " in line and line[0] != "#"
    )
    if fields["encoding"] == "gzip":
        data = zlib.decompress(data, 31)
    dtype = {"short": "<i2", "int16": "<i2", "unsigned short": "<u2", "uint16": "<u2"}
    shape = [int(n) for n in fields["sizes"].split()][::-1]
    return np.frombuffer(data, dtype[fields["type"]]).reshape(shape)


def cip_table(path):
    """Value as printed, by region and column."""
    table = {}
    header, values = csv.reader(path.read_text().splitlines())
    for name, value in zip(header, values, strict=False):  # a comma ends the line of values
        region, column = name.split(" ", 1)
        table.setdefault(region, {})[column] = value
    return table


def in_cip_columns(found, counts):
    below = {f"%Below-{t}": counts.percent_below(-t) for t in (925, 905, 900, 875)}
    return {
        **below,
        "%Below-950": found["laa950_percent"],
        "%Below-910": found["laa910_percent"],
        "%Below-856": found["laa856_percent"],
        "%Above0": counts.percent_above(0),
        "%Above-600": found["haa_percent"],
        "%Above-250": counts.percent_above(-250),
        "tenthPercentileHU": found["perc10_hu"],
        "fifteenthPercentileHU": found["perc15_hu"],
        "volume (L)": found["volume_ml"] / 1000,
        "mass (g)": found["mass_g"],
        "intensityMean": found["mean_hu"],
        "intensitySTD": found["sd_hu"],
        "skewness": found["skewness"],
        "kurtosis": found["kurtosis"],
        "mode": found["mode_hu"],
        "median": found["median_hu"],
    }


@pytest.mark.real_data
@pytest.mark.parametrize("region", CIP_REGIONS)
def test_every_printed_digit_is_that_of_the_chest_imaging_platform(real_data, region):
    folder = real_data / "cip"
    hu, labels = read_nrrd(folder / "ct-64.nrrd"), read_nrrd(folder / "lm-64.nrrd")
    table = cip_table(folder / "GenerateParenchymaPhenotypes_Test_parenchymaPhenotypes.csv")
    voxel_ml = 4.171872**2 * (315 / 79) / 1000
    # that program passes over values outside -1024..1024
    mask = np.isin(labels & 255, list(CIP_REGIONS[region])) & (abs(hu.astype(int)) <= 1024)
    found = density_of(hu, mask, voxel_ml, profile="cip_histogram")[1]
    counts = HuCounts(LOWEST_HU, np.bincount(hu[mask].astype(int) - LOWEST_HU, minlength=N_BINS))
    printed = {column: f"{value:.6g}" for column, value in in_cip_columns(found, counts).items()}
    assert printed == table[region]


@pytest.mark.real_data
def test_the_toy_chest_has_the_phenotypes_of_the_chest_imaging_platform(real_data):
    folder = real_data / "cip"
    hu, labels = read_nrrd(folder / "simple_ct.nrrd"), read_nrrd(folder / "simple_lm.nrrd")
    regions = (labels & 255).astype(np.uint8)
    right, left = (density_of(hu, regions, 0.001, profile="cip")[number] for number in (2, 3))
    both = density_of(hu, regions > 0, 0.001, profile="cip")[1]
    assert (both["volume_ml"], both["median_hu"]) == (pytest.approx(0.018), -825)
    assert both["laa950_percent"] == pytest.approx(5.5556, abs=1e-4)
    assert both["haa_percent"] == pytest.approx(11.1111, abs=1e-4)
    assert both["sd_hu"] == pytest.approx(256.9695, abs=1e-4)
    halves = {round(right["mean_hu"], 3): right, round(left["mean_hu"], 3): left}
    assert halves[-773.333]["laa950_percent"] == pytest.approx(11.1111, abs=1e-4)
    assert min(right["mass_g"], left["mass_g"]) < 0.00247609596 + 1e-9
    assert pytest.approx(0.00247609596, rel=1e-8) in (right["mass_g"], left["mass_g"])

    counts = np.bincount(hu[(regions > 0) & (hu < -500)].astype(int) - LOWEST_HU, minlength=N_BINS)
    below = HuCounts(LOWEST_HU, counts)
    assert below.mean() == -842.5
    assert below.sd() == pytest.approx(52.141634)
    assert below.kurtosis(corrects_bias=True, excess=True) == pytest.approx(2.37885301)
    assert below.skewness(corrects_bias=True) == pytest.approx(-1.613628)


@pytest.mark.real_data
def test_kurtosis_of_undefined_type_is_that_of_the_chest_imaging_platform(real_data):
    folder = real_data / "cip"
    hu, labels = read_nrrd(folder / "simple_ct.nrrd"), read_nrrd(folder / "simple_lm.nrrd")
    found = density_of(hu, ((labels & 255) > 0) & (labels >> 8 == 0), 0.001, profile="cip")[1]
    assert found["kurtosis"] == pytest.approx(-2.363636, abs=1e-6)


@pytest.mark.parametrize("profile", PROFILES)
def test_density_of_gives_every_row_of_the_dictionary_but_the_airless_share(profile):
    hu = np.arange(-1000, -600, dtype=np.int16)
    found = density_of(hu, hu < 0, 1.0, profile=profile)[1]
    assert [*found] == [key for key in REGION_KEYS if key != "dense_percent"]
    assert set(DENSITY_KEYS) == found.keys() - {"volume_ml"}


def test_profile_le_counts_the_threshold_itself():
    hu = np.array([-951, -950, -940, -930], np.int16)
    shares = [
        density_of(hu, hu < 0, 1.0, profile=p)[1]["laa950_percent"] for p in ("default", "le")
    ]
    assert shares == [25, 50]


def test_padding_is_no_voxel_of_any_region():
    hu = np.array([PADDING_HU, -900], np.int16)
    assert density_of(hu, np.ones(2, np.uint8), 1.0)[1]["volume_ml"] == 1


def test_no_voxel_makes_no_region():
    assert density_of(np.zeros((2, 2), np.int16), np.zeros((2, 2), bool), 1.0) == {}


def test_values_at_the_floor_are_told_from_low_values():
    floored = np.array([-1000, -1000, -900, -800], np.int16)
    open_end = np.array([-1010, -1000, -900, -800], np.int16)
    shares = [density_of(hu, hu < 0, 1.0)[1]["clipped_percent"] for hu in (floored, open_end)]
    assert shares == [50, 0]


@pytest.mark.parametrize(
    ("hu", "labels"),
    [
        (np.zeros((2, 2), np.int16), np.zeros((2, 3), np.uint8)),
        (np.zeros((2, 2), np.float32), np.zeros((2, 2), np.uint8)),
        (np.zeros((2, 2), np.int16), np.zeros((2, 2), np.int32)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(hu, labels):
    with pytest.raises(ValueError, match="labels"):
        density_of(hu, labels, 1.0)


def pyradiomics_first_order(hu):
    """First-order features as PyRadiomics 3 defines them (``radiomics/firstorder.py``), by numpy."""
    x = hu.astype(np.float64)
    away = x - x.mean()
    m2, m3, m4 = ((away**k).mean() for k in (2, 3, 4))
    return {
        "mean_hu": x.mean(),
        "median_hu": np.median(x),
        "sd_hu": np.sqrt(m2),
        "skewness": m3 / m2**1.5,
        "kurtosis": m4 / m2**2,
        "perc10_hu": np.percentile(x, 10),
    }


def test_first_order_features_are_those_of_pyradiomics():
    rng = np.random.default_rng(8)
    hu = np.concatenate([rng.normal(-870, 45, 5000), rng.normal(-300, 250, 700)]).astype(np.int16)
    mask = rng.random(hu.size) < 0.8
    found = density_of(hu, mask, 1.0, profile="pyradiomics")[1]
    twin = pyradiomics_first_order(hu[mask])
    assert {key: found[key] for key in twin} == pytest.approx(twin, rel=1e-12)


def test_first_order_features_agree_with_the_program_itself():
    # pip install "numpy<2" SimpleITK PyWavelets pykwalify; pip install --no-build-isolation pyradiomics
    firstorder = pytest.importorskip("radiomics.firstorder", reason="pyradiomics is not installed")
    sitk = pytest.importorskip("SimpleITK")
    rng = np.random.default_rng(8)
    hu = rng.normal(-870, 45, (12, 20, 22)).astype(np.int16)
    hu[4:7] += rng.normal(400, 200, hu[4:7].shape).astype(np.int16)
    mask = rng.random(hu.shape) < 0.8
    image, region = sitk.GetImageFromArray(hu), sitk.GetImageFromArray(mask.astype(np.uint8))
    extractor = firstorder.RadiomicsFirstOrder(image, region)
    extractor.enableAllFeatures()
    theirs = {name: float(value) for name, value in extractor.execute().items()}
    found = density_of(hu, mask, 1.0, profile="pyradiomics")[1]
    pairs = {
        "mean_hu": theirs["Mean"],
        "median_hu": theirs["Median"],
        "sd_hu": theirs["Variance"] ** 0.5,
        "skewness": theirs["Skewness"],
        "kurtosis": theirs["Kurtosis"],
        "perc10_hu": theirs["10Percentile"],
    }
    assert {key: found[key] for key in pairs} == pytest.approx(pairs, rel=1e-12)
