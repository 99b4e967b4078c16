"""The result folder appears as a whole or not at all.

Files are written into a hidden folder beside the place where the result shall stand, synced, and the
folder is renamed. Whoever looks sees the old result, the new one, or none; never half of one.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from qct.errors import OptionError, SignedError, WriteError
from qct.export.signed import SIGNATURE


def check_folder(out: Path, *, force: bool = False) -> None:
    """Refuse early what `write_folder` would refuse late, before minutes are spent on measuring.

    Raises
    ------
    OptionError
        If `out` is a file, or a folder that holds something and `force` is not set.
    SignedError
        If `out` holds a signed report; that is never replaced.
    WriteError
        If nothing can be written where `out` shall stand.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise OptionError(f"{out} is not a folder", hint="Name a new folder for the result.")
    if (out / SIGNATURE).exists():
        raise SignedError(
            f"{out} holds a signed report, which is not replaced", hint="Name another folder."
        )
    if out.is_dir() and any(out.iterdir()) and not force:
        raise OptionError(
            f"{out} is not empty", hint="Name a new folder, or replace this one with --force."
        )
    _try_beside(out)


def _try_beside(out: Path) -> None:
    """Make and remove an empty folder where the new one would be written aside, or nearest to it."""
    out = out.absolute()
    there = next(one for one in out.parents if one.exists())
    try:
        Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=there)).rmdir()
    except OSError as error:
        raise _refusal(out, error) from error


def write_folder(out: Path, files: Mapping[str, bytes], *, force: bool = False) -> None:
    """Write `files` (name to content) as the folder `out`.

    Parameters
    ----------
    out : Path
        Made with its parents. If it is there already, it has to be empty, or `force` set: then it is
        replaced as a whole, and kept if the new one cannot be written.
    files : mapping
        Names may hold ``/`` for subfolders.

    Raises
    ------
    OptionError
        As `check_folder`.
    WriteError
        If the disk is full, read-only or not ours; nothing is left behind.
    """
    check_folder(out, force=force)
    replace_folder(out, files)


def replace_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """Write `files` as the folder `out`, whatever it holds: for what goes on from its own content.

    Raises
    ------
    WriteError
        As `write_folder`.
    """
    out = out.absolute()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    except OSError as error:
        raise _refusal(out, error) from error
    try:
        _fill(aside, files)
        _swap(aside, out)
    except OSError as error:
        raise _refusal(out, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _fill(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    umask = os.umask(0)
    os.umask(umask)
    folder.chmod(0o777 & ~umask)  # mkdtemp makes it private; a result has the user's own habits
    _sync(folder)


def _swap(aside: Path, out: Path) -> None:
    """Put `aside` where `out` is; bring the old one back if that fails."""
    if not out.exists() or not any(out.iterdir()):
        aside.rename(out)
        _sync(out.parent)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".old", dir=out.parent))
    try:
        out.rename(old)  # an empty folder may be renamed over
        try:
            aside.rename(out)
        except OSError:
            old.rename(out)
            raise
        _sync(out.parent)
    finally:
        if out.exists():
            shutil.rmtree(old, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Make names durable; some file systems cannot, and need not."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refusal(out: Path, error: OSError) -> WriteError:
    return WriteError(
        f"the result cannot be written to {out}: {error.strerror or error}",
        hint="Name a folder that you may write to, on a disk with free space.",
    )
