"""Find the files of a scan: in a folder, a zip archive, a DICOMDIR, or beside a single file."""

import lzma
import os
import shutil
import stat
import struct
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom

from qct.errors import NothingToReadError, ReadError
from qct.read.headers import HEADER_ERRORS

MAX_UNPACKED_BYTES = 16 * 2**30
"""Largest archive that is unpacked; a chest CT of 2000 slices of 512 x 512 takes 1 GiB."""

MAX_UNPACKED_RATIO = 100
"""Largest factor by which an archive may grow; CT slices shrink by 2 to 5, padded ones by up to 30."""

MIN_SUSPICIOUS_BYTES = 256 * 2**20
"""Archives that unpack to less than this are not asked for their ratio."""

MAX_ARCHIVE_MEMBERS = 200_000
"""Most files that an archive may hold."""

VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
"""Names of files that hold a whole volume and are no DICOM."""

_ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What zipfile raises on damaged bytes."""


@dataclass(frozen=True, slots=True)
class Haul:
    """What was found under the path that was handed in.

    Attributes
    ----------
    files : tuple of (Path, Path)
        Where the bytes are, and the path to tell a person (they differ for an archive).
    only_series_of : Path or None
        Only the series of this file is meant.
    n_unreadable : int
        Files and folders that could not be opened.
    """

    files: tuple[tuple[Path, Path], ...]
    only_series_of: Path | None = None
    n_unreadable: int = 0


@contextmanager
def discovered(path: Path) -> Iterator[Haul]:
    """Open what was handed in; an archive is unpacked aside and removed at the end.

    Raises
    ------
    NothingToReadError
        If there is no such path, or it is empty.
    ReadError
        If it may not be opened, or an archive is damaged, locked or unreasonably large.
    """
    if not path.exists():
        raise NothingToReadError(f"there is no {path}", hint="Check the spelling of the path.")
    if path.is_dir():
        yield _not_empty(_folder(path), path)
    elif not path.is_file():
        raise ReadError(f"{path} is neither a folder nor a file", hint="Hand in a DICOM folder.")
    elif _is_archive(path):
        with tempfile.TemporaryDirectory(prefix="qct-") as aside:
            yield _not_empty(_archive(path, Path(aside)), path)
    else:
        yield _beside(path)


def is_volume_file(path: Path) -> bool:
    """Tell by its name whether a file holds a whole volume (NIfTI, NRRD, MetaImage)."""
    return path.name.lower().endswith(VOLUME_SUFFIXES) and not path.is_dir()


def _not_empty(haul: Haul, path: Path) -> Haul:
    if haul.files:
        return haul
    if haul.n_unreadable:
        raise ReadError(
            f"nothing in {path.name} may be opened ({haul.n_unreadable} unreadable)",
            hint="Check the permissions of the files.",
        )
    raise NothingToReadError(
        f"{path.name} holds no file", hint="Hand in a folder with a CT series."
    )


def _folder(top: Path) -> Haul:
    """Walk a folder and its sub-folders; each is entered once, however many links lead to it."""
    files: list[tuple[Path, Path]] = []
    troubles: list[OSError] = []
    seen: set[tuple[int, int]] = set()
    for here, folders, names in os.walk(top, followlinks=True, onerror=troubles.append):
        folders.sort()
        at = Path(here).stat()
        if (at.st_dev, at.st_ino) in seen:
            folders.clear()
            continue
        seen.add((at.st_dev, at.st_ino))
        for name in sorted(names):
            file = Path(here, name)
            try:
                if stat.S_ISREG(file.stat().st_mode):
                    files.append((file, file))
            except OSError as trouble:
                troubles.append(trouble)
    return Haul(tuple(files), n_unreadable=len(troubles))


def _beside(file: Path) -> Haul:
    """Take the files that a DICOMDIR lists, or the neighbours of a single file."""
    if _is_dicomdir(file):
        return _not_empty(_listed(file), file)
    try:
        neighbours = sorted(p for p in file.parent.iterdir() if p.is_file())
    except OSError:
        neighbours = [file]
    return Haul(tuple((p, p) for p in neighbours), only_series_of=file)


def _is_dicomdir(file: Path) -> bool:
    return file.name.upper().startswith("DICOMDIR")


def _listed(dicomdir: Path) -> Haul:
    """List the files of a DICOMDIR that are really there, inside its folder."""
    top = dicomdir.parent.resolve()
    files, n_absent = [], 0
    for names in _names_listed(dicomdir):
        file = _ignoring_case(top, names)
        if file is None or not file.resolve().is_relative_to(top):
            n_absent += 1
        else:
            files.append((file, file))
    return Haul(tuple(files), n_unreadable=n_absent)


def _names_listed(dicomdir: Path) -> list[list[str]]:
    """Read the path of every file that a DICOMDIR lists, as the names it is made of."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of what it mends
            records = pydicom.dcmread(dicomdir).get("DirectoryRecordSequence") or ()
            paths = [record.get("ReferencedFileID") for record in records]
            return [[p] if isinstance(p, str) else [str(n) for n in p] for p in paths if p]
    except HEADER_ERRORS as trouble:
        raise ReadError(
            f"{dicomdir.name} cannot be read as a DICOMDIR", hint="Hand in its folder instead."
        ) from trouble


def _ignoring_case(top: Path, names: list[str]) -> Path | None:
    """Follow names from a DICOMDIR; media are often copied with the letters' case changed."""
    here = top
    for name in names:
        exact = here / name
        if not exact.exists():
            alike = [p for p in here.iterdir() if p.name.lower() == name.lower()]
            if not alike:
                return None
            exact = alike[0]
        here = exact
    return here if here.is_file() else None


def _is_archive(file: Path) -> bool:
    return file.suffix.lower() == ".zip" or zipfile.is_zipfile(file)


def _archive(file: Path, aside: Path) -> Haul:
    """Unpack an archive into numbered files, so that no name in it can lead out of the folder."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and m.file_size]
            _refuse_bomb(file, members, aside)
            return Haul(tuple(_unpack(archive, members, file, aside)))
    except OSError as trouble:
        raise ReadError(
            f"{file.name} cannot be unpacked ({trouble.strerror})",
            hint="Check the archive, its permissions, and the room for temporary files.",
        ) from trouble
    except _ARCHIVE_ERRORS as trouble:
        raise ReadError(
            f"{file.name} is a damaged or locked archive",
            hint="Unpack it, then hand in the folder.",
        ) from trouble


def _refuse_bomb(file: Path, members: list[zipfile.ZipInfo], aside: Path) -> None:
    size = sum(m.file_size for m in members)
    packed = max(1, sum(m.compress_size for m in members))
    room = shutil.disk_usage(aside).free
    too_dense = size > MIN_SUSPICIOUS_BYTES and size / packed > MAX_UNPACKED_RATIO
    if size > MAX_UNPACKED_BYTES or too_dense or len(members) > MAX_ARCHIVE_MEMBERS:
        raise ReadError(
            f"{file.name} would unpack to {len(members)} files of {size / 2**30:.1f} GiB, "
            f"{size / packed:.0f} times its size",
            hint="Unpack it, then hand in the folder of one study.",
        )
    if size > room:
        raise ReadError(
            f"{file.name} needs {size / 2**30:.1f} GiB of room to unpack, {room / 2**30:.1f} are free",
            hint="Free some room in the folder for temporary files, or unpack it elsewhere.",
        )


def _unpack(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], file: Path, aside: Path
) -> Iterator[tuple[Path, Path]]:
    for number, member in enumerate(members):
        place = aside / f"{number:06d}"
        with archive.open(member) as packed, place.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
        yield place, file / member.filename
