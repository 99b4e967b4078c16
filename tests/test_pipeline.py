"""`qct.pipeline`: what is imported beside the work is there, and what is not is said where it is used."""

from importlib import import_module

import pytest

from qct.pipeline import FILES, REGIONS_AND_NUMBERS, _imported_beside


@pytest.mark.parametrize("name", [*REGIONS_AND_NUMBERS, *FILES])
def test_what_is_imported_beside_exists(name):
    assert import_module(name)


def test_a_missing_module_is_not_said_before_it_is_used():
    done = []
    with _imported_beside(("qct.no_such_module",)):
        done.append(True)
    assert done


def test_what_goes_wrong_meanwhile_is_raised():
    with pytest.raises(ValueError, match="meanwhile"), _imported_beside(("json",)):
        raise ValueError("meanwhile")
