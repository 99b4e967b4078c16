import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels import reference_fields as reference

from qct.kernels import fields

SEEDS = st.integers(0, 2**31)


@settings(max_examples=20)
@given(seed=SEEDS)
def test_sample_fields_agrees_with_its_reference(seed):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(2, 3, 4, 5)).astype(np.float32)
    nodes = generator.uniform(-1, 6, (7, 3))
    np.testing.assert_allclose(
        fields.sample_fields(values, nodes), reference.sample_fields(values, nodes), atol=1e-6
    )


@settings(max_examples=20)
@given(seed=SEEDS)
def test_a_sampled_value_lies_between_those_of_the_nodes(seed):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(1, 3, 3, 3)).astype(np.float32)
    sampled = fields.sample_fields(values, generator.uniform(-1, 4, (9, 3)))
    assert sampled.min() >= values.min() - 1e-6
    assert sampled.max() <= values.max() + 1e-6


@settings(max_examples=20)
@given(seed=SEEDS)
def test_resample_hu_agrees_with_its_reference(seed):
    generator = np.random.default_rng(seed)
    hu = generator.integers(-32768, 3000, (3, 4, 5)).astype(np.int16)
    axes = [np.sort(generator.uniform(-1, 6, n)) for n in (4, 3, 2)]
    args = (hu, *axes, -1024.0, -300.0)
    np.testing.assert_allclose(
        fields.resample_hu(*args), reference.resample_hu(*args), rtol=1e-6, atol=1e-3
    )


def test_resampling_at_the_voxels_changes_nothing():
    hu = np.arange(-500, -440, dtype=np.int16).reshape(3, 4, 5)
    axes = [np.arange(n, dtype=float) for n in (4, 5, 3)]
    np.testing.assert_array_equal(fields.resample_hu(hu, *axes, -1024.0, 100.0), hu)


@settings(max_examples=20)
@given(seed=SEEDS, n_fields=st.integers(1, 2))
def test_divide_by_fields_agrees_with_its_reference(seed, n_fields):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, (3, 4, 5)).astype(np.uint8)
    values = generator.normal(size=(n_fields, 3, 3, 3)).astype(np.float32)
    renumber = np.array([[0, 0, 0], [5, 4, 3], [2, 2, 2]], np.uint8)
    args = (values, np.full(3, -0.3), np.full(3, 0.61), renumber)
    expected = reference.divide_by_fields(labels, *args)
    fields.divide_by_fields(labels, *args)
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize(("height", "lobe"), [(-1.0, 5), (1.0, 3)])
def test_a_field_of_one_sign_gives_one_lobe(height, lobe):
    labels = np.ones((2, 2, 2), np.uint8)
    renumber = np.array([[0, 0, 0], [5, 4, 3]], np.uint8)
    values = np.full((1, 2, 2, 2), height, np.float32)
    fields.divide_by_fields(labels, values, np.zeros(3), np.ones(3), renumber)
    assert (labels == lobe).all()
