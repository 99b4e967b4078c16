"""A second process makes the same objects, is missed by nobody, and outlives nobody."""

import contextlib
import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.export.analysis_builder import analysis_of, scan_in

from qct.errors import ReadError
from qct.export import dicom_apart as apart_module
from qct.export.dicom import USUAL, dicom_objects
from qct.export.dicom_apart import dicom_apart, usual_objects

pytest.importorskip("highdicom")
NOW = dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)
PDF = {"report.pdf": b"%PDF-1.4 small"}
SAMPLE = Path(__file__).parents[2] / "sample_data"


@pytest.fixture
def analysis(tmp_path):
    return analysis_of(scan_in(tmp_path / "in"))


@pytest.fixture
def apart(monkeypatch):
    monkeypatch.setattr(apart_module, "n_cores", lambda: 2)
    with dicom_apart() as apart:
        yield apart


def asked(apart, analysis):
    apart.read(analysis.scan)
    apart.frame(analysis.segmentation.labels)
    apart.make(analysis, NOW)
    return apart


def test_the_second_process_makes_the_same_bytes(apart, analysis):
    alone = usual_objects(analysis, PDF, NOW)
    asked(apart, analysis).wrap(PDF["report.pdf"])
    theirs = apart.made()
    assert theirs is not None
    assert list(theirs.items()) == list(alone.items())
    assert alone == dicom_objects(analysis, PDF, created=NOW)
    assert [name.removesuffix(".dcm") for name in theirs] == list(USUAL)


def test_labels_that_have_changed_since_they_were_framed_are_told_again(apart, analysis):
    edited = analysis.segmentation.labels.copy()
    edited[:, :, : edited.shape[2] // 2] = 0
    other = replace(analysis, segmentation=replace(analysis.segmentation, labels=edited))
    apart.read(analysis.scan)
    apart.frame(analysis.segmentation.labels)
    apart.make(other, NOW)
    apart.wrap(PDF["report.pdf"])
    assert apart.made() == usual_objects(other, PDF, NOW)
    assert usual_objects(other, PDF, NOW) != usual_objects(analysis, PDF, NOW)


def test_labels_are_told_once(analysis):
    labels = analysis.segmentation.labels
    bare, again, _ = apart_module._told(analysis, NOW, labels)
    assert again is None
    assert bare.segmentation.labels.size == 0
    assert apart_module._told(analysis, NOW, labels.copy())[1] is labels


def test_an_analysis_that_fails_after_its_segmentation_leaves_no_process(monkeypatch, analysis):
    monkeypatch.setattr(apart_module, "n_cores", lambda: 2)
    with contextlib.suppress(ReadError), dicom_apart() as apart:
        process = apart._process
        apart.read(analysis.scan)
        apart.frame(analysis.segmentation.labels)
        raise ReadError("measuring failed")
    assert process.returncode is not None


@pytest.mark.parametrize("when", ["before it is asked", "after it is asked"])
def test_objects_are_made_here_if_the_second_process_dies(apart, analysis, when):
    if when == "before it is asked":
        apart._process.kill()
        apart._process.wait()
    asked(apart, analysis)
    apart._process.kill()
    assert usual_objects(analysis, PDF, NOW, apart) == usual_objects(analysis, PDF, NOW)


def test_objects_are_made_here_if_no_process_can_be_begun(monkeypatch, analysis):
    monkeypatch.setattr(apart_module, "n_cores", lambda: 2)
    monkeypatch.setattr(sys, "executable", str(SAMPLE / "no python"))
    with dicom_apart() as nobody:
        assert nobody is None


def test_a_scan_that_is_gone_is_told_with_the_usual_sentence(apart, analysis, tmp_path):
    shutil.rmtree(tmp_path / "in")
    with pytest.raises(ReadError, match="not where the analysis read it"):
        usual_objects(analysis, PDF, NOW, asked(apart, analysis))


def test_a_scan_without_slices_is_told_with_the_usual_sentence(apart, analysis):
    bare = replace(analysis, scan=replace(analysis.scan, slices=()))
    with pytest.raises(ReadError, match="did not come as DICOM slices"):
        usual_objects(bare, PDF, NOW, asked(apart, bare))


@pytest.mark.parametrize(("threads", "cores"), [(1, 2), (0, 1), (2, 1)])
def test_one_core_has_one_process(monkeypatch, threads, cores):
    monkeypatch.setattr(apart_module, "n_cores", lambda: cores)
    with dicom_apart(threads) as apart:
        assert apart is None


def test_it_ends_with_what_it_was_begun_for_even_by_ctrl_c(monkeypatch, analysis):
    monkeypatch.setattr(apart_module, "n_cores", lambda: 2)
    with contextlib.suppress(KeyboardInterrupt), dicom_apart() as apart:
        asked(apart, analysis)
        process = apart._process
        raise KeyboardInterrupt
    assert process.returncode is not None


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs groups of processes")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_when_the_command_is_stopped(tmp_path, how):
    script = (
        "import signal, sys; from qct.cli import main; from qct.export import dicom_apart;"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"  # tests run in the background ignore it
        "dicom_apart.n_cores = lambda: 2; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "analyze", str(SAMPLE), "--dicom", "--quiet"]
    command += ["-o", str(tmp_path / "out")]
    first = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: children(first.pid))
        if how is signal.SIGINT:
            os.killpg(first.pid, how)  # as a terminal does: to both
        else:
            os.kill(first.pid, how)  # and nobody is left to end the second
        assert first.wait(60) != 0
        wait_for(lambda: not is_alive(first.pid))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(first.pid, signal.SIGKILL)
    assert not (tmp_path / "out").exists()


def children(pid):
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if not listed.exists():
        pytest.skip("needs /proc")
    return listed.read_text().split()


def is_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(is_so, seconds=60.0):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
