"""How much memory there is, and how many workers it feeds."""

import os
from pathlib import Path

from qct.cores import n_cores

BASE_BYTES = 400 * 2**20
"""What a worker needs before it has read a scan: the interpreter and its libraries, measured."""

BYTES_PER_VOXEL = 20
"""What a worker needs at its peak for each voxel of the scan (docs/scaling.md)."""

TYPICAL_VOXELS = 512 * 512 * 300
"""A chest CT whose size is not known yet."""


RESERVE_SHARE = 0.1
"""Share of the memory left to everybody else."""


def need_bytes(n_voxels: int) -> int:
    """Return the memory one study takes at its peak.

    >>> need_bytes(512 * 512 * 300) / 2**30 < 2
    True
    """
    return BASE_BYTES + BYTES_PER_VOXEL * n_voxels


def available_bytes() -> int:
    """Return what may be used without swapping: the least of the machine's and the container's."""
    return min(_machine_bytes(), _container_bytes())


def workers_that_fit(asked: int) -> int:
    """Return how many workers to start: `asked`, or for 0 one per core if memory allows."""
    if asked:
        return asked
    fit = available_bytes() // need_bytes(TYPICAL_VOXELS)
    return max(1, min(n_cores(), fit))


def resident_bytes(pid: int) -> int:
    """Return what a process holds in memory; 0 where nobody knows."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _machine_bytes() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(line for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return 2**62
    return int(free.split()[1]) * 1024


def _container_bytes() -> int:
    """Return what the control group leaves (cgroup v2: memory.max, memory.current)."""
    group = Path("/sys/fs/cgroup")
    try:
        most = int((group / "memory.max").read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        used = int((group / "memory.current").read_text()) - int(stat["inactive_file"])
    except (OSError, ValueError, KeyError):
        return 2**62
    return most - used
