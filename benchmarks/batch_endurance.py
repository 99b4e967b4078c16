"""A batch that is killed again and again ends with the tables of one that was left alone.

Run with ``python -m benchmarks.batch_endurance --work FOLDER [SCAN ...]``. Small digital chests of different
sizes, among them bad ones, and any SCAN beside them, are measured once undisturbed and once with ``kill -9`` at
random moments; each time the same command goes on. Ends with 1 if a study has neither a result nor its refusal,
if a table differs by one byte, or if something half-written is left.
"""

import argparse
import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

SIZES = ((72, 6.0), (80, 6.0), (88, 5.0), (96, 5.0), (64, 7.0), (104, 6.0))
"""Pixels across, and slice distance in mm, of the chests that are drawn; the others are made from these."""

TABLES = ("results.csv", "long.csv", "refused.csv", "dictionary.csv")


def main() -> int:
    """Run both ways and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "scans", type=Path, nargs="*", help="real scans to measure, too, each a study"
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=60)
    parser.add_argument("--bad", type=int, default=len(SPOILERS))
    parser.add_argument("--kills", type=int, default=10)
    args = parser.parse_args()
    studies = args.work / "studies"
    if not studies.is_dir():
        draw(studies, args.studies - len(args.scans) - args.bad, args.bad)
        for number, scan in enumerate(args.scans):
            (studies / f"real{number}").symlink_to(scan.resolve())
    wrong = compared(studies, args.work, args.kills, args.bad)
    print("; ".join(wrong) or "no fault")
    return int(bool(wrong))


def compared(studies: Path, work: Path, kills: int, n_bad: int) -> list[str]:
    """Run undisturbed and killed; return what is wrong."""
    calm, killed = work / "calm", work / "killed"
    for out in (calm, killed):
        shutil.rmtree(out, ignore_errors=True)
    begin = time.monotonic()
    run(studies, calm).wait()
    whole_s = time.monotonic() - begin
    print(f"undisturbed: {whole_s:.0f} s, {ended(calm)}", flush=True)
    moments = random.Random(20)
    for number in range(kills):
        process = run(studies, killed)
        time.sleep(whole_s * moments.uniform(0.02, 0.18))
        is_at_work = process.poll() is None
        if is_at_work:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        n_done = len(list(killed.glob("studies/[!.]*")))
        print(
            f"kill {number + 1}: {n_done} folders{'' if is_at_work else ', had ended'}", flush=True
        )
    run(studies, killed).wait()
    print(f"resumed: {ended(killed)}", flush=True)
    return list(faults(studies, calm, killed, n_bad))


def faults(studies: Path, calm: Path, killed: Path, n_bad: int) -> list[str]:
    """Return what is wrong with the two outputs."""
    wrong = [
        f"{name} differs"
        for name in TABLES
        if (calm / name).read_bytes() != (killed / name).read_bytes()
    ]
    meant, (n_done, refused) = len(list(studies.iterdir())), ended(calm)
    if n_done + len(refused) != meant:
        wrong.append(f"{n_done} results and {len(refused)} refusals of {meant} studies")
    if len(refused) != n_bad or not all("bad" in source for source in refused):
        wrong.append(f"refused: {refused}")
    left = [path.name for out in (calm, killed) for path in (out / "studies").glob(".*")]
    return wrong + [f"{name} is left over" for name in left]


def run(studies: Path, out: Path) -> subprocess.Popen[bytes]:
    """Start the command."""
    command = [sys.executable, "-m", "qct", "batch", str(studies), "-o", str(out), "--quiet"]
    return subprocess.Popen([*command, "--workers", "2", "--threads", "1"], start_new_session=True)


def ended(out: Path) -> tuple[int, dict[str, str]]:
    """Return how many have a result, and why the others have none."""
    done, refused = (_rows(out / name) for name in ("results.csv", "refused.csv"))
    return len(done), {row["source"]: row["kind"] for row in refused}


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as stream:
        return list(csv.DictReader(stream))


# --- studies ------------------------------------------------------------------------------------


def draw(studies: Path, n_good: int, n_bad: int) -> None:
    """Draw a few chests, and make as many studies of them as are wanted."""
    drawn = []
    for number, (size, step_mm) in enumerate(SIZES[: max(1, min(len(SIZES), n_good))]):
        at = studies.parent / "drawn" / str(number)
        shape = ["--size", size, "--slice-mm", step_mm, "--step-mm", step_mm, "--model-mm", 3]
        command = [sys.executable, "-m", "qct", "phantom", at, *shape, "--seed", number + 1]
        subprocess.run(
            [*map(str, command), "--compression", "none"], check=True, stdout=subprocess.DEVNULL
        )
        drawn.append(sorted((at / "dicom").rglob("*.dcm")) or sorted((at / "dicom").iterdir()))
    for number in range(n_good):
        copy(drawn[number % len(drawn)], studies / f"good{number:02d}", 1 + 0.002 * number)
    for number in range(n_bad):
        folder = studies / f"bad{number}"
        copy(drawn[number % len(drawn)], folder, 1 + 0.001 * number)
        SPOILERS[number % len(SPOILERS)](folder)


def copy(files: list[Path], folder: Path, scale: float) -> None:
    """Write a series as another patient's, with pixels scaled, so that no two studies have the same numbers."""
    folder.mkdir(parents=True)
    uids = {keyword: generate_uid() for keyword in ("StudyInstanceUID", "SeriesInstanceUID")}
    frame = generate_uid()
    for number, file in enumerate(files):
        ds = pydicom.dcmread(file)
        for keyword, uid in uids.items():
            setattr(ds, keyword, uid)
        ds.FrameOfReferenceUID, ds.SOPInstanceUID = frame, generate_uid()
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.PatientID = ds.PatientName = folder.name
        ds.PixelSpacing = [f"{float(v) * scale:.6f}" for v in ds.PixelSpacing]
        ds.save_as(folder / f"{number:03d}.dcm")


