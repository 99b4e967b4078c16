"""Analyses of small written series: labels and numbers are made up, geometry and headers are real."""

import datetime as dt
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from tests.read import series

from qct.findings import (
    Analysis,
    Change,
    Measured,
    Point,
    Projection,
    Reason,
    Reference,
    Scan,
    Segmentation,
    Uncertainty,
    Verdict,
    View,
)
from qct.flags import Flag, Status, Weight
from qct.options import Options
from qct.quantities import QUANTITIES
from qct.read import read_scan
from qct.regions import LUNG_REGIONS, Label
from qct.signature import Signature

TURNS = {
    "as usual": lambda ds, k: None,
    "feet first": lambda ds, k: _place(ds, [40, -36, 100 - 2.5 * k], [-1, 0, 0, 0, 1, 0], "FFS"),
    "rows flipped": lambda ds, k: _place(ds, [-40, 36, 100 + 2.5 * k], [1, 0, 0, 0, -1, 0]),
    "columns flipped": lambda ds, k: _place(ds, [40, -36, 100 + 2.5 * k], [-1, 0, 0, 0, 1, 0]),
    "rows are columns": lambda ds, k: _place(ds, [-40, -36, 100 + 2.5 * k], [0, 1, 0, 1, 0, 0]),
    "quarter turn": lambda ds, k: _place(ds, [40, -36, 100 - 2.5 * k], [0, 1, 0, -1, 0, 0]),
    "oblique": lambda ds, k: _place(
        ds,
        [-40, -36 - 2.5 * k * np.sin(0.2), 100 + 2.5 * k * np.cos(0.2)],
        [1, 0, 0, 0, np.cos(0.2), np.sin(0.2)],
    ),
    "gantry tilt": lambda ds, k: _place(
        ds, [-40, -36, 100 + 2.5 * k], [1, 0, 0, 0, np.cos(0.2), np.sin(0.2)]
    ),
}
"""Ways to lie in the patient: each changes positions and orientation of the slices of a series."""


def _place(ds: Dataset, position: list, orientation: list, patient: str = "HFS") -> None:
    ds.ImagePositionPatient = [f"{v:.6f}" for v in position]
    ds.ImageOrientationPatient = [f"{v:.8f}" for v in orientation]
    ds.PatientPosition = patient


