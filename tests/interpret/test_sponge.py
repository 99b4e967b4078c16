import pytest

from qct.acquisition import Patient
from qct.findings import Measured
from qct.flags import Flag, Status
from qct.interpret import adjust, references

MAN = Patient(sex="M", age_years=60, height_m=1.75)  # predicted TLC 6902.5 mL


def whole(pd15, volume, **of_volume):
    return (
        Measured("whole_lung", "perc15_g_l", pd15),
        Measured("whole_lung", "volume_ml", volume, **of_volume),
    )


def test_density_is_adjusted_to_predicted_tlc():
    doubted = whole(60.0, 5522.0, status=Status.CAVEAT, flags=frozenset({Flag.DENSE_LUNG}))
    one = adjust(doubted, references(MAN))[-1]
    assert one.value == pytest.approx(48.0)
    assert (one.quantity, one.status) == ("perc15_adjusted_g_l", Status.CAVEAT)
    assert one.flags == {Flag.DENSE_LUNG}


@pytest.mark.parametrize(
    ("numbers", "patient", "status"),
    [
        (whole(60.0, 5522.0), Patient(), Status.NOT_MEASURED),
        (whole(60.0, None, status=Status.WITHHELD), MAN, Status.WITHHELD),
        ((), MAN, Status.NOT_MEASURED),
    ],
)
def test_nothing_is_adjusted_to_a_volume_that_is_not_known(numbers, patient, status):
    one = adjust(numbers, references(patient))[-1]
    assert (one.value, one.status) == (None, status)
