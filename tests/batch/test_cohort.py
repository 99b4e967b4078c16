import csv

import pytest

from qct.batch.cohort import repeatability, write_cohort
from qct.errors import OptionError


def test_repeatability_of_pairs_that_differ_by_a_constant():
    one = repeatability([[1.0, 3.0], [5.0, 7.0], [2.0, 4.0]])
    assert one.within_sd == pytest.approx(2**0.5)
    assert one.coefficient == pytest.approx(1.959964 * 2)
    assert one.bias == 2
    assert one.limits == pytest.approx((2, 2))
    assert one.low95 < one.coefficient < one.high95


def test_repeatability_of_a_worked_example():
    """Differences 2, -1, 0 and 3: their mean is 1, their squares sum to 14, worked out by hand."""
    one = repeatability([[10.0, 12.0], [20.0, 19.0], [15.0, 15.0], [30.0, 33.0]])
    assert (one.n_subjects, one.n_scans, one.bias) == (4, 8, 1)
    spread = 1.959964 * (10 / 3) ** 0.5  # squared deviations 1 + 4 + 1 + 4, divided by 3
    assert one.limits == pytest.approx((1 - spread, 1 + spread))
    assert one.within_sd == pytest.approx((14 / 8) ** 0.5)
    assert one.coefficient == pytest.approx(1.959964 * 2**0.5 * 1.75**0.5)
    # chi-squared with 4 degrees of freedom: 0.48442 and 11.14329 (printed tables)
    assert one.low95 == pytest.approx(one.coefficient * (4 / 11.14329) ** 0.5, rel=1e-4)
    assert one.high95 == pytest.approx(one.coefficient * (4 / 0.48442) ** 0.5, rel=1e-4)


def test_one_repeated_subject_is_too_few():
    assert repeatability([[1.0, 2.0], [3.0]]) is None


def read(table):
    with table.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def out(tmp_path):
    lines = ["study,subject,sex,age_years,whole_lung.volume_ml"]
    lines += [f"s{k},p{k // 2},{'MF'[k % 2]},{40 + k},{5000 + 10 * k}" for k in range(8)]
    (tmp_path / "results.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_groups_trends_and_repeats_are_written(out):
    page = write_cohort(out, (), "subject").read_text()
    assert page.count("<svg") == 3
    (trend,) = read(out / "cohort_trends.csv")
    assert float(trend["spearman_rho"]) == pytest.approx(1)
    assert float(trend["slope"]) == pytest.approx(10)
    (repeat,) = read(out / "repeatability.csv")
    assert float(repeat["bias"]) == 10
    assert [row["group"] for row in read(out / "cohort_groups.csv")] == [
        "F",
        "M",
    ]


def test_an_unknown_column_is_refused(out):
    with pytest.raises(OptionError, match="no column weight"):
        write_cohort(out, ("weight",), None)