def labels_for(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Labels without any symmetry: blocks of all lobes and the airway, salted, with an airless part."""
    rng = np.random.default_rng(seed)
    z, y, x = np.indices(shape)
    labels = np.zeros(shape, np.uint8)
    low, front = z < 0.5 * shape[0], y < 0.45 * shape[1]
    right, left = x < 0.4 * shape[2], x > 0.6 * shape[2]
    inside = (y > 0.2 * shape[1]) & (y < 0.7 * shape[1]) & (z > 0)
    inside &= (x > 0.1 * shape[2]) & (x < 0.95 * shape[2])
    labels[inside & right & ~low] = Label.RIGHT_UPPER_LOBE
    labels[inside & right & low & front] = Label.RIGHT_MIDDLE_LOBE
    labels[inside & right & low & ~front] = Label.RIGHT_LOWER_LOBE
    labels[inside & left & ~low] = Label.LEFT_UPPER_LOBE
    labels[inside & left & low] = Label.LEFT_LOWER_LOBE
    labels[inside & ~right & ~left] = Label.AIRWAY
    labels[(rng.random(shape) < 0.05) & (labels > 0)] = 0
    lower = labels == Label.RIGHT_LOWER_LOBE
    labels[lower & (rng.random(shape) < 0.1)] += 16
    return labels


def numbers() -> tuple[Measured, ...]:
    """One number for every region and quantity; some withheld, some doubted."""
    made = []
    pairs = itertools.product(LUNG_REGIONS, QUANTITIES)
    for n, (region, quantity) in enumerate(pairs):
        status = Status.REPORTED
        flags: frozenset[Flag] = frozenset()
        if region.key == "left_upper_lobe":
            status, flags = Status.CAVEAT, frozenset({Flag.FISSURE_PARTLY_SEEN})
        if region.key == "right_middle_lobe":
            status, flags = Status.WITHHELD, frozenset({Flag.FISSURE_NOT_SEEN})
        made.append(Measured(region.key, quantity, 123.456 + n * 7.03125, status, flags))
    return tuple(made)


def view_of(scan: Scan, labels: np.ndarray) -> View:
    middle = scan.volume.shape[0] // 2
    return View(
        plane="axial",
        name="axial_middle",
        position_mm=110.0,
        hu=scan.volume.hu[middle],
        labels=labels[middle],
        pixel_mm=scan.volume.spacing_mm[1:],
    )


def analysis_of(scan: Scan, labels: np.ndarray | None = None, version: str = "0.1.0") -> Analysis:
    labels = labels_for(scan.volume.shape) if labels is None else labels
    values = np.full((20, 30), np.nan, np.float32)
    values[5:15, 5:25] = 12.5
    return Analysis(
        scan=scan,
        segmentation=Segmentation(
            labels=labels,
            method={"name": "surfaces", "version": "1"},
            region_flags={"left_lower_lobe": frozenset({Flag.FISSURE_PARTLY_SEEN})},
        ),
        measured=numbers(),
        histograms=(),
        views=(view_of(scan, labels),),
        projections=(Projection(name="laa950_coronal", values=values, pixel_mm=(2.0, 2.0)),),
        verdict=Verdict(
            overall=Status.CAVEAT,
            reasons=(Reason(Flag.SHARP_KERNEL, "Kernel B70f is edge-enhancing.", Weight.CAVEAT),),
        ),
        options=Options(),
        software={"qct": version},
        timings_s={},
        references=REFERENCES,
        uncertainties=UNCERTAINTIES,
        changes=CHANGES,
    )


CHANGES = (
    Change(
        region="whole_lung",
        quantity="volume_ml",
        points=(Point("2018-01-03", "2018-01-03", 5000.0), Point("now", None, 5131.0)),
        difference=131.0,
        least_change=110.0,
        verdict="changed",
        source="test2020",
    ),
)


REFERENCES = (
    Reference(
        key="test",
        region="whole_lung",
        quantity="volume_ml",
        population="adults of a test",
        source="test2020",
        kind="predicted",
        predicted=5800.2,
        lower=4652.0,
        upper=6948.0,
        value=5500.0,
        stands="within",
        percent_predicted=94.8,
        z_score=-0.41,
        percentile=34.1,
    ),
    Reference(
        key="other",
        region="whole_lung",
        quantity="volume_ml",
        population="others",
        source="other2021",
        kind="predicted",
        refused="age not known",
    ),
)
UNCERTAINTIES = (
    Uncertainty(
        key="test",
        region="whole_lung",
        quantity="volume_ml",
        kind="least detectable change",
        amount=110.0,
        conditions="same scanner",
        source="test2020",
    ),
)
SIGNED_AT = dt.datetime(2026, 3, 5, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))


def signed(analysis: Analysis, *addenda: str) -> Analysis:
    """Return the analysis as a physician has signed it, with addenda of a second one."""
    signature = Signature(
        interpretation="Emphysema | upper lobes.\nNo nodule.",
        impression="Moderate emphysema.",
        signer="Muster, Ada B",
        credentials="MD",
        organization="Clinic",
        signed_at=SIGNED_AT,
        digests={"analysis.json": "0" * 64},
    )
    for number, text in enumerate(addenda, start=1):
        when = SIGNED_AT + dt.timedelta(days=number)
        signature = signature.with_addendum(
            text, author="Other, Bo", credentials="DO", written_at=when
        )
    return replace(analysis, signature=signature)


def scan_in(folder: Path, change=None, **how) -> Scan:
    return read_scan(series.write(folder, change, **how))


def read_bytes(content: bytes) -> pydicom.Dataset:
    from io import BytesIO

    return pydicom.dcmread(BytesIO(content))
