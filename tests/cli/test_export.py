"""From a result folder to objects, and back from an edited segmentation, as a user does it."""

import json

import numpy as np
import pytest
from tests.export.analysis_builder import analysis_of, labels_for, read_bytes
from tests.read import series

from qct.cli import main
from qct.export import analysis_json, measurements_csv, nifti_bytes, write_folder
from qct.pipeline import reopen
from qct.read import read_scan

pytest.importorskip("highdicom")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A result folder, and the series it was measured on."""
    top = tmp_path_factory.mktemp("export")
    source = series.write(top / "dicom")
    analysis = analysis_of(read_scan(source))
    files = {
        "analysis.json": analysis_json(analysis).encode(),
        "labels.nii.gz": nifti_bytes(analysis.scan.volume, analysis.segmentation.labels),
        "measurements.csv": measurements_csv(analysis).encode(),
    }
    write_folder(top / "result", files)
    return top / "result", source


def export(result, out, *more):
    folder, source = result
    return main(["export", str(folder), "--source", str(source), "-o", str(out), *more])


def test_a_result_folder_opens_again_as_it_was_told(result):
    folder, source = result
    again = reopen(folder, source)
    record = json.loads((folder / "analysis.json").read_text())
    assert json.loads(analysis_json(again))["regions"] == record["regions"]
    assert json.loads(analysis_json(again))["flags"] == record["flags"]
    np.testing.assert_array_equal(again.segmentation.labels, labels_for(again.scan.volume.shape))


def test_every_format_is_written(result, tmp_path, capsys):
    formats = "seg,sr,sc,pdf,pm,fhir,hl7,csv,parquet,json,nifti,report"
    assert export(result, tmp_path / "out", "--format", formats) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        *(f"{one}.dcm" for one in ("seg", "sr", "sc", "pdf", "pm")),
        *("fhir.json", "oru.hl7", "measurements.csv", "measurements.parquet"),
        *("analysis.json", "labels.nii.gz", "report.html", "report.pdf"),
    }
    assert capsys.readouterr().out.count("\n") == len(names)


def test_exporting_twice_gives_the_same_instances(result, tmp_path):
    uids = []
    for name in ("a", "b"):
        assert export(result, tmp_path / name, "--format", "seg,sr") == 0
        files = sorted((tmp_path / name).iterdir())
        uids.append([read_bytes(path.read_bytes()).SOPInstanceUID for path in files])
    assert uids[0] == uids[1]


def test_deidentified_objects_do_not_name_the_patient(result, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(32)))
    args = ("--format", "seg,fhir,hl7", "--deidentify", "--secret", str(secret))
    assert export(result, tmp_path / "out", *args) == 0
    for path in (tmp_path / "out").iterdir():
        assert b"Muster" not in path.read_bytes()
    assert "Muster" not in str(read_bytes((tmp_path / "out" / "seg.dcm").read_bytes()))


def test_a_result_folder_without_its_images_is_refused_with_a_hint(result, tmp_path, capsys):
    assert main(["export", str(result[0]), "-o", str(tmp_path / "out")]) == 2
    assert "--source" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_another_series_is_refused(result, tmp_path, capsys):
    other = series.write(tmp_path / "other", seed="b")
    args = ["export", str(result[0]), "--source", str(other), "-o", str(tmp_path / "out")]
    assert main(args) in (2, 3)
    assert "hint" in capsys.readouterr().err


def test_an_unknown_format_is_refused(result, tmp_path, capsys):
    assert export(result, tmp_path / "out", "--format", "seg,docx") == 2
    assert "docx" in capsys.readouterr().err


def test_an_exported_segmentation_can_be_measured_again(result, tmp_path):
    assert export(result, tmp_path / "out", "--format", "seg") == 0
    seg, out = tmp_path / "out" / "seg.dcm", tmp_path / "again"
    assert main(["import-labels", str(result[1]), str(seg), "-o", str(out)]) == 0
    record = json.loads((out / "analysis.json").read_text())
    assert "labels_imported" in record["flags"]
    voxel_ml = 2.5 * 1.5 * 1.25 / 1000
    shape = tuple(record["grid"]["shape"])
    wanted = np.isin(labels_for(shape), [1, 17]).sum() * voxel_ml
    told = record["regions"]["left_upper_lobe"]["volume_ml"]
    assert told["value"] is None or told["value"] == pytest.approx(wanted)


def test_send_without_a_destination_is_refused(tmp_path, capsys):
    (tmp_path / "a.dcm").write_bytes(b"x")
    assert main(["send", str(tmp_path / "a.dcm"), "--spool", str(tmp_path / "spool")]) == 2
    assert "hint" in capsys.readouterr().err


def test_send_refuses_what_is_no_dicom(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"x" * 200)
    args = ["send", str(tmp_path / "a.dcm"), "--to", "dicom://A@127.0.0.1:1"]
    assert main([*args, "--spool", str(tmp_path / "spool")]) == 3
