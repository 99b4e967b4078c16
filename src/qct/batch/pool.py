"""Workers of one machine: each slot has a process of its own that can be killed without the others.

A process pool of the standard library breaks as a whole when one of its processes dies; here a death costs one
study, is given a name, and the slot gets a new process.
"""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, Listener, wait
from typing import Any

from qct.batch.memory import available_bytes, resident_bytes
from qct.batch.worker import KEY, THREAD_VARIABLES

TICK_S = 0.25
"""How often deadlines and memory are looked at (s)."""

START_S = 60.0
"""How long a new process may take until it connects (s)."""

RESERVE_BYTES = 300 * 2**20
"""With less than this left on the machine, the largest worker is stopped before it swaps."""


@dataclass(frozen=True, slots=True)
class Job:
    """One call: ``function`` is ``module:name``, called with the argument and a progress callable."""

    key: str
    function: str
    argument: Any
    needs_bytes: int = 0
    is_alone: bool = False
    """Tried for the second time, with no other job beside it."""


@dataclass(slots=True)
class Slot:
    """One worker process and what it is doing."""

    threads: int
    process: subprocess.Popen[bytes] | None = None
    connection: Connection | None = None
    job: Job | None = None
    since: float = 0.0
    doom: dict[str, Any] | None = None
    """Why it was killed by us."""
    errors: Any = field(default=None, repr=False)

    def give(self, job: Job) -> None:
        """Start a job; a process is started if there is none."""
        self.job, self.doom = job, None
        if self.connection is None:
            self._start()
        self.since = time.monotonic()
        with suppress(OSError):  # a process that just died is met when it is listened to
            if self.connection is not None:
                self.connection.send((job.function, job.argument))

    def hear(self) -> dict[str, Any] | None:
        """Return the outcome of the job, None if it is still at work; a death is an outcome."""
        assert self.connection is not None
        try:
            kind, content = self.connection.recv()
        except (EOFError, OSError):
            return self._buried()
        return content if kind == "outcome" else None

    def kill(self, kind: str, message: str) -> None:
        """Stop the process, for a reason that becomes the outcome."""
        self.doom = {"kind": kind, "message": message}
        if self.process is not None:
            self.process.kill()

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        if self.connection is not None:
            self.connection.close()
        if self.errors is not None:
            self.errors.close()
        self.process = self.connection = self.errors = None

    def _start(self) -> None:
        key = secrets.token_bytes(16)
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        with Listener(authkey=key) as listener:
            environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(self.threads))
            environment |= {KEY: key.hex(), "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
            self.process = subprocess.Popen(
                [sys.executable, "-m", "qct.batch.worker", str(listener.address)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self.errors,
                env=environment,
            )
            # accept() would wait for ever for a process that dies before it connects
            listener._listener._socket.settimeout(START_S)  # type: ignore[attr-defined]
            with suppress(OSError):
                self.connection = listener.accept()
        if self.connection is None:
            self.close()
            raise RuntimeError("a worker process did not start")

    def _buried(self) -> dict[str, Any]:
        assert self.process is not None
        code = self.process.wait()
        told = self.doom or name_of_death(code, self._last_place())
        self.close()
        return {"refusal": told, "cost": {"wall_s": round(time.monotonic() - self.since, 3)}}

    def _last_place(self) -> str:
        """Return the innermost function of ours that faulthandler saw."""
        self.errors.seek(0)
        for line in self.errors.read().decode(errors="replace").splitlines():
            if line.startswith("  File") and "qct" in line and "batch/worker" not in line:
                return str(line.rpartition(" in ")[2])
        return ""


def name_of_death(code: int, place: str = "") -> dict[str, Any]:
    """Say why a process ended that was not meant to."""
    where = f" in {place}" if place else ""
    if code == -signal.SIGKILL:
        return {"kind": "WorkerKilled", "message": "its worker was killed (SIGKILL)"}
    if code < 0:
        name = signal.Signals(-code).name
        return {"kind": "WorkerCrashed", "message": f"native code crashed{where} ({name})"}
    return {"kind": "WorkerCrashed", "message": f"its worker ended{where} with exit code {code}"}


@dataclass(slots=True)
class Pool:
    """Slots, and the rules by which jobs get one.

    Parameters
    ----------
    n_workers, threads : int
        Processes, and threads in each.
    timeout_s : float
        After which a job counts as hanging.
    budget_bytes : int
        What the jobs at work may need together.
    """

    n_workers: int
    threads: int = 1
    timeout_s: float = 1800.0
    budget_bytes: int = 2**62
    slots: list[Slot] = field(default_factory=list)

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, dict[str, Any]]]:
        """Yield every job with its outcome, in the order in which they end."""
        waiting = deque(jobs)
        while len(self.slots) < self.n_workers:
            self.slots.append(Slot(self.threads))
        while waiting or self._busy():
            self._hand_out(waiting)
            heard: Any = wait([s.connection for s in self._busy() if s.connection], TICK_S)
            for slot in [s for s in self._busy() if s.connection in heard]:
                outcome = slot.hear()
                if outcome is None:
                    continue
                job, slot.job = slot.job, None
                assert job is not None
                if self._may_try_alone(job, outcome):
                    waiting.append(replace(job, is_alone=True))
                else:
                    yield job, outcome
            self._watch()

    def close(self) -> None:
        """End every process."""
        for slot in self.slots:
            slot.close()

    def _busy(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.job is not None]

    def _hand_out(self, waiting: deque[Job]) -> None:
        for slot in self.slots:
            if not waiting:
                return
            if slot.job is None and self._fits(waiting[0]):
                slot.give(waiting.popleft())

    def _fits(self, job: Job) -> bool:
        """Tell whether a job may start now; one alone always may."""
        at_work = [slot.job for slot in self._busy() if slot.job is not None]
        if not at_work:
            return True
        if job.is_alone or any(one.is_alone for one in at_work):
            return False
        return sum(one.needs_bytes for one in at_work) + job.needs_bytes <= self.budget_bytes

    def _may_try_alone(self, job: Job, outcome: dict[str, Any]) -> bool:
        kind = outcome.get("refusal", {}).get("kind")
        return kind in ("WorkerKilled", "OutOfMemory") and not job.is_alone

    def _watch(self) -> None:
        """Stop what hangs, and the largest before the machine swaps."""
        now = time.monotonic()
        for slot in self._busy():
            if slot.doom is None and now - slot.since > self.timeout_s:
                slot.kill("TimedOut", f"it did not end within {self.timeout_s:g} s")
        busy = [slot for slot in self._busy() if slot.process is not None]
        if busy and available_bytes() < RESERVE_BYTES and not any(s.doom for s in busy):
            largest = max(busy, key=lambda s: resident_bytes(s.process.pid if s.process else 0))
            largest.kill("OutOfMemory", "it needs more memory than there is")
