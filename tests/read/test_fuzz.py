"""Damaged bytes give a scan or a refusal in words, never anything else."""

import contextlib
import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, RLELossless
from tests.read import series

from qct.cli import main
from qct.errors import QctError
from qct.read import read_scan, survey

N = 3


class Files(dict):
    """Paths to bytes; does not show the bytes when a test fails."""

    def __repr__(self):
        return f"{len(self)} files"


def whole_files(folder, syntax):
    def pack(ds, k):
        if syntax != ExplicitVRLittleEndian:
            series.compress(ds, syntax)

    series.write(folder, pack, n=N, syntax=syntax)
    return Files((p, p.read_bytes()) for p in folder.iterdir())


@pytest.fixture(scope="module", params=[ExplicitVRLittleEndian, RLELossless, JPEGLSLossless])
def files(tmp_path_factory, request):
    return whole_files(tmp_path_factory.mktemp("fuzz"), request.param)


def read_all(folder):
    for attempt in (read_scan, survey):
        with contextlib.suppress(QctError):
            attempt(folder)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), n_flips=st.integers(1, 20), is_header=st.booleans())
def test_flipped_bytes(files, seed, n_flips, is_header):
    chance = random.Random(seed)
    for path, whole in files.items():
        spoiled = bytearray(whole)
        for _ in range(n_flips):
            at = chance.randrange(132, 1400 if is_header else len(spoiled))
            spoiled[at] = chance.randrange(256)
        path.write_bytes(spoiled)
    read_all(next(iter(files)).parent)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keep=st.floats(0, 1), which=st.integers(0, N - 1))
def test_cut_files(files, keep, which):
    for k, (path, whole) in enumerate(sorted(files.items())):
        path.write_bytes(whole[: int(len(whole) * keep)] if k == which else whole)
    read_all(next(iter(files)).parent)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_flipped_bytes_of_an_enhanced_image(tmp_path_factory, seed):
    path = series.save(series.enhanced(3), tmp_path_factory.mktemp("one") / "one")
    chance, spoiled = random.Random(seed), bytearray(path.read_bytes())
    for _ in range(6):
        spoiled[chance.randrange(132, 3000)] = chance.randrange(256)
    path.write_bytes(spoiled)
    read_all(path)


def test_inspect_of_damaged_files_is_json_or_an_error_in_json(files, capsys):
    for path, whole in files.items():
        path.write_bytes(whole[:1000])
    assert main(["inspect", str(path.parent), "--json"]) == 3
    json.loads(capsys.readouterr().out)
