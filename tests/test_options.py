import pytest

from qct.errors import OptionError
from qct.options import Options


def test_options_survive_a_round_trip_through_plain_values():
    options = Options(profile="cip", threads=2)
    assert Options.from_mapping(options.as_dict()) == options


def test_a_misspelt_setting_is_refused_with_the_right_spelling():
    with pytest.raises(OptionError, match="unknown setting 'thread'") as caught:
        Options.from_mapping({"thread": 1})
    assert caught.value.hint == "Did you mean threads?"


@pytest.mark.parametrize(
    "wrong",
    [
        {"profile": "cipp"},
        {"segmenter": "magic"},
        {"threads": -1},
        {"threads": 1000},
        {"sex": "X"},
        {"height_cm": 1.75},
    ],
)
def test_a_setting_outside_its_limits_is_refused_with_a_hint(wrong):
    with pytest.raises(OptionError) as caught:
        Options(**wrong)
    assert caught.value.hint
