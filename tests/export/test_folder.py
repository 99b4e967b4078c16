"""The result folder."""

import errno
from pathlib import Path

import pytest

from qct.errors import OptionError, WriteError
from qct.export.folder import check_folder, write_folder

FILES = {"a.txt": b"one", "deep/b.txt": b"two"}


def test_the_folder_holds_what_was_handed_over_and_nothing_else_is_left(tmp_path):
    write_folder(tmp_path / "new" / "out", FILES)
    out = tmp_path / "new" / "out"
    assert (out / "deep" / "b.txt").read_bytes() == b"two"
    assert [p.name for p in out.parent.iterdir()] == ["out"]


def test_a_folder_with_something_in_it_is_replaced_only_when_asked(tmp_path):
    out = tmp_path / "out"
    write_folder(out, {"old.txt": b"old"})
    with pytest.raises(OptionError, match="not empty"):
        write_folder(out, FILES)
    assert [p.name for p in out.iterdir()] == ["old.txt"]
    write_folder(out, FILES, force=True)
    assert sorted(p.name for p in out.iterdir()) == ["a.txt", "deep"]
    assert list(tmp_path.iterdir()) == [out]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    write_folder(tmp_path / "out", FILES)
    assert (tmp_path / "out" / "a.txt").is_file()


def test_a_file_is_no_place_for_a_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OptionError, match="not a folder"):
        write_folder(tmp_path / "out", FILES, force=True)
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("broken", ["fsync", "rename"])
def test_when_writing_fails_the_old_result_stays_and_nothing_new(tmp_path, monkeypatch, broken):
    out = tmp_path / "out"
    write_folder(out, {"old.txt": b"old"})
    rename = Path.rename

    def no_space(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def no_rename(path, target):
        if path.name.endswith(".part"):
            no_space()
        return rename(path, target)

    if broken == "fsync":
        monkeypatch.setattr("os.fsync", no_space)
    else:
        monkeypatch.setattr(Path, "rename", no_rename)
    with pytest.raises(WriteError, match="No space left") as caught:
        write_folder(out, FILES, force=True)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == [out]
    assert (out / "old.txt").read_bytes() == b"old"


def test_a_place_where_nothing_can_be_made_is_refused_with_a_hint(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError) as caught:
        write_folder(tmp_path / "file" / "out", FILES)
    assert caught.value.hint


def test_where_nothing_can_be_written_is_told_before_anything_is_measured(tmp_path, monkeypatch):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(WriteError, match=r"note\.txt.out"):
        check_folder(tmp_path / "note.txt" / "out")

    def read_only(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.mkdtemp", read_only)
    with pytest.raises(WriteError, match="Read-only"):
        check_folder(tmp_path / "deep" / "out")


def test_looking_whether_a_place_can_be_written_leaves_nothing(tmp_path):
    check_folder(tmp_path / "deep" / "out")
    assert not list(tmp_path.iterdir())
