"""From a folder to a report, as a user runs it."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from qct.cli import main

SAMPLE = Path(__file__).resolve().parents[1] / "sample_data"
FILES = {
    "analysis.json",
    "measurements.csv",
    "airways.csv",
    "labels.nii.gz",
    "report.html",
    "report.json",
    "report.pdf",
    "report.txt",
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    out = tmp_path_factory.mktemp("sample") / "out"
    assert main(["analyze", str(SAMPLE / "dicom"), "-o", str(out), "--quiet"]) == 0
    return out


@pytest.fixture(scope="module")
def truth():
    return json.loads((SAMPLE / "truth.json").read_text())["sampled"]["regions"]


def numbers(out):
    return json.loads((out / "analysis.json").read_text())["regions"]


def test_a_result_folder_holds_just_what_the_readme_says(sample):
    assert {path.name for path in sample.iterdir()} == FILES


def test_lung_volume_is_within_2_percent_of_the_phantom(sample, truth):
    for region in ("whole_lung", "right_lung", "left_lung"):
        measured = numbers(sample)[region]["volume_ml"]["value"]
        assert measured == pytest.approx(truth[region]["volume_ml"]["value"], rel=0.02), region


def test_laa950_is_within_half_a_point_of_the_phantom(sample, truth):
    measured = numbers(sample)["whole_lung"]["laa950_percent"]["value"]
    assert measured == pytest.approx(truth["whole_lung"]["laa950_percent"]["value"], abs=0.5)


def test_mean_density_is_within_3_hu_of_the_phantom(sample, truth):
    measured = numbers(sample)["whole_lung"]["mean_hu"]["value"]
    assert measured == pytest.approx(truth["whole_lung"]["mean_hu"]["value"], abs=3)


def test_two_runs_on_one_and_on_two_threads_give_the_same_bytes(sample, tmp_path):
    for threads in ("1", "2"):
        out = tmp_path / threads
        args = ["analyze", str(SAMPLE / "dicom"), "-o", str(out), "--quiet", "--threads", threads]
        assert main(args) == 0
        for name in ("measurements.csv", "labels.nii.gz"):
            assert (out / name).read_bytes() == (sample / name).read_bytes(), (name, threads)


def test_labels_lie_on_the_grid_of_the_scan(sample):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(SAMPLE / "dicom")))
    scan = reader.Execute()
    labels = sitk.ReadImage(str(sample / "labels.nii.gz"))
    on_scan = sitk.Resample(labels, scan, sitk.Transform(), sitk.sitkNearestNeighbor)
    assert sorted(labels.GetSize()) == sorted(scan.GetSize())
    here = sitk.GetArrayFromImage(on_scan) % 16
    hu = sitk.GetArrayFromImage(scan)
    assert np.count_nonzero(here) == np.count_nonzero(sitk.GetArrayFromImage(labels) % 16)
    assert np.median(hu[(here > 0) & (here < 8)]) < -700


def test_every_number_of_the_csv_is_that_of_the_json(sample):
    rows = list(csv.DictReader(io.StringIO((sample / "measurements.csv").read_text())))
    told = numbers(sample)
    assert len(rows) == sum(len(quantities) for quantities in told.values())
    for row in rows:
        value = told[row["region"]][row["quantity"]]["value"]
        assert row["value"] == ("" if value is None else repr(value))


def test_json_on_stdout_is_the_analysis_and_nothing_else(tmp_path, capsys):
    args = ["analyze", str(SAMPLE / "dicom"), "-o", str(tmp_path / "out"), "--json"]
    assert main(args) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["regions"] == numbers(tmp_path / "out")


def test_dicom_objects_of_the_second_process_join_the_study_of_the_scan(tmp_path, monkeypatch):
    pytest.importorskip("highdicom")
    monkeypatch.setattr("qct.export.dicom_apart.n_cores", lambda: 2)
    monkeypatch.setattr("qct.export.dicom.dicom_objects", None)  # what makes them in this one
    out = tmp_path / "out"
    assert main(["analyze", str(SAMPLE / "dicom"), "-o", str(out), "--quiet", "--dicom"]) == 0
    source = pydicom.dcmread(next((SAMPLE / "dicom").iterdir()), stop_before_pixels=True)
    made = {path.name: pydicom.dcmread(path) for path in (out / "dicom").iterdir()}
    assert set(made) == {"seg.dcm", "sr.dcm", "sc.dcm", "pdf.dcm"}
    for ds in made.values():
        assert ds.StudyInstanceUID == source.StudyInstanceUID
        assert ds.PatientID == source.PatientID
        assert ds.SeriesInstanceUID != source.SeriesInstanceUID


def test_results_already_there_are_not_overwritten_unasked(sample, capsys):
    before = {path: path.read_bytes() for path in sample.iterdir()}
    assert main(["analyze", str(SAMPLE / "dicom"), "-o", str(sample)]) != 0
    assert "hint: " in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in sample.iterdir()}


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(
    "scan", ["ct/ricord1a", "ct/lung1_001/series", "ct/lung_dx_a0001/kernel_b", "cip/ct-64-dicom"]
)
def test_a_real_scan_ends_in_a_report_with_five_plausible_lobes(scan, real_data, tmp_path):
    out = tmp_path / "out"
    assert main(["analyze", str(real_data / scan), "-o", str(out), "--quiet"]) == 0
    assert {path.name for path in out.iterdir()} == FILES
    image = sitk.ReadImage(str(out / "labels.nii.gz"))
    labels = sitk.GetArrayFromImage(image) % 16
    voxels = np.bincount(labels.ravel(), minlength=9)
    lungs = voxels[1:8].sum()
    assert 1500 < lungs * np.prod(image.GetSpacing()) / 1000 < 9000
    assert not voxels[6:8].any()  # every lung is divided
    assert (voxels[1:6] > 0.03 * lungs).all()
    assert (voxels[1:6] < 0.45 * lungs).all()
    told = numbers(out)
    for region in told:
        for one in told[region].values():
            assert (one["value"] is None) == (one["status"] in ("withheld", "not_measured"))
    x = [np.nonzero(labels == number)[2].mean() for number in (3, 5, 1, 2)]  # RUL RLL LUL LLL
    assert max(x[:2]) < min(x[2:])  # the patient's right has the smaller x
    for upper, lower in ((3, 5), (1, 2)):
        z = [np.nonzero(labels == number)[0].mean() for number in (upper, lower)]
        assert z[0] > z[1]
