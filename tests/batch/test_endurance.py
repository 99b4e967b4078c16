"""The benchmark of endurance on a few small chests: killed and resumed, the tables are the same."""

import pytest
from benchmarks.batch_endurance import compared, draw


@pytest.mark.slow
def test_real_measurements_that_are_killed_and_resumed_end_with_the_same_tables(tmp_path):
    draw(tmp_path / "studies", n_good=2, n_bad=2)
    assert compared(tmp_path / "studies", tmp_path, kills=2, n_bad=2) == []
