"""The digest that tells two states of one version apart."""

from importlib.resources import files
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from qct import software


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the package that a test may change; returns its root."""
    root = tmp_path / "qct"
    copytree(Path(str(files("qct"))), root, ignore=ignore_patterns("__pycache__", "fonts"))
    monkeypatch.setattr(software, "files", lambda _: root)
    return root


def digest():
    return software.code_digest.__wrapped__()


def test_a_copy_has_the_digest_of_what_it_was_copied_from(copied):
    assert digest() == software.code_digest()
    assert len(digest()) == software.DIGITS


@pytest.mark.parametrize("name", ["kernels/histogram.py", "interpret/gate.toml", "quantities.py"])
def test_a_changed_file_that_decides_numbers_changes_the_digest(copied, name):
    before = digest()
    with (copied / name).open("a") as file:
        file.write("# changed\n")
    assert digest() != before


def test_wording_caches_and_line_endings_do_not_change_the_digest(copied):
    before = digest()
    (copied / "report" / "wordings" / "en.toml").write_text("")
    (copied / "measure" / "__pycache__").mkdir()
    (copied / "measure" / "__pycache__" / "density.pyc").write_bytes(b"x")
    options = copied / "options.py"
    options.write_bytes(options.read_bytes().replace(b"\n", b"\r\n"))
    assert digest() == before
