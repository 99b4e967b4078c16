"""Every DICOM object of real scans, with their own segmentation, against tools that others wrote.

Run with ``python -m benchmarks.dicom_conformance SCAN ... [--work FOLDER]``. For each scan: `qct analyze`, all
objects, signed and unsigned; errors of dciodvfy, whether dcmdump and dsrdump read them, whether dcmqi reads
segmentation and report, and whether the segmentation brings the labels back voxel by voxel. Ends with 1 if
anything is wrong.
"""

import argparse
import datetime as dt
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import DeflatedExplicitVRLittleEndian

from qct.export.dicom import OBJECTS, dicom_objects
from qct.export.dicom_instance import as_file
from qct.export.dicom_source import read_source
from qct.findings import Analysis
from qct.pipeline import analyze, results
from qct.segment.imported import read_labels
from qct.signature import Signature

READERS = {
    "dcmdump": ["dcmdump", "-q"],
    "dsrdump": ["dsrdump", "-q"],
}


def main() -> int:
    """Check every scan that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scans", type=Path, nargs="+")
    parser.add_argument("--work", type=Path)
    args = parser.parse_args()
    n_wrong = 0
    with tempfile.TemporaryDirectory(dir=args.work) as work:
        for number, scan in enumerate(args.scans):
            folder = Path(work, str(number))
            folder.mkdir()
            wrong = list(faults(scan, folder))
            print(f"{scan}: {'; '.join(wrong) or 'no fault'}", flush=True)
            n_wrong += bool(wrong)
    return int(n_wrong > 0)


def faults(scan: Path, folder: Path) -> Iterator[str]:
    """Yield what is wrong with the objects of one scan."""
    analysis = analyze(scan)
    source, pdf = read_source(analysis.scan), results(analysis)["report.pdf"]
    for state, one in (("unsigned", analysis), ("signed", as_signed(analysis))):
        objects = OBJECTS if state == "unsigned" else ("sr", "pdf")
        begin = time.process_time()
        files = dicom_objects(one, {"report.pdf": pdf}, objects=objects, source=source)
        sizes = ", ".join(f"{name} {len(content) / 1e6:.2f} MB" for name, content in files.items())
        print(f"  {state}: {time.process_time() - begin:.1f} s CPU; {sizes}", flush=True)
        for name, content in files.items():
            path = folder / f"{state}-{name}"
            path.write_bytes(content)
            for fault in broken(path):
                yield f"{path.name}: {fault}"
    again = read_labels(folder / "unsigned-seg.dcm", analysis.scan)
    if not np.array_equal(again, analysis.segmentation.labels):
        yield "the segmentation does not bring the labels back"
    yield from unread_by_dcmqi(folder)


def as_signed(analysis: Analysis) -> Analysis:
    """Sign an analysis, for the look of its objects."""
    when = dt.datetime.now().astimezone()
    signature = Signature(
        interpretation="Words of a check.",
        signer="Check, Conformance",
        credentials="none",
        signed_at=when,
        digests={},
    ).with_addendum("More words.", author="Check, Conformance", credentials="none", written_at=when)
    return replace(analysis, signature=signature)


def broken(path: Path) -> Iterator[str]:
    """Yield what the validator and the readers of DCMTK say of one object."""
    tools = ["dcmdump", "dsrdump"] if path.name.endswith("sr.dcm") else ["dcmdump"]
    for tool in tools:
        done = subprocess.run([*READERS[tool], str(path)], capture_output=True, check=False)
        if done.returncode:
            yield f"{tool} does not read it"
    ds = pydicom.dcmread(path)
    plain = path
    if ds.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
        plain = path.with_suffix(".plain")
        plain.write_bytes(
            as_file(pydicom.dcmread(BytesIO(path.read_bytes())))
        )  # it does not inflate
    told = subprocess.run(["dciodvfy", str(plain)], capture_output=True, text=True, check=False)
    errors = [line for line in told.stderr.splitlines() if line.startswith("Error")]
    if errors:
        yield f"dciodvfy: {len(errors)} errors, the first: {errors[0]}"


def unread_by_dcmqi(folder: Path) -> Iterator[str]:
    """Yield what dcmqi (another implementation) does not read."""
    out = folder / "read"
    out.mkdir()
    seg, sr = str(folder / "unsigned-seg.dcm"), str(folder / "unsigned-sr.dcm")
    tools = {
        "segimage2itkimage": ["--inputDICOM", seg, "--outputDirectory", str(out), "-t", "nrrd"],
        "tid1500reader": ["--inputDICOM", sr, "--outputMetadata", str(out / "sr.json")],
    }
    for tool, arguments in tools.items():
        if shutil.which(tool) is None:
            print(f"  {tool} is not installed")
        elif subprocess.run([tool, *arguments], capture_output=True, check=False).returncode:
            yield f"{tool} does not read it"


if __name__ == "__main__":
    sys.exit(main())
