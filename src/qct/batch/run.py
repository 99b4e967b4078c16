"""One batch from end to end: plan, measure what is missing, gather the tables."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import Any, Protocol

from qct import __version__
from qct.batch.discover import Unit, is_url
from qct.batch.memory import RESERVE_SHARE, available_bytes, need_bytes, workers_that_fit
from qct.batch.plan import Run, is_final, make_plan, refuse_absent
from qct.batch.pool import Job, Pool
from qct.batch.store import is_written, upload_tables
from qct.batch.study import MEASURE, Task
from qct.batch.tables import write_tables
from qct.cores import n_cores
from qct.errors import NotReachedError, OptionError, WriteError
from qct.options import Options
from qct.worklist import Entry, State, Worklist

RUN_STUDY = "qct.batch.study:run_study"
LEDGER = "ledger.sqlite"


class Watcher(Protocol):
    """Told what happens; shows it."""

    def planned(self, units: list[Unit], waiting: list[Unit]) -> None:
        """Every study, and those that have to be measured."""

    def ended(self, entry: Entry) -> None:
        """One study ended in a result or a refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a batch is run; no number depends on it.

    Attributes
    ----------
    workers : int
        Processes; 0 for as many as cores and memory allow.
    timeout_s : float
        Longest time for one study.
    retry : bool
        Try again what failed by the machine (crash, time, memory).
    dask : str or None
        Address of a scheduler, or ``local``.
    ledger : Path or None
        Where the ledger lies; needed if the output is a URL.
    measure : str
        What turns a scan into files, as ``module:name``.
    """

    workers: int = 0
    timeout_s: float = 1800.0
    retry: bool = False
    dask: str | None = None
    ledger: Path | None = None
    measure: str = MEASURE

    def __post_init__(self) -> None:
        if not 0 <= self.workers <= 1024:
            raise OptionError(f"workers = {self.workers} is not 0 to 1024", hint="0 fits them in.")
        if self.timeout_s <= 0:
            raise OptionError(
                f"timeout = {self.timeout_s:g} s is not positive", hint="Leave it out."
            )


def run_batch(
    studies: str, out: str, options: Options, settings: Settings, watcher: Watcher
) -> Path:
    """Measure every study that has no result yet, and write the tables.

    Parameters
    ----------
    studies : str
        See `qct.batch.plan.make_plan`.
    out : str
        Folder or URL.

    Returns
    -------
    Path
        The local folder with the tables.

    Raises
    ------
    WriteError
        If results can no longer be written; the same command goes on from there.
    OptionError, ReadError
        If the studies or the output folder are not what they should be.
    """
    refuse_absent(studies)
    home = _home(out, settings)
    made_by = f"{__version__} {_options_key(options)}"
    with Worklist(home / LEDGER) as worklist:
        _sweep(home / "studies")
        with _runner(settings, options) as (run, threads):
            units = make_plan(studies, worklist, run)
            worklist.plan(_planned(unit) for unit in units)
            waiting = [u for u in units if _is_missing(u, worklist, out, made_by, settings)]
            watcher.planned(units, waiting)
            for entry in _measured(
                waiting, worklist, run, (out, made_by), options, settings, threads
            ):
                worklist.finish(entry)
                watcher.ended(entry)
        write_tables(home, worklist)
        _write_summary(home, worklist)
    if is_url(out):
        upload_tables(out, home)
    return home


def _measured(
    waiting: list[Unit],
    worklist: Worklist,
    run: Run,
    target: tuple[str, str],
    options: Options,
    settings: Settings,
    threads: int,
) -> Iterator[Entry]:
    """Yield what becomes of every study."""
    out, made_by = target
    known = {unit.key: worklist.get(unit.key) for unit in waiting}
    by_key = {unit.key: unit for unit in waiting}
    for unit in waiting:
        if unit.refusal is not None:
            yield _refused(unit, dict(unit.refusal), made_by, {})
    plain = options.as_dict() | {"threads": threads}

    def job(unit: Unit) -> Job:
        task = Task(
            key=unit.key,
            parts=unit.parts,
            out=out,
            options=plain | ({"series_uid": unit.series_uid} if unit.series_uid else {}),
            known_hash=_known_hash(known[unit.key], out, made_by),
            measure=settings.measure,
        )
        return Job(unit.key, RUN_STUDY, task, need_bytes(unit.n_voxels))

    jobs = [job(unit) for unit in waiting if unit.refusal is None]
    for one, outcome in run(jobs):
        yield _ended(by_key[one.key], known[one.key], outcome, made_by)


def _ended(unit: Unit, known: Entry | None, outcome: dict[str, Any], made_by: str) -> Entry:
    refusal = outcome.get("refusal")
    cost = outcome.get("cost", {})
    if refusal is not None:
        if refusal.get("stops"):
            raise WriteError(refusal["message"], hint=refusal["hint"])
        return _refused(unit, refusal, made_by, cost)
    value = outcome["value"]
    if value["record"] is None:
        assert known is not None
        return replace(known, made_of=unit.signature)
    return Entry(
        key=unit.key,
        source=unit.source,
        signature=unit.signature,
        covariates=unit.covariates,
        state=State.DONE,
        made_of=unit.signature,
        input_hash=value["input_hash"],
        made_by=made_by,
        record=value["record"],
        cost=cost | {"bytes_in": value["bytes_in"], "bytes_out": value["bytes_out"]},
    )


def _refused(unit: Unit, refusal: dict[str, Any], made_by: str, cost: dict[str, float]) -> Entry:
    return Entry(
        key=unit.key,
        source=unit.source,
        signature=unit.signature,
        covariates=unit.covariates,
        state=State.REFUSED,
        made_of=unit.signature,
        made_by=made_by,
        record={name: refusal.get(name, "") for name in ("kind", "message", "hint")},
        cost=cost,
    )


def _planned(unit: Unit) -> Entry:
    return Entry(
        key=unit.key,
        source=unit.source,
        signature=unit.signature,
        covariates=unit.covariates,
    )


def _is_missing(unit: Unit, worklist: Worklist, out: str, made_by: str, settings: Settings) -> bool:
    """Tell whether a study has no result of this input, these options and this version."""
    known = worklist.get(unit.key)
    if known is not None and known.state is State.DONE and _is_unreached(unit):
        return False  # what was measured stays
    if known is None or known.made_by != made_by or known.made_of != unit.signature:
        return True
    if known.state is State.REFUSED:
        return settings.retry and not is_final(dict(known.record))
    return known.state is not State.DONE or not is_written(out, unit.key)


def _is_unreached(unit: Unit) -> bool:
    return unit.refusal is not None and unit.refusal["kind"] == NotReachedError.__name__


def _known_hash(known: Entry | None, out: str, made_by: str) -> str | None:
    """Return the content hash that needs no new result."""
    if known is None or known.state is not State.DONE or known.made_by != made_by:
        return None
    return known.input_hash if is_written(out, known.key) else None


def _options_key(options: Options) -> str:
    """Return a short text that changes with every setting that a number may depend on."""
    meant = {name: value for name, value in options.as_dict().items() if name != "threads"}
    return sha256(json.dumps(meant, sort_keys=True).encode()).hexdigest()[:16]


def _home(out: str, settings: Settings) -> Path:
    """Return the local folder of ledger and tables, made if need be."""
    if is_url(out) and settings.ledger is None:
        raise OptionError("a URL cannot hold the ledger", hint="Name a local folder with --ledger.")
    home = settings.ledger or Path(out)
    if home.is_dir() and any(home.iterdir()) and not (home / LEDGER).exists():
        raise OptionError(f"{home} is not empty and holds no batch", hint="Name a new folder.")
    try:
        (home / "studies").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(
            f"{home} cannot be made: {error.strerror}", hint="Name a folder you may write to."
        ) from error
    return home


def _sweep(studies: Path) -> None:
    """Remove what a killed run had begun to write."""
    for begun in studies.glob(".*"):
        rmtree(begun, ignore_errors=True)


@contextmanager
def _runner(settings: Settings, options: Options) -> Iterator[tuple[Run, int]]:
    """Give whatever does the jobs, and the threads of each."""
    if settings.dask is not None:
        from qct.batch.cluster import connected

        with connected(settings.dask, settings.workers, settings.timeout_s) as run:
            yield run, options.threads
        return
    n_workers = workers_that_fit(settings.workers)
    threads = options.threads or max(1, n_cores() // n_workers)
    budget = int(available_bytes() * (1 - RESERVE_SHARE))
    with closing(Pool(n_workers, threads, settings.timeout_s, budget)) as pool:
        yield pool.run, threads


def _write_summary(home: Path, worklist: Worklist) -> None:
    from qct.batch.store import write_file
    from qct.batch.summary import summary_html

    page = summary_html(list(worklist.planned(State.DONE)), list(worklist.planned(State.REFUSED)))
    write_file(home / "summary.html", page.encode())
