"""The ledger of a batch: which studies are meant, what became of each, and from what.

One SQLite file with one writer. Every change is one transaction on disk before it is believed, so a run that
is killed at any moment leaves either the old state of a study or the new one.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from qct.errors import OptionError, WriteError

SCHEMA_VERSION = 1
"""Raised when an old ledger can no longer be read."""

BUSY_S = 0.5
"""How long to wait for another writer before the ledger counts as taken (s)."""

_TABLES = """
CREATE TABLE IF NOT EXISTS found (place TEXT PRIMARY KEY, signature TEXT NOT NULL, found TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS studies (
    key TEXT PRIMARY KEY, planned INTEGER NOT NULL, source TEXT NOT NULL, covariates TEXT NOT NULL,
    signature TEXT NOT NULL, state TEXT NOT NULL, made_of TEXT, input_hash TEXT, made_by TEXT,
    record TEXT NOT NULL DEFAULT '{}', cost TEXT NOT NULL DEFAULT '{}');
"""


class State(StrEnum):
    """What became of a study."""

    PLANNED = "planned"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One study of the ledger.

    Attributes
    ----------
    key : str
        Name of its result folder.
    source : str
        Where it was found.
    covariates : mapping
        What the list of studies says about it.
    signature : str
        Names, sizes and times of its files.
    state : State
    made_of, input_hash, made_by : str or None
        Signature and content hash of the input, and options and version, of the last result.
    record : mapping
        Its numbers, or why there are none.
    cost : mapping
        Seconds and bytes.
    """

    key: str
    source: str
    signature: str
    covariates: Mapping[str, str] = field(default_factory=dict)
    state: State = State.PLANNED
    made_of: str | None = None
    input_hash: str | None = None
    made_by: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)


class Worklist:
    """The ledger file, open for one writer.

    Raises
    ------
    OptionError
        If another run has it open, or it is from another version.
    WriteError
        If it cannot be written, or has been taken away.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._refusing():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
            # A rollback journal, not a write-ahead log: SQLite then notices that its file was moved or removed.
            self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._base.execute("PRAGMA synchronous = FULL")
            with self._transaction():
                version = self._base.execute("PRAGMA user_version").fetchone()[0]
                self._check_version(version)
                for statement in _TABLES.strip().split(";\n"):
                    self._base.execute(statement)
                self._base.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self._inode = path.stat().st_ino

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def found(self, place: str, signature: str) -> Any:
        """Return what was found at a place, None if nobody looked or it has changed since."""
        row = self._base.execute(
            "SELECT found FROM found WHERE place = ? AND signature = ?", (place, signature)
        ).fetchone()
        return None if row is None else json.loads(row[0])

    def keep_found(self, place: str, signature: str, found: Any) -> None:
        """Remember what was found at a place."""
        with self._transaction():
            self._base.execute(
                "INSERT OR REPLACE INTO found VALUES (?, ?, ?)", (place, signature, _text(found))
            )

    def plan(self, entries: Iterable[Entry]) -> None:
        """Make these studies, and no others, the meant ones; what is known of them stays."""
        with self._transaction():
            self._base.execute("UPDATE studies SET planned = 0")
            self._base.executemany(
                "INSERT INTO studies (key, planned, source, covariates, signature, state) "
                "VALUES (?, 1, ?, ?, ?, 'planned') ON CONFLICT (key) DO UPDATE SET planned = 1, "
                "source = excluded.source, covariates = excluded.covariates, signature = excluded.signature",
                ((e.key, e.source, _text(dict(e.covariates)), e.signature) for e in entries),
            )

    def get(self, key: str) -> Entry | None:
        """Return one study."""
        row = self._base.execute(f"{_SELECT} WHERE key = ?", (key,)).fetchone()
        return None if row is None else _entry(row)

    def planned(self, state: State | None = None) -> Iterator[Entry]:
        """Yield the meant studies, sorted by key."""
        where = "planned = 1" if state is None else "planned = 1 AND state = ?"
        values = () if state is None else (state.value,)
        for row in self._base.execute(f"{_SELECT} WHERE {where} ORDER BY key", values):
            yield _entry(row)

    def finish(self, entry: Entry) -> None:
        """Write down what became of a study; on disk when this returns."""
        with self._transaction():
            self._base.execute(
                "UPDATE studies SET state = ?, made_of = ?, input_hash = ?, made_by = ?, record = ?, cost = ? "
                "WHERE key = ?",
                (
                    entry.state.value,
                    entry.made_of,
                    entry.input_hash,
                    entry.made_by,
                    _text(dict(entry.record)),
                    _text(dict(entry.cost)),
                    entry.key,
                ),
            )

    def _check_version(self, version: int) -> None:
        if version not in (0, SCHEMA_VERSION):
            raise OptionError(
                f"the ledger {self._path} has layout {version}, this qct knows {SCHEMA_VERSION}",
                hint="Name a new output folder.",
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._refusing():
            if hasattr(self, "_inode") and self._path.stat().st_ino != self._inode:
                raise FileNotFoundError(2, "replaced", str(self._path))
            self._base.execute("BEGIN EXCLUSIVE")
            try:
                yield
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise OptionError(
                    f"another run is writing to {self._path.parent}",
                    hint="Wait until it has ended, or name another output folder.",
                ) from error
            raise self._lost(str(error)) from error
        except (sqlite3.DatabaseError, OSError) as error:
            raise self._lost(str(error)) from error

    def _lost(self, why: str) -> WriteError:
        return WriteError(
            f"the ledger {self._path} cannot be written: {why}",
            hint="Make room or bring the folder back, then run the same command again.",
        )


_SELECT = (
    "SELECT key, source, covariates, signature, state, made_of, input_hash, made_by, record, cost "
    "FROM studies"
)


def _entry(row: tuple[Any, ...]) -> Entry:
    key, source, covariates, signature, state, made_of, input_hash, made_by, record, cost = row
    return Entry(
        key=key,
        source=source,
        covariates=json.loads(covariates),
        signature=signature,
        state=State(state),
        made_of=made_of,
        input_hash=input_hash,
        made_by=made_by,
        record=json.loads(record),
        cost=json.loads(cost),
    )


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
