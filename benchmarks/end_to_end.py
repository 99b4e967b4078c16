"""Where the time of one analysis goes: wall and CPU seconds and peak memory, stage by stage.

    python benchmarks/end_to_end.py SCAN [--runs 3]

The first run of a fresh installation also compiles the kernels and is printed apart.
"""

import argparse
import resource
import time
from pathlib import Path

from qct.pipeline import analyze, results


def one_run(scan: Path) -> dict[str, float]:
    """Analyse `scan` once; seconds per stage, and the whole as wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    analysis = analyze(scan)
    before_files = time.perf_counter()
    results(analysis)
    done = time.perf_counter()
    return {
        **analysis.timings_s,
        "files": done - before_files,
        "wall": done - wall,
        "cpu": time.process_time() - cpu,
    }


def peak_gb() -> float:
    """Return the largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Print a table, one row per run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    for run in range(args.runs + 1):
        row = one_run(args.scan)
        if run == 0:
            print(f"{'run':8}" + "".join(f"{name:>11}" for name in row) + f"{'peak GB':>11}")
        shown = "".join(f"{seconds:11.2f}" for seconds in row.values())
        print(f"{'first' if run == 0 else run:8}{shown}{peak_gb():11.2f}")


if __name__ == "__main__":
    main()