def each(folder: Path, change: Callable[[Dataset, int], None]) -> None:
    """Change every image of a study."""
    for number, path in enumerate(sorted(folder.iterdir())):
        ds = pydicom.dcmread(path)
        change(ds, number)
        ds.save_as(path)


def _cut(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-2000])


def _with_gap(folder: Path) -> None:
    for path in sorted(folder.iterdir())[10:14]:
        path.unlink()


def _not_dicom(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_text("not an image")


def _without_rescale(folder: Path) -> None:
    def change(ds: Dataset, number: int) -> None:
        del ds.RescaleSlope, ds.RescaleIntercept

    each(folder, change)


def _magnetic(folder: Path) -> None:
    def change(ds: Dataset, number: int) -> None:
        ds.Modality, ds.SOPClassUID = "MR", "1.2.840.10008.5.1.4.1.1.4"
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID

    each(folder, change)


def _two_patients(folder: Path) -> None:
    def change(ds: Dataset, number: int) -> None:
        ds.PatientID = f"P{number % 2}"

    each(folder, change)


def _water(folder: Path) -> None:
    def change(ds: Dataset, number: int) -> None:
        ds.PixelData = np.full_like(ds.pixel_array, -float(ds.RescaleIntercept)).tobytes()

    each(folder, change)


def _broken_zip(folder: Path) -> None:
    packed = folder / "scan.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.glob("*.dcm")):
            archive.write(path, path.name)
            path.unlink()
    packed.write_bytes(packed.read_bytes()[: packed.stat().st_size // 2])


SPOILERS = (
    _cut,
    _with_gap,
    _not_dicom,
    _without_rescale,
    _magnetic,
    _two_patients,
    _water,
    _broken_zip,
)
"""Ways to be a bad study; each has to end in a refusal."""


if __name__ == "__main__":
    sys.exit(main())
