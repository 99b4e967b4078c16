"""Where the time of one analysis goes: wall and CPU seconds and peak memory, stage by stage.

    python -m benchmarks.end_to_end SCAN [--runs 3] [--dicom]

Every run is a process of its own, folder to files, as a user meets it. The first also compiles what the cache
lacks. Memory is the largest resident size during the stage (Linux).
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

STAGES = {
    "reading": "read",
    "segmenting": "segment",
    "measuring": "measure",
    "judging": "interpret",
    "taking views": "show",
}
"""What the pipeline tells when a stage begins."""


class Meter:
    """Notes wall, CPU and peak memory from one mark to the next."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, float]] = {}
        self._name, self._wall, self._cpu = "import", _started(), 0.0

    def mark(self, name: str) -> None:
        """End what is measured and begin `name`."""
        wall, cpu = time.time(), sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        row = {"wall_s": wall - self._wall, "cpu_s": cpu - self._cpu, "peak_gb": _peak_gb()}
        self.rows[self._name] = row
        self._name, self._wall, self._cpu = name, wall, cpu
        _forget_peak()

    def told(self, doing: str, share: float) -> None:
        """Listen to the progress of the pipeline."""
        if doing in STAGES:
            self.mark(STAGES[doing])


def _started() -> float:
    """Return when this process began (seconds since the epoch)."""
    try:
        ticks = float(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        boot = time.time() - float(Path("/proc/uptime").read_text().split()[0])
        return boot + ticks / 100
    except OSError:
        return time.time()


def _peak_gb() -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e6
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _forget_peak() -> None:
    """Let the kernel measure the peak anew; where it cannot, the peak is that of the whole run so far."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def child(scan: Path, *, dicom: bool, threads: int) -> dict[str, dict[str, float]]:
    """Analyse and write, in this process."""
    meter = Meter()
    from qct.collector import collecting_seldom

    with collecting_seldom():  # as the commands do
        return _measured(meter, scan, dicom=dicom, threads=threads)


def _measured(
    meter: Meter, scan: Path, *, dicom: bool, threads: int
) -> dict[str, dict[str, float]]:
    from qct.export import write_folder
    from qct.export.dicom_apart import dicom_apart
    from qct.options import Options
    from qct.pipeline import analyze, results

    with (
        dicom_apart(threads) if dicom else nullcontext() as apart,
        tempfile.TemporaryDirectory() as folder,
    ):
        analysis = analyze(scan, options=Options(threads=threads), progress=meter.told, apart=apart)
        meter.mark("files")
        files = results(analysis, dicom=dicom, apart=apart)
        write_folder(Path(folder) / "out", files, force=False)
    meter.mark("end")
    rows = meter.rows
    rows["whole"] = {
        "wall_s": sum(row["wall_s"] for row in rows.values()),
        "cpu_s": sum(row["cpu_s"] for row in rows.values()),
        "peak_gb": max(row["peak_gb"] for row in rows.values()),
    }
    return rows


def as_installed() -> dict[str, str]:
    """Return the environment, with Python keeping bytecode: an installation has it."""
    return {name: told for name, told in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run_apart(scan: Path, *, dicom: bool = False, threads: int = 0) -> dict[str, Any]:
    """Run `child` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.end_to_end", str(scan), "--child"]
    command += ["--dicom"] * dicom + ["--threads", str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=as_installed())
    rows: dict[str, Any] = json.loads(done.stdout)
    return rows


def table(runs: list[dict[str, Any]]) -> str:
    """Medians of the runs as a Markdown table, a line per stage."""
    lines = ["| stage | wall s | CPU s | peak GB |", "| --- | ---: | ---: | ---: |"]
    for stage in runs[0]:
        figures = (
            sorted(run[stage][key] for run in runs)[len(runs) // 2] for key in runs[0][stage]
        )
        wall, cpu, peak = figures
        lines.append(f"| {stage} | {wall:.2f} | {cpu:.2f} | {peak:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Print a table: median of the runs after the first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dicom", action="store_true", help="also SEG, SR, key images, PDF")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(child(args.scan, dicom=args.dicom, threads=args.threads)))
        return
    first = run_apart(args.scan, dicom=args.dicom, threads=args.threads)
    print(f"first run: {first['whole']['wall_s']:.1f} s\n")
    again = [run_apart(args.scan, dicom=args.dicom, threads=args.threads) for _ in range(args.runs)]
    print(table(again))


if __name__ == "__main__":
    main()
