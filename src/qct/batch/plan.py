"""From places to units: a study whose series lie in several folders becomes one unit."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from qct.batch.discover import (
    DICOM_SUFFIXES,
    Place,
    Unit,
    index_place,
    is_url,
    key_of,
    places_in,
    rows_of,
    signed,
)
from qct.batch.pool import Job
from qct.errors import NothingToReadError, NotReachedError, OptionError
from qct.worklist import Worklist

Run = Callable[[Iterable[Job]], Iterator[tuple[Job, dict[str, Any]]]]
"""Does jobs and yields each with its outcome."""

INDEX = f"{index_place.__module__}:{index_place.__name__}"


def refuse_absent(studies: str) -> None:
    """Refuse a path that there is not, before anything is written.

    Raises
    ------
    NothingToReadError
    """
    if not is_url(studies) and not Path(studies).exists():
        raise NothingToReadError(f"there is no {studies}", hint="Check the spelling of the path.")


def make_plan(studies: str, worklist: Worklist, run: Run) -> list[Unit]:
    """Return every study that is meant, sorted by key.

    Parameters
    ----------
    studies : str
        A folder, archive, DICOMDIR or volume file; a URL; or a CSV file of paths with covariates.
    worklist : Worklist
        Remembers what headers said.
    run : callable
        Does the reading of headers.

    Raises
    ------
    NothingToReadError
        If there is no such path.
    OptionError
        If the CSV file names no paths, or one of them twice.
    """
    if studies.lower().endswith(".csv"):
        units = _listed(Path(studies), worklist, run)
    elif is_url(studies):
        units = [_remote(studies, None, {})]
    else:
        units = _of_tree(Path(studies), worklist, run)
    return sorted(units, key=lambda unit: unit.key)


def _of_tree(top: Path, worklist: Worklist, run: Run) -> list[Unit]:
    places = list(places_in(top))
    found = _index(places, worklist, run)
    meant: dict[tuple[str, str], list[tuple[Place, dict[str, Any]]]] = {}
    for place in places:
        for study in found[place.path]:
            if _is_meant(place, study, top):
                # only folders can share a study; an archive or a volume file stands alone
                apart = "" if place.names and study.get("uid") else place.path
                meant.setdefault((study.get("uid") or "", apart), []).append((place, study))
    joint = _index([_joined(group) for group in meant.values() if len(group) > 1], worklist, run)
    return [_unit(group, top, joint) for group in meant.values()]


def _index(
    places: Iterable[Place], worklist: Worklist, run: Run
) -> dict[str, list[dict[str, Any]]]:
    """Return what every place holds, from the ledger or from its headers."""
    by_path = {place.path: place for place in places}
    known = {path: worklist.found(path, one.signature) for path, one in by_path.items()}
    jobs = [Job(p, INDEX, (p, by_path[p].names)) for p, found in known.items() if found is None]
    for job, outcome in run(jobs):
        found = outcome.get("value")
        if found is None:
            found = [{"uid": None, "files": [], "refusal": outcome["refusal"]}]
        known[job.key] = found
        worklist.keep_found(job.key, by_path[job.key].signature, found)
    return {path: found or [] for path, found in known.items()}


def _is_meant(place: Place, study: dict[str, Any], top: Path) -> bool:
    """Tell a study, readable or not, from the notes and tables that lie beside one."""
    if study.get("n_groups") or not place.names:
        return True
    if any(name.lower().endswith(DICOM_SUFFIXES) or "." not in name for name in place.names):
        return True
    here = Path(place.path)
    return here != top and here.parent == top and not any(p.is_dir() for p in here.iterdir())


def _joined(group: list[tuple[Place, dict[str, Any]]]) -> Place:
    """Return the files of one study in several folders as one place."""
    files = [Path(file) for _, study in group for file in study["files"]]
    at = f"study {group[0][1]['uid']}"
    return Place(path=at, signature=signed(files), n_bytes=0, names=tuple(map(str, files)))


def _unit(
    group: list[tuple[Place, dict[str, Any]]],
    top: Path,
    joint: dict[str, list[dict[str, Any]]],
) -> Unit:
    place, study = group[0]
    files = [file for _, one in group for file in one["files"]]
    if len(group) > 1:
        study = joint[_joined(group).path][0]
    is_archive = not place.names
    at = os.path.commonpath([one.path for one, _ in group])
    source = os.path.relpath(at, top.parent)
    chosen = Unit(
        key=key_of(
            os.path.relpath(at, top) if at != str(top) else top.name, source, study.get("uid") or ""
        ),
        source=source,
        parts=(place.path,) if is_archive else tuple(files),
        signature=signed([Path(f) for f in files]) if not is_archive and files else place.signature,
        n_bytes=place.n_bytes if is_archive else sum(Path(f).stat().st_size for f in files),
        n_voxels=study.get("n_voxels", 0),
        chosen=study.get("chosen", ""),
        series_uid=study.get("series_uid") if place.path.lower().endswith(".zip") else None,
    )
    refusal = study.get("refusal")
    return chosen if refusal is None or not is_final(refusal) else replace(chosen, refusal=refusal)


def is_final(refusal: dict[str, Any]) -> bool:
    """Tell a refusal of the data from a failure of the machine or the network."""
    kind = str(refusal["kind"])
    return kind.endswith("Error") and kind != NotReachedError.__name__


def _listed(table: Path, worklist: Worklist, run: Run) -> list[Unit]:
    """Take each row as one study, as it stands; what is in it is found when it is measured."""
    units = []
    for path, series_uid, covariates in rows_of(table):
        if is_url(path):
            units.append(_remote(path, series_uid, covariates))
            continue
        at = Path(path)
        places = list(places_in(at)) if at.exists() else []
        units.append(
            Unit(
                key=_listed_key(path, covariates),
                source=os.path.relpath(at, table.parent),
                parts=(path,),
                signature="".join(p.signature for p in places)[:256] or "absent",
                n_bytes=sum(p.n_bytes for p in places),
                series_uid=series_uid,
                covariates=covariates,
            )
        )
    _refuse_doubles(units, table)
    return units


def _listed_key(path: str, covariates: dict[str, str]) -> str:
    name = covariates.get("study") or Path(path).name
    return key_of(name, covariates.get("study", ""), path)


def _refuse_doubles(units: list[Unit], table: Path) -> None:
    keys = [unit.key for unit in units]
    if len(set(keys)) < len(keys):
        raise OptionError(
            f"{table.name} names {len(keys) - len(set(keys))} studies more than once",
            hint="Keep one row per study.",
        )


def _remote(url: str, series_uid: str | None, covariates: dict[str, str]) -> Unit:
    from qct.batch.store import remote_signature

    refusal = None
    try:
        signature, n_bytes = remote_signature(url)
    except NotReachedError as error:  # costs this study, not the others of the list
        signature, n_bytes = "not reached", 0
        kind = type(error).__name__
        refusal = {"kind": kind, "message": str(error), "hint": error.hint}
    return Unit(
        key=key_of(url.rstrip("/").rpartition("/")[2], url),
        source=url,
        parts=(url,),
        signature=signature,
        n_bytes=n_bytes,
        series_uid=series_uid,
        refusal=refusal,
        covariates=covariates,
    )
