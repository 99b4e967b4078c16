"""Examples in docstrings do what they say."""

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

import qct

HOME = Path(qct.__file__).parent
WITH_EXAMPLES = sorted(
    ".".join(("qct", *path.relative_to(HOME).with_suffix("").parts))
    for path in HOME.rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_every_example_gives_what_it_shows(name):
    found = doctest.testmod(import_module(name), verbose=False)
    assert found.attempted > 0
    assert found.failed == 0


def test_the_library_face_has_examples():
    assert "qct.measure.arrays" in WITH_EXAMPLES
    assert {"measure_density", "measure_lungs", "measure_clusters"} <= set(qct.__all__)
    typed = re.findall(r"as (\w+)$", (HOME / "__init__.pyi").read_text(), re.MULTILINE)
    assert sorted(typed) == sorted(qct.__all__)
    assert all(callable(getattr(qct, name)) for name in qct.__all__)
