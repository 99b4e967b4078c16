"""One small chest, made once: coarse model, thick slices."""

import pytest

from qct.phantom import ChestSpec, make_chest
from qct.phantom.model import build_model

SMALL = {"model_mm": 2.0, "size": 128, "slice_mm": 3.0, "laa": 10.0, "hole_mm": 4.0}
TINY = {"model_mm": 3.0, "size": 64, "slice_mm": 10.0, "laa": 10.0, "hole_mm": 5.0}


@pytest.fixture(scope="session")
def small_spec():
    return ChestSpec(**SMALL)


@pytest.fixture(scope="session")
def chest(small_spec):
    return make_chest(small_spec)


@pytest.fixture(scope="session")
def tiny_spec():
    return ChestSpec(**TINY)


@pytest.fixture(scope="session")
def tiny(tiny_spec):
    return make_chest(tiny_spec)


@pytest.fixture(scope="session")
def body(tiny_spec):
    """The healthy model of the tiny chest; not to be changed."""
    return build_model(tiny_spec)
