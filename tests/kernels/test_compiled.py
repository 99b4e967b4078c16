import os
import subprocess
import sys

import numpy as np
import pytest

from qct.kernels.compiled import in_parts, limit_threads, n_threads, side_by_side


@pytest.fixture
def threads():
    yield limit_threads
    limit_threads(0)


def _mark(rows, out, part, parts):
    for row in range(part, rows, parts):
        out[row] += 1


@pytest.mark.parametrize("most", [0, 1, 2, 7])
def test_every_row_is_worked_on_once_whatever_the_number_of_threads(threads, most):
    threads(most)
    out = np.zeros(101, int)
    in_parts(_mark, 101, out)
    assert (out == 1).all()


def test_threads_are_limited_and_never_more_than_asked_for(threads):
    every = n_threads()
    threads(1)
    assert n_threads() == 1
    threads(every + 5)
    assert n_threads() == every


def test_an_error_in_a_thread_is_not_lost(threads):
    threads(2)
    with pytest.raises(IndexError):
        in_parts(lambda out, part, parts: out[part + 5], np.zeros(3))


READ_ONLY = """
import numba.core.caching as caching
for locator in caching._CacheLocator.__subclasses__():
    locator.from_function = classmethod(lambda cls, function, file: None)
    for below in locator.__subclasses__():
        below.from_function = classmethod(lambda cls, function, file: None)
from qct.kernels.histogram import count_labels
import numpy as np
print(count_labels(np.ones((2, 3), np.uint8))[1].tolist())
"""


def test_kernels_work_where_no_folder_for_compiled_code_can_be_written():
    run = subprocess.run(
        [sys.executable, "-c", READ_ONLY], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[3, 3]"


FORKED = """
import os
import numpy as np
from qct.kernels.compiled import in_parts, n_threads
def mark(out, part, parts):
    out[part::parts] += 1
for _ in range(2):
    out = np.zeros(9, int)
    in_parts(mark, out)
    assert (out == 1).all()
child = os.fork()
if child == 0:
    out = np.zeros(9, int)
    in_parts(mark, out)
    os._exit(0 if (out == 1).all() else 1)
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_has_threads_of_its_own():
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.strip() == "0"


def test_parts_are_done_by_the_caller_where_no_thread_is_free(threads):
    threads(2)
    out = np.zeros((8, 101), int)
    side_by_side(*(lambda row=row: in_parts(_mark, 101, row) for row in out))
    assert (out == 1).all()
