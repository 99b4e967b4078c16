"""Where studies come from and results go: folders, or whatever ``fsspec`` has a URL for."""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qct.batch.discover import is_url
from qct.errors import NotReachedError, OptionError, WriteError

CHECKS = (
    "ETag",
    "etag",
    "md5Hash",
    "checksum",
    "mtime",
    "LastModified",
    "last_modified",
    "updated",
    "Last-Modified",
    "Content-MD5",
)
"""What file systems call the thing that changes when a file does; the first one present is used."""

LAST = "analysis.json"
"""Written after everything else, so that a folder with it is whole."""


def write_study(out: str, key: str, files: Mapping[str, bytes]) -> int:
    """Write the result of one study, whole or not at all; return its bytes.

    Raises
    ------
    WriteError
        If there is no room, or the output folder has gone.
    """
    if is_url(out):
        _upload(f"{out.rstrip('/')}/studies/{key}", files)
    else:
        from qct.export import write_folder

        studies = Path(out, "studies")
        if (
            not studies.is_dir()
        ):  # never make a second home for results of a run that lost its first
            raise WriteError(
                f"the output folder {out} has gone",
                hint="Bring it back, then run the same command again.",
            )
        write_folder(studies / key, files, force=True)
    return sum(map(len, files.values()))


def is_written(out: str, key: str) -> bool:
    """Tell whether a result is there; one that the ledger has and the disk has not is made again."""
    if is_url(out):
        return bool(_files_of(out).exists(f"{out.rstrip('/')}/studies/{key}/{LAST}"))
    return Path(out, "studies", key, LAST).is_file()


def write_file(path: Path, content: bytes) -> None:
    """Replace one file as a whole: written aside, synced, renamed.

    Raises
    ------
    WriteError
        If it cannot be written; the old one stays.
    """
    aside = ""
    try:
        descriptor, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
    except OSError as error:
        if aside:
            Path(aside).unlink(missing_ok=True)
        raise WriteError(
            f"{path.name} cannot be written: {error.strerror}",
            hint="Make room or bring the folder back, then run the same command again.",
        ) from error


def upload_tables(out: str, folder: Path) -> None:
    """Copy the tables of a run to a URL."""
    for file in sorted(p for p in folder.iterdir() if p.is_file()):
        _upload(out.rstrip("/"), {file.name: file.read_bytes()})


def remote_signature(url: str) -> tuple[str, int]:
    """Return what changes when the files under a URL do, and their bytes.

    Raises
    ------
    NotReachedError
        If the place does not answer, or there is nothing.
    """
    files = _files_of(url)
    with _reaching(url):
        listed = files.find(url, detail=True)
        for name, about in listed.items():
            if about.get("size") is None:  # a web server tells more when it is asked for one file
                listed[name] = files.info(name)
    if not listed:
        raise NotReachedError(f"there is nothing at {url}", hint="Check the URL.")
    told = hashlib.sha256()
    for name, about in sorted(listed.items()):
        check = next((str(about[c]) for c in CHECKS if about.get(c) is not None), "")
        told.update(f"{name}\0{about.get('size')}\0{check}\n".encode())
    return told.hexdigest()[:32], sum(about.get("size") or 0 for about in listed.values())


def fetch(parts: tuple[str, ...], folder: Path) -> Path:
    """Copy what URLs name into a folder; return the one file, or the folder.

    Raises
    ------
    NotReachedError
        If it cannot be fetched.
    """
    for part in parts:
        files = _files_of(part)
        with _reaching(part):
            for number, name in enumerate(files.find(part)):
                files.get_file(name, str(folder / f"{number:06d}-{name.rpartition('/')[2]}"))
    fetched = list(folder.iterdir())
    if not fetched:
        raise NotReachedError(f"there is nothing at {parts[0]}", hint="Check the URL.")
    return fetched[0] if len(fetched) == 1 else folder


def _upload(url: str, files: Mapping[str, bytes]) -> None:
    there = _files_of(url)
    try:
        there.makedirs(url, exist_ok=True)
        for name in sorted(files, key=lambda one: one == LAST):
            there.pipe_file(f"{url}/{name}", files[name])
    except Exception as error:  # every file system has errors of its own
        raise WriteError(
            f"{url} cannot be written: {type(error).__name__}", hint="Check the credentials."
        ) from error


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # every file system has errors of its own
        raise NotReachedError(
            f"{url} cannot be reached: {type(error).__name__}",
            hint="Check the URL and the credentials.",
        ) from error


def _files_of(url: str) -> Any:
    """Return the file system of a URL; credentials come from the environment."""
    try:
        import fsspec

        return fsspec.core.url_to_fs(url)[0]
    except ImportError as error:
        needed = error.msg if error.name is None else f"the package {error.name}"
        raise OptionError(f"{url} needs {needed}", hint="pip install 'qct[dask]'") from error
    except ValueError as error:
        raise OptionError(f"{url} is no URL that fsspec knows", hint="Check the URL.") from error
