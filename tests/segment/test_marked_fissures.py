"""Fissures marked by eye on zoomed sagittal slices of real scans (``marked/*.csv``: voxel indices z, y, x).

The marks are good to about a voxel. Only what calls itself supported is held to them, as a reader would.
"""

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from qct.read import read_scan
from qct.regions import DENSE
from qct.segment import segment
from qct.segment.training import SIDES_OF_FISSURE
from qct.segment.trust import SUPPORTED

MARKED = Path(__file__).parent / "marked"
SCANS = {"ricord1a": "ct/ricord1a", "lung1_001": "ct/lung1_001/series"}
LEAST_SUPPORTED = {"ricord1a": {"right_oblique", "left_oblique"}, "lung1_001": {"right_oblique"}}


def marks(name):
    """Return (N, 3) voxel indices by fissure."""
    found = {}
    with (MARKED / f"{name}.csv").open() as file:
        for row in csv.DictReader(file):
            found.setdefault(row["fissure"], []).append([float(row[k]) for k in "zyx"])
    return {fissure: np.array(points) for fissure, points in found.items()}


def border_mm(lobes, fissure, spacing_mm):
    """Return the centres of the voxel faces between the lobes of a fissure."""
    above, below = (np.isin(lobes, part) for part in SIDES_OF_FISSURE[fissure])
    faces = []
    for axis in range(3):
        a, b = np.moveaxis(above, axis, 0), np.moveaxis(below, axis, 0)
        face = np.argwhere((a[:-1] & b[1:]) | (b[:-1] & a[1:])).astype(float)
        face[:, 0] += 0.5
        order = np.argsort([axis, *(k for k in range(3) if k != axis)])
        faces.append(face[:, order])
    return np.concatenate(faces) * spacing_mm


def test_at_least_forty_points_are_marked_on_every_fissure():
    assert all(len(points) >= 40 for name in SCANS for points in marks(name).values())


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize("name", SCANS)
def test_a_supported_border_lies_on_the_fissure_that_was_marked(real_data, name):
    volume = read_scan(real_data / SCANS[name]).volume
    result = segment(volume)
    supported = {fit.fissure for fit in result.fissures if fit.support == SUPPORTED}
    assert supported >= LEAST_SUPPORTED[name]
    for fissure, points in marks(name).items():
        if fissure not in supported:
            continue
        border = border_mm(result.labels % DENSE, fissure, volume.spacing_mm)
        distance, _ = cKDTree(border).query(points * volume.spacing_mm)
        assert distance.mean() < 2.0
        assert np.percentile(distance, 95) < 5.0


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["kernel_b", "kernel_l"])
def test_five_millimetre_slices_support_no_border(real_data, kernel):
    result = segment(read_scan(real_data / "ct/lung_dx_a0001" / kernel).volume)
    assert {fit.support for fit in result.fissures} == {"population average"}
