import pickle

import pytest

from qct import errors

ALL = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.QctError)]


@pytest.mark.parametrize("kind", ALL)
def test_an_error_comes_back_whole_from_a_worker_process(kind):
    sent = kind("slice gap of 5.00 mm at z = 12.0 mm", hint="Send the series again.")
    back = pickle.loads(pickle.dumps(sent))
    assert (type(back), str(back), back.hint) == (kind, str(sent), sent.hint)


@pytest.mark.parametrize("kind", ALL)
def test_an_error_is_named_in_the_tree_of_the_module(kind):
    assert kind.__name__ in errors.__doc__


def test_exit_codes_tell_the_kinds_apart():
    kinds = (errors.OptionError, errors.ReadError, errors.SegmentError, errors.WriteError)
    assert len({kind.exit_code for kind in kinds} | {0, 1}) == len(kinds) + 2
