"""Find the studies: places in a tree or rows of a list, then the studies in each place.

A place is a folder that directly holds files, an archive, a DICOMDIR or a volume file. What a place holds is
read from the headers once, by a worker, and remembered in the ledger until a name, size or time in it changes.
"""

import csv
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qct.errors import NothingToReadError, OptionError, ReadError

PATH_COLUMNS = ("path", "scan", "folder")
"""Headings that say where a study lies."""

VOLUME_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
"""Files that are a place of their own."""

DICOM_SUFFIXES = (".dcm", ".ima", ".dicom")
"""A folder with such a file was meant as a study, even if nothing in it can be read."""

MAX_SLUG = 60
"""Longest readable part of a key (characters)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Somewhere studies may lie; `names` only for a folder: its own files."""

    path: str
    signature: str
    n_bytes: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One study to measure.

    Attributes
    ----------
    key : str
        Name of the result folder: readable, and the same in every run.
    source : str
        What to tell a person.
    parts : tuple of str
        One path to hand in as it is, or several files that belong together.
    series_uid : str or None
        Where `parts` holds more than this study.
    refusal : mapping or None
        Known from the headers alone.
    """

    key: str
    source: str
    parts: tuple[str, ...]
    signature: str
    n_bytes: int = 0
    n_voxels: int = 0
    series_uid: str | None = None
    chosen: str = ""
    refusal: Mapping[str, str] | None = None
    covariates: Mapping[str, str] = field(default_factory=dict)


def is_url(text: str) -> bool:
    """Tell a URL (``s3://...``) from a path."""
    return re.match(r"[a-z][a-z0-9+.-]+://", text) is not None


def key_of(readable: str, *exact: str) -> str:
    """Return a folder name for a study, the same in every run.

    >>> key_of("site A/p 1", "1.2.3")[:9]
    'site_A_p_'
    """
    slug = re.sub(r"[^A-Za-z0-9-]+", "_", readable).strip("_")[-MAX_SLUG:] or "study"
    return f"{slug}-{hashlib.sha256(chr(10).join(exact).encode()).hexdigest()[:8]}"


def places_in(top: Path) -> Iterator[Place]:
    """Yield every place under a path; each folder is entered once, however many links lead to it."""
    if top.is_file():
        yield _file_place(top)
        return
    if not top.is_dir():
        raise NothingToReadError(f"there is no {top}", hint="Check the spelling of the path.")
    seen: set[tuple[int, int]] = set()
    for here, folders, names in os.walk(top, followlinks=True):
        at = Path(here).stat()
        if (at.st_dev, at.st_ino) in seen:
            folders.clear()
            continue
        seen.add((at.st_dev, at.st_ino))
        folders.sort()
        files = [p for name in sorted(names) if (p := Path(here, name)).is_file()]
        own = [p for p in files if p.suffix.lower() == ".zip" or _is_volume(p)]
        yield from map(_file_place, own)
        rest = [p for p in files if p not in own]
        if rest:
            size = sum(p.stat().st_size for p in rest)
            rest_names = tuple(p.name for p in rest)
            yield Place(path=here, signature=signed(rest), n_bytes=size, names=rest_names)


def rows_of(table: Path) -> Iterator[tuple[str, str | None, dict[str, str]]]:
    """Yield path or URL, series UID and covariates of every row of a list of studies.

    Raises
    ------
    OptionError
        If it has no column of paths, or cannot be read.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OptionError(
            f"{table.name} cannot be read as CSV", hint="Save it as UTF-8."
        ) from error
    headings = list(rows[0]) if rows else []
    column = next((h for h in headings if h and h.strip().lower() in PATH_COLUMNS), None)
    if column is None:
        raise OptionError(
            f"{table.name} has no column named {PATH_COLUMNS[0]}",
            hint="Name the column of folders `path`; every other column is a covariate.",
        )
    for row in rows:
        given = {k.strip(): (v or "").strip() for k, v in row.items() if k and k != column}
        path = (row[column] or "").strip()
        series_uid = given.pop("series_uid", "") or None
        yield path if is_url(path) else str(table.parent / path), series_uid, given


def signed(files: list[Path]) -> str:
    """Return a short text that changes when a name, size or time of a file does."""
    told = hashlib.sha256()
    for file in files:
        at = file.stat()
        told.update(f"{file.name}\0{at.st_size}\0{at.st_mtime_ns}\n".encode())
    return told.hexdigest()[:32]


def index_place(argument: tuple[str, tuple[str, ...]], progress: Any) -> list[dict[str, Any]]:
    """Read the headers of a place: one entry per study, with the series that would be measured.

    Runs in a worker. A place without an image gives one entry with a refusal and no study.
    """
    from qct.read.inventory import taken_inventory

    path, names = argument
    parts = tuple(str(Path(path, name)) for name in names) or (path,)
    with staged(parts) as (at, original), taken_inventory(at, progress) as inventory:
        if not inventory.groups:
            return [_described(inventory, None, original)]
        uids = dict.fromkeys(group.slices[0].study_uid for group in inventory.groups)
        return [_described(inventory, uid, original) for uid in uids]


def _described(inventory: Any, uid: str | None, original: Callable[[Path], str]) -> dict[str, Any]:
    from dataclasses import replace

    groups = tuple(g for g in inventory.groups if g.slices[0].study_uid == uid)
    its = replace(inventory, groups=groups)
    paths = sorted({original(one.path) for group in groups for one in group.slices})
    told: dict[str, Any] = {"uid": uid, "files": paths, "n_groups": len(groups)}
    try:
        chosen = its.choose(None)
    except ReadError as error:
        refusal = {"kind": type(error).__name__, "message": str(error), "hint": error.hint}
        return told | {"refusal": refusal}
    first = chosen.slices[0]
    return told | {
        "series_uid": first.series_uid,
        "chosen": f"{len(chosen.slices)} images, kernel {first.kernel or 'unknown'}",
        "n_voxels": len(chosen.slices) * first.pixels.rows * first.pixels.columns,
    }


@contextmanager
def staged(parts: tuple[str, ...]) -> Iterator[tuple[Path, Callable[[Path], str]]]:
    """Make one path of several files by links in a folder aside; fetch what has a URL.

    Also yields the function that says where a file of the folder really lies.
    """
    if len(parts) == 1 and not is_url(parts[0]):
        yield Path(parts[0]), str
        return
    with tempfile.TemporaryDirectory(prefix="qct-") as aside:
        folder = Path(aside, "study")
        folder.mkdir()
        if any(is_url(one) for one in parts):
            from qct.batch.store import fetch

            yield fetch(parts, folder), str
            return
        for number, part in enumerate(parts):
            (folder / f"{number:06d}-{Path(part).name}").symlink_to(Path(part).resolve())
        yield folder, lambda path: parts[int(path.name[:6])]


def _file_place(file: Path) -> Place:
    return Place(path=str(file), signature=signed([file]), n_bytes=file.stat().st_size)


def _is_volume(file: Path) -> bool:
    return file.name.lower().endswith(VOLUME_SUFFIXES)
