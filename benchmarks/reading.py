"""How long the headers of a large study take, and how much memory reading a long series.

    python benchmarks/reading.py [--slices 1000] [--headers 2000]

Writes a series of 512 x 512 into a temporary folder (0.5 GB for 1000 slices), reads it in a process of its
own, and prints wall and CPU seconds, peak memory, and what reading added to it in copies of the volume.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def write(folder: Path, n: int) -> None:
    """Write a series of 512 x 512."""
    from tests.read import series

    common = series.study("large")
    hu = [series.chest_hu(k, 512, 512) for k in range(4)]
    for k in range(n):
        ds = series.slice_dataset(k, hu[k % 4], common)
        ds.PixelSpacing = [0.7, 0.7]
        ds.ImagePositionPatient = [-180.0, -180.0, 0.4 * k]
        series.save(ds, folder / f"{k:05d}")


def headers(folder: Path) -> None:
    """Scan the headers three times; the first also warms the disk's cache."""
    from qct.read.inventory import taken_inventory

    for run in range(3):
        wall, cpu = time.perf_counter(), time.process_time()
        with taken_inventory(folder) as found:
            n = found.n_files
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"headers of {n} files, run {run + 1}: {wall:.2f} s wall, {cpu:.2f} s CPU")


def whole(folder: Path) -> None:
    """Read the whole series."""
    from qct.read import read_scan

    before, wall, cpu = peak_gb(), time.perf_counter(), time.process_time()
    scan = read_scan(folder)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    copies = (peak_gb() - before) / (scan.volume.hu.nbytes / 1e9)
    print(
        f"volume {scan.volume.shape} {np.dtype(scan.volume.hu.dtype)}: {wall:.2f} s wall, {cpu:.2f} s CPU, "
        f"peak {peak_gb():.2f} GB, {copies:.2f} copies of the volume"
    )


def peak_gb() -> float:
    """Return the largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    """Write, then measure each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=1000)
    parser.add_argument("--headers", type=int, default=2000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside, "series")
        write(folder, args.slices)
        links = Path(aside, "many")
        links.mkdir()
        files = sorted(folder.iterdir())
        for k in range(args.headers):
            (links / f"{k:05d}").hardlink_to(files[k % len(files)])
        for measure, place in ((headers, links), (whole, folder)):
            process = multiprocessing.get_context("spawn").Process(target=measure, args=(place,))
            process.start()
            process.join()


if __name__ == "__main__":
    main()
