"""Time and size of the segmentation of a large scan: 512 x 512 x 300, eight segments.

Run with ``python -m benchmarks.dicom_seg``. The lungs are ellipsoids with wavy lobe borders and vessels punched
out at random, which deflates worse than smooth lungs do.
"""

import datetime as dt
import time
from dataclasses import dataclass, field

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from qct.export.dicom_instance import Stamp
from qct.export.dicom_seg import segmentation, segmentation_file
from qct.export.dicom_source import Source
from qct.options import Options

SHAPE = (300, 512, 512)


@dataclass(frozen=True)
class _Labels:
    labels: np.ndarray


@dataclass(frozen=True)
class _Analysis:
    """What the segmentation needs of an analysis."""

    segmentation: _Labels
    options: Options = field(default_factory=Options)


def source() -> Source:
    """Return headers of an axial series."""
    headers = []
    for k in range(SHAPE[0]):
        ds = Dataset()
        ds.PatientName, ds.PatientID = "Bench", "1"
        ds.StudyInstanceUID = ds.SeriesInstanceUID = ds.FrameOfReferenceUID = generate_uid()
        ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", generate_uid()
        ds.ImagePositionPatient = [-180.0, -180.0, float(k)]
        ds.ImageOrientationPatient, ds.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.7, 0.7]
        headers.append(ds)
    return Source(tuple(headers), (0,) * len(headers), (1, 2, 3))


def lungs() -> np.ndarray:
    """Return labels of five lobes and an airway."""
    z, y, x = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    labels = np.zeros(SHAPE, np.uint8)
    base = ((z - 150) / 145) ** 2 + ((y - 256) / 150) ** 2
    right, left = (base + ((x - at) / 100) ** 2 < 1 for at in (140, 372))
    border = z + 0.5 * (y - 256) + 8 * np.sin(x / 9) + 5 * np.sin(y / 7)
    labels[right & (border > 170)] = 3
    labels[right & (border <= 170)] = 5
    labels[right & (border <= 170) & (y < 230)] = 4
    labels[left & (border > 150)] = 1
    labels[left & (border <= 150)] = 2
    labels[np.random.default_rng(0).random(SHAPE, np.float32) < 0.03] = 0
    labels[(abs(x - 256) < 12) & (abs(y - 230) < 12) & (z > 120)] = 8
    return labels


def main() -> None:
    """Write it three times and print what each took."""
    analysis, series = _Analysis(_Labels(lungs())), source()
    stamp = Stamp("0" * 64, dt.datetime.now().astimezone(), "benchmark")
    for _ in range(3):
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        ds = segmentation(analysis, series, stamp)  # type: ignore[arg-type]
        content = segmentation_file(ds)
        print(
            f"{len(ds.SegmentSequence)} segments, {ds.NumberOfFrames} frames: "
            f"{time.process_time() - cpu_s:.2f} s CPU, {time.perf_counter() - wall_s:.2f} s wall, "
            f"{len(content) / 1e6:.2f} MB"
        )


if __name__ == "__main__":
    main()
