import gc

from qct.collector import SELDOM, collecting_seldom


def test_garbage_is_looked_for_as_before_afterwards():
    before = gc.get_threshold()
    with collecting_seldom():
        assert gc.get_threshold() == SELDOM
    assert gc.get_threshold() == before
