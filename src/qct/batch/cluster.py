"""The same jobs on a Dask cluster: Dask hands them out, moves them off lost workers and tries them again."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

from qct.batch.plan import Run
from qct.batch.pool import Job, Pool
from qct.cores import n_cores
from qct.errors import OptionError, ReadError

RETRIES = 2
"""How often Dask tries a study again whose process was killed."""

_IDLE: SimpleQueue[Pool] = SimpleQueue()
"""Process holders of this Dask worker that wait for their next study."""


class WorkerLostError(RuntimeError):
    """The process under a Dask worker was killed; raised for Dask to try again."""


@contextmanager
def connected(address: str, n_workers: int, timeout_s: float) -> Iterator[Run]:
    """Connect to a scheduler, or start one with workers on this machine for ``local``.

    Raises
    ------
    OptionError
        If Dask is not installed.
    ReadError
        If there is no scheduler at the address.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise OptionError("--dask needs Dask", hint="pip install 'qct[dask]'") from error
    cluster: Any = address
    if address == "local":
        cluster = LocalCluster(
            n_workers=n_workers or n_cores(), threads_per_worker=1, dashboard_address=None
        )
    try:
        client = Client(cluster, timeout="30s")
    except (OSError, TimeoutError) as error:
        raise ReadError(f"no Dask scheduler at {address}", hint="Check the address.") from error
    with client:
        yield lambda jobs: _run(client, jobs, timeout_s)
    if address == "local":
        cluster.close()


def do(job: Job, timeout_s: float, threads: int) -> dict[str, Any]:
    """Do one job in a process of its own beside this Dask worker, so that a crash or a hang has a name."""
    try:
        pool = _IDLE.get_nowait()
    except Empty:
        pool = Pool(1, threads, timeout_s)
    try:
        ((_, outcome),) = pool.run([job])
    except BaseException:
        pool.close()
        raise
    _IDLE.put(pool)
    if outcome.get("refusal", {}).get("kind") == "WorkerKilled":
        raise WorkerLostError(outcome["refusal"]["message"])
    return outcome


def _run(
    client: Any, jobs: Iterable[Job], timeout_s: float
) -> Iterator[tuple[Job, dict[str, Any]]]:
    from distributed import as_completed

    futures = {
        client.submit(do, job, timeout_s, 1, pure=False, retries=RETRIES): job for job in jobs
    }
    for future in as_completed(futures):
        job, lost = futures.pop(future), future.exception()
        if lost is None:
            yield job, future.result()
        else:
            message = f"its worker was lost {RETRIES + 1} times or more ({type(lost).__name__})"
            yield job, {"refusal": {"kind": "WorkerKilled", "message": message}}
        future.release()
