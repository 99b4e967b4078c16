"""Odd labels and odd values, through the command: a clear answer each."""

import csv

import numpy as np
import pytest
import SimpleITK

from qct.cli import main

SHAPE = (40, 60, 80)


def chest():
    """HU of a box with two lungs, and their labels (1 and 2)."""
    z, y, x = np.indices(SHAPE)
    hu, labels = np.full(SHAPE, 40, np.int16), np.zeros(SHAPE, np.uint8)
    hu[:, :5] = -1000
    texture = np.random.default_rng(0).normal(-860, 40, SHAPE).astype(np.int16)
    for number, middle in ((1, 24), (2, 56)):
        lung = ((z - 20) / 17) ** 2 + ((y - 32) / 19) ** 2 + ((x - middle) / 14) ** 2 < 1
        labels[lung], hu[lung] = number, texture[lung]
    return hu, labels


def written(path, array, spacing_mm=(2.0, 2.0, 2.0)):
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(tuple(reversed(spacing_mm)))
    SimpleITK.WriteImage(image, str(path))
    return str(path)


def analysed(tmp_path, hu, labels, **spacing):
    """Run the command; return its code, and the numbers of both lungs with their status."""
    scan = written(tmp_path / "hu.nii.gz", hu, **spacing)
    regions = written(tmp_path / "labels.nii.gz", labels, **spacing)
    out = tmp_path / "out"
    code = main(["analyze", scan, "--labels", regions, "-o", str(out), "--quiet"])
    if code:
        return code, {}
    with (out / "measurements.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["region"] == "whole_lung"]
    values = {row["quantity"]: float(row["value"]) for row in rows if row["value"]}
    return code, values | {"flags": {row["quantity"]: row["flags"] for row in rows}}


def test_without_any_label_the_command_says_so(tmp_path, capsys):
    hu, labels = chest()
    code, _ = analysed(tmp_path, hu, np.zeros_like(labels))
    assert code == 3
    assert "marks no lung and no lobe" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_one_voxel_has_a_volume_and_nothing_else(tmp_path):
    hu, labels = chest()
    alone = np.zeros_like(labels)
    alone[20, 32, 24] = 1
    _, found = analysed(tmp_path, hu, alone)
    assert "volume_ml" not in found  # the rest of the lung has no label
    assert "mean_hu" not in found
    assert found["flags"]["mean_hu"] == "too_few_voxels"


def test_equal_values_have_no_spread_and_no_shape(tmp_path):
    hu, labels = chest()
    hu[labels > 0] = -900
    _, found = analysed(tmp_path, hu, labels)
    assert (found["mean_hu"], found["sd_hu"]) == (-900, 0)
    assert "skewness" not in found


def test_long_voxels_and_gaps_in_the_labels_count_as_they_are(tmp_path):
    hu, labels = chest()
    labels[18:22] = 0
    hu[18:22] = 40  # or the map would leave out a part of the lungs
    _, found = analysed(tmp_path, hu, labels, spacing_mm=(5.0, 0.3, 0.3))
    assert found["volume_ml"] == pytest.approx(np.count_nonzero(labels) * 5 * 0.3 * 0.3 / 1000)
    assert found["mean_hu"] == pytest.approx(hu[labels > 0].mean())


def test_what_is_no_number_is_not_counted(tmp_path):
    hu, labels = chest()
    values = hu.astype(np.float32)
    values[20, 32, 20:28] = np.nan
    _, found = analysed(tmp_path, values, labels)
    counted = hu[(labels > 0) & np.isfinite(values)]
    assert found["mean_hu"] == pytest.approx(counted.mean())


def test_labels_of_another_grid_are_refused(tmp_path, capsys):
    hu, labels = chest()
    scan = written(tmp_path / "hu.nii.gz", hu)
    regions = written(tmp_path / "labels.nii.gz", labels, spacing_mm=(2.5, 2.0, 2.0))
    out = tmp_path / "out"
    assert main(["analyze", scan, "--labels", regions, "-o", str(out), "--quiet"]) == 3
    assert "0.50 voxels off the voxels of the scan" in capsys.readouterr().err
    assert not out.exists()
