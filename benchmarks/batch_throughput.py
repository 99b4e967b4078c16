"""Throughput of one worker and of two, memory of each, and what a batch adds to `qct analyze`.

Run with ``python -m benchmarks.batch_throughput SCAN --work FOLDER [--copies 6] [--repeats 3]`` on a quiet
machine with two cores or more. The scan is measured as so many studies; kernels are compiled before anything is
timed. Throughput is wall time. The overhead of a batch of one worker is told twice: against one call of
`qct analyze` per study, and, more strictly, against one process that analyses study after study. There the
start of the batch and its worker counts against it, once, so it shrinks with the number of studies.
"""

import argparse
import csv
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pydicom
from pydicom.uid import generate_uid

ALONE = """
import sys, time
from pathlib import Path
from qct.batch.study import measure
from qct.batch.store import write_study
from qct.findings import no_progress
from qct.options import Options
Path(sys.argv[2], "studies").mkdir(parents=True)
folders = sorted(Path(sys.argv[1]).iterdir())
begin, cpu = time.perf_counter(), time.process_time()
for folder in folders:
    write_study(sys.argv[2], folder.name, measure(folder, Options(threads=1), no_progress))
print(time.perf_counter() - begin, time.process_time() - cpu)
"""

THREADS = dict.fromkeys(
    ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--copies", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    studies = args.work / "studies"
    if not studies.is_dir():
        for number in range(args.copies):
            copied(args.scan, studies / f"copy{number}")
    batch(studies, args.work / "warm", 1)
    one, two, alone, alone_cpu, calls = [], [], [], [], []
    for _ in range(args.repeats):  # in turn, so that a slow minute hits all alike
        one.append(batch(studies, args.work / "one", 1))
        two.append(batch(studies, args.work / "two", 2))
        wall_s, cpu_s = by_itself(studies, args.work / "alone")
        alone.append(wall_s)
        alone_cpu.append(cpu_s)
        calls.append(by_calls(studies, args.work / "calls"))
    told(args.copies, [one, two, alone, calls], args.work)
    measured_cpu = sum(costs(args.work / "one", "cpu_s"))
    print(f"CPU of the studies: in a batch {measured_cpu:.1f} s, alone {min(alone_cpu):.1f} s")


def told(n: int, walls: list[list[float]], work: Path) -> None:
    """Print the figures."""
    one, two, alone, calls = (statistics.median(times) for times in walls)
    print(f"load before: {os.getloadavg()[0]:.1f}; cores {os.cpu_count()}")
    print(f"one worker {one:.1f} s, two {two:.1f} s for {n} studies (medians)")
    print(f"two workers: {one / two:.2f} x the throughput of one")
    print(f"overhead over calls of qct analyze ({calls:.1f} s): {100 * (one / calls - 1):.1f} %")
    print(f"overhead over one process ({alone:.1f} s): {100 * (one / alone - 1):.1f} %")
    peak = max(costs(work / "two", "peak_bytes"))
    print(f"most memory of a worker: {peak / 2**30:.2f} GiB")


def batch(studies: Path, out: Path, workers: int) -> float:
    """Run one batch anew; return its wall time (s)."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "qct", "batch", studies, "-o", out, "--quiet"]
    begin = time.perf_counter()
    subprocess.run([*map(str, command), "--workers", str(workers), "--threads", "1"], check=True)
    return time.perf_counter() - begin


def by_itself(studies: Path, out: Path) -> tuple[float, float]:
    """Analyse the same studies in one process; return wall and CPU time (s)."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-c", ALONE, str(studies), str(out)]
    told = subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ | THREADS
    )
    wall_s, cpu_s = map(float, told.stdout.split())
    return wall_s, cpu_s


def by_calls(studies: Path, out: Path) -> float:
    """Call `qct analyze` for each study; return the wall time (s)."""
    shutil.rmtree(out, ignore_errors=True)
    begin = time.perf_counter()
    for folder in sorted(studies.iterdir()):
        command = [sys.executable, "-m", "qct", "analyze", folder, "-o", out / folder.name]
        options = ["--quiet", "--threads", "1"]
        subprocess.run([*map(str, command), *options], check=True, env=os.environ | THREADS)
    return time.perf_counter() - begin


def costs(out: Path, column: str) -> list[float]:
    """Return one column of the costs."""
    with (out / "costs.csv").open(newline="") as stream:
        return [float(row[column]) for row in csv.DictReader(stream)]


def copied(scan: Path, folder: Path) -> None:
    """Copy a series as a study of its own."""
    folder.mkdir(parents=True)
    study, series = generate_uid(), generate_uid()
    for number, path in enumerate(sorted(p for p in scan.rglob("*") if p.is_file())):
        try:
            ds = pydicom.dcmread(path)
        except pydicom.errors.InvalidDicomError:
            continue
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
        ds.save_as(folder / f"{number:04d}.dcm")


if __name__ == "__main__":
    main()
