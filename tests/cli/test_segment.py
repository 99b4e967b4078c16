"""qct segment writes one label map and its table, or nothing."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from qct.acquisition import Acquisition, Patient, Study
from qct.cli import main
from qct.export.label_files import write_label_file
from qct.findings import Scan
from qct.regions import label_names
from qct.segment.imported import read_labels
from qct.volume import Volume

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data" / "dicom"


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.nrrd", "a.mha"])
def test_every_format_comes_back_voxel_by_voxel(tmp_path, name):
    numbers = np.array(sorted(set(label_names().values())), np.uint8)
    labels = np.random.default_rng(1).choice(numbers, (5, 8, 9))
    axes = np.array([[0, 0, 2.5], [0, 0.7, 0], [0.6, 0, 0]])
    volume = Volume(np.zeros(labels.shape, np.int16), axes, np.array([-30.0, 12.0, 7.5]))
    write_label_file(tmp_path / name, volume, labels)
    scan = Scan(volume=volume, patient=Patient(), study=Study(), acquisition=Acquisition())
    np.testing.assert_array_equal(read_labels(tmp_path / name, scan), labels)
    rows = (tmp_path / "a.labels.csv").read_text().splitlines()
    assert rows[0] == "number,key,name,colour,voxels"
    assert sum(int(row.rsplit(",", 1)[1]) for row in rows[1:]) == np.count_nonzero(labels)


def test_a_scan_is_segmented_into_one_file(tmp_path, capsys):
    out = tmp_path / "labels.nii.gz"
    assert main(["segment", str(SAMPLE), "-o", str(out), "--quiet"]) == 0
    labels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(out)))
    assert {1, 2, 3, 4, 5} <= set(np.unique(labels)) or len(np.unique(labels)) > 5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["labels.labels.csv", "labels.nii.gz"]
    assert main(["segment", str(SAMPLE), "-o", str(out), "--quiet"]) == 2
    assert "there already" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["labels.dcm", "labels", "nowhere/labels.nii.gz"])
def test_what_cannot_be_written_is_refused_before_the_work(tmp_path, name, capsys):
    assert main(["segment", str(SAMPLE), "-o", str(tmp_path / name), "--quiet"]) in (2, 5)
    assert "hint: " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
