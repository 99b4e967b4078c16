"""Everything about speed in one command, written as docs/performance.md with its plots.

    python -m benchmarks.performance SCAN WORK [--rounds 3] [--lungmask-weights FILE]

SCAN is a chest CT of real size; WORK keeps the digital chests. Run it on a machine that does nothing else.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from benchmarks import growth, histogram, peers
from benchmarks.captured import captured, import_all
from benchmarks.end_to_end import as_installed, run_apart
from benchmarks.end_to_end import table as stage_table

DOCS = Path(__file__).parents[1] / "docs"
CHEST_SLICE_MM = 1.18
"""About 300 slices."""

PACKAGES = ("numba", "numpy", "scipy", "SimpleITK", "scikit-image", "pydicom")


def roofline(scan: Path) -> str:
    """Kernel by kernel: bytes of the arrays it is given and returns, against the time it took."""
    from qct.pipeline import analyze

    import_all()
    analyze(scan)  # compiles
    with captured() as calls:
        analyze(scan)
    roof = _reading_gb_s()
    lines = [
        f"Reading an array once from memory: {roof:.1f} GB/s on this machine, all threads.\n",
        "| kernel | calls | ms in all | MB | GB/s | of reading once |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, one in sorted(calls.items(), key=lambda item: -sum(item[1].seconds)):
        if not one.seconds:
            continue
        seconds, n_bytes = sum(one.seconds), sum(one.n_bytes)
        speed = n_bytes / seconds / 1e9
        lines.append(
            f"| `{name}` | {len(one.seconds)} | {1e3 * seconds:.1f} | {n_bytes / 1e6:.0f} |"
            f" {speed:.2f} | {100 * speed / roof:.0f} % |"
        )
    return "\n".join(lines)


def _reading_gb_s() -> float:
    """Sum a large array on every thread: what memory can give."""
    from concurrent.futures import ThreadPoolExecutor

    from qct.kernels.compiled import n_threads

    array = np.ones(200_000_000, np.uint8).view(np.uint64)
    parts = np.array_split(array, n_threads())
    with ThreadPoolExecutor(n_threads()) as pool:
        took = []
        for _ in range(5):
            begin = time.perf_counter()
            list(pool.map(np.max, parts))
            took.append(time.perf_counter() - begin)
    return array.nbytes / min(took) / 1e9


def first_run(scan: Path, rounds: int) -> str:
    """Time `qct analyze` without any compiled code, and again with what that run has compiled; medians."""
    runs = [_first_and_second_s(scan) for _ in range(rounds)]
    first = statistics.median(first for first, _ in runs)
    more = statistics.median(first - second for first, second in runs)
    return f"{first:.1f} s, {more:.1f} s more than the second"


def _first_and_second_s(scan: Path) -> tuple[float, ...]:
    walls = []
    with tempfile.TemporaryDirectory() as folder:
        environment = as_installed() | {"NUMBA_CACHE_DIR": f"{folder}/compiled"}
        for out in ("first", "second"):
            command = [sys.executable, "-m", "qct", "analyze", str(scan), "--quiet", "-o"]
            begin = time.perf_counter()
            subprocess.run([*command, f"{folder}/{out}"], check=True, env=environment)
            walls.append(time.perf_counter() - begin)
    return tuple(walls)


def yardstick_s() -> float:
    """Time a loop of plain Python: how fast this machine is today, whatever qct does."""
    took = []
    for _ in range(3):
        begin, total = time.perf_counter(), 0
        for number in range(10_000_000):
            total += number
        took.append(time.perf_counter() - begin)
    return min(took)


def page(scan: Path, work: Path, rounds: int, weights: Path | None) -> str:
    """Measure everything and write the page."""
    runs = [run_apart(scan) for _ in range(rounds + 1)][1:]
    with_dicom = [run_apart(scan, dicom=True) for _ in range(rounds)]
    chest = growth.Case("DICOM", "300 slices", slice_mm=CHEST_SLICE_MM)
    dicom_slices = growth.make(chest, work)
    dicom_stages = stage_table(
        [run_apart(chest.folder(work) / "dicom", dicom=True) for _ in range(rounds)]
    )
    grown = growth.measure(work)
    growth.plot(grown, DOCS / "performance_growth.svg")
    compared = peers.compare(scan, rounds, weights)
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    slices = sum(1 for one in scan.rglob("*") if one.is_file())
    return PAGE.format(
        date=datetime.now(UTC).date(),
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        python=platform.python_version(),
        packages=packages,
        slices=slices,
        rounds=rounds,
        stages=stage_table(runs),
        dicom=stage_table(with_dicom).splitlines()[-1],
        peers=peers.table(compared),
        dicom_slices=dicom_slices,
        dicom_stages=dicom_stages,
        yardstick=yardstick_s(),
        first=first_run(scan, rounds),
        histogram=histogram.table(),
        roofline=roofline(scan),
        growth=growth.table(grown),
    )


PAGE = """\
# Performance

Written by `python -m benchmarks.performance` on {date}: {machine}, Python {python}, {packages}. No GPU.
Every figure is from one run of that command; compare ratios, not seconds, with those of another machine. As a
yardstick: this one adds the numbers up to 10 million in a Python loop in {yardstick:.2f} s.

## One analysis, folder to report

{slices} slices of a real scan; medians of {rounds} runs after one that warms up, each a process of its own.
Folder in; JSON, CSV, labels, HTML and PDF out.

{stages}

With SEG, SR, key images and PDF as DICOM objects:

| stage | wall s | CPU s | peak GB |
| --- | ---: | ---: | ---: |
{dicom}

A digital chest of {dicom_slices} slices of 512 x 512 with the same DICOM objects, which a second process
makes beside the report (its CPU time is not in the table):

{dicom_stages}

The first run after an installation compiles its kernels, from both ends of the list in two processes: {first}
(medians of {rounds}). `qct warmup` does it ahead.

## Side by side

Each step in turn with the same step done by others, on the same scan.

{peers}

The networks of lungmask and TotalSegmentator need weights that do not come from PyPI; give lungmask's with
`--lungmask-weights`.

## Density of five lobes

The kernel counts slices of every label, then every lobe's voxels by third and HU; all densities come from these
counts. `numpy_masks` gives five numbers of each lobe and no thirds. The kernel and SimpleITK run on all
threads, the others on one.

{histogram}

## Kernels against memory

What a kernel's arrays hold, given and returned, over the time of its calls. A kernel that reads a neighbourhood
touches its bytes many times; one that skips the background touches fewer.

{roofline}

## How it grows

Digital chests of 512 x 512; twice the slices are half the thickness of the same chest.

{growth}

![How the cost of one analysis grows](performance_growth.svg)

Two batch workers against one: [batch.md](batch.md).
"""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lungmask-weights", type=Path)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    text = page(args.scan, args.work, args.rounds, args.lungmask_weights)
    (DOCS / "performance.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
