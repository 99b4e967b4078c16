"""An order is read whole or refused, and no message shows what it says of the patient."""

from datetime import date

import pytest

from qct.errors import OptionError
from qct.order import Order

WHOLE = """
question = "Suitable for valves?"
medications = ["tiotropium"]
order_date = 2026-05-03
diagnoses = ["J43.2"]
[smoking]
status = "former"
pack_years = 40
[spirometry]
tested_on = "2026-04-01"
fev1_l = 1.1
gold = 3
[visual]
centrilobular = "severe"
[service]
concurrent = false
other_codes = ["71250"]
[[modifiers]]
code = "26"
[reading]
impression = "x"
[signer]
name = "A. Reader"
"""


def test_a_whole_order_is_read():
    order = Order.from_toml(WHOLE)
    assert order.order_date == date(2026, 5, 3)
    assert order.smoking.pack_years == 40.0
    assert order.spirometry.tested_on == date(2026, 4, 1)
    assert order.spirometry.gold == "3"
    assert order.modifiers[0].code == "26"
    assert order.service.concurrent is False


def test_an_empty_order_is_an_order():
    assert Order.from_toml("") == Order()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("indicaton = 'SECRET'", "unknown name indicaton", "indication"),
        ("[smoking]\npackyears = 3", "unknown name smoking.packyears", "pack_years"),
        ("[smoking]\nstatus = 'formr'", "smoking.status", "former"),
        ("[smoking]\npack_years = -3", "smoking.pack_years", "unit"),
        ("[spirometry]\nfev1_l = nan", "spirometry.fev1_l", "unit"),
        ("[spirometry]\nfev1_l = 'SECRET'", "spirometry.fev1_l", "a number"),
        ("[service]\nconcurrent = 'SECRET'", "service.concurrent", "true or false"),
        ("[[modifiers]]\nreason = 'SECRET'", "code is missing", "code"),
        ("[[modifiers]]\ncode = '53'\nstage = 'scan'", "modifiers.stage", ""),
        ("order_date = 'SECRET'", "order_date", "2026-05-31"),
        ("diagnoses = 'SECRET'", "diagnoses", "a list"),
        ("signer = 'SECRET'", "signer", "a table"),
        ("question = SECRET", "not valid TOML", "quotes"),
    ],
)
def test_what_is_wrong_is_refused_without_showing_it(text, message, hint):
    with pytest.raises(OptionError) as refused:
        Order.from_toml(text)
    assert message in str(refused.value)
    assert hint in refused.value.hint
    assert "SECRET" not in str(refused.value) + refused.value.hint
