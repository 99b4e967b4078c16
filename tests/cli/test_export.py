"""From a result folder to objects, and back from an edited segmentation, as a user does it."""

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import pytest
from tests.export.analysis_builder import analysis_of, labels_for, read_bytes
from tests.read import series

from qct.cli import main
from qct.export import analysis_json, measurements_csv, nifti_bytes, write_folder
from qct.export.dicom import dicom_objects
from qct.flags import Status
from qct.pipeline import reopen, results
from qct.read import read_scan

pytest.importorskip("highdicom")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A result folder, and the series it was measured on."""
    top = tmp_path_factory.mktemp("export")
    source = series.write(top / "dicom")
    analysis = analysis_of(read_scan(source))
    write_folder(top / "result", written(analysis))
    return top / "result", source


def written(analysis):
    """What a result folder of an earlier version holds: no report."""
    return {
        "analysis.json": analysis_json(analysis).encode(),
        "labels.nii.gz": nifti_bytes(analysis.scan.volume, analysis.segmentation.labels),
        "measurements.csv": measurements_csv(analysis).encode(),
    }


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


def test_objects_of_a_reopened_result_are_those_of_the_analysis_byte_by_byte(result):
    folder, source = result
    fresh, again = analysis_of(read_scan(source)), reopen(folder, source)
    now = dt.datetime(2026, 3, 4, tzinfo=dt.UTC)
    made = [dicom_objects(one, {}, objects=("seg", "sr"), created=now) for one in (fresh, again)]
    assert made[0] == made[1]


def test_every_format_is_written(result, tmp_path, capsys):
    formats = "seg,sr,sc,pdf,pm,fhir,hl7,csv,parquet,json,nifti,report"
    assert export(result, tmp_path / "out", "--format", formats) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        *(f"{one}.dcm" for one in ("seg", "sr", "sc", "pdf", "pm")),
        *("fhir.json", "oru.hl7", "measurements.csv", "measurements.parquet"),
        *("analysis.json", "labels.nii.gz", "report.html", "report.pdf", "report.txt"),
    }
    assert capsys.readouterr().out.count("\n") == len(names)


def test_a_map_of_a_number_that_is_withheld_is_not_made_and_that_is_said(tmp_path, capsys):
    source = series.write(tmp_path / "dicom")
    analysis = analysis_of(read_scan(source))
    measured = tuple(
        replace(one, status=Status.WITHHELD, value=None)
        if (one.region, one.quantity) == ("whole_lung", "laa950_percent")
        else one
        for one in analysis.measured
    )
    write_folder(tmp_path / "result", written(replace(analysis, measured=measured)))
    result = tmp_path / "result", source
    assert export(result, tmp_path / "one", "--format", "pm,csv") == 0
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["measurements.csv"]
    assert "no DICOM map of LAA-950" in capsys.readouterr().err
    assert export(result, tmp_path / "two", "--format", "pm") != 0
    assert not (tmp_path / "two").exists()


def test_a_signed_result_is_exported_as_final_and_a_changed_one_is_refused(tmp_path, capsys):
    source = series.write(tmp_path / "dicom")
    folder, words = tmp_path / "result", tmp_path / "words.txt"
    write_folder(folder, results(analysis_of(read_scan(source))))
    words.write_text("No emphysema.")
    result = folder, source
    assert export(result, tmp_path / "before", "--format", "sr") == 0
    args = ["sign", str(folder), "--signer", "Muster, Ada", "--credentials", "MD"]
    assert main([*args, "--interpretation", str(words)]) == 0
    assert export(result, tmp_path / "after", "--format", "sr,pdf,fhir,hl7") == 0
    before, sr, pdf = (
        read_bytes((tmp_path / name).read_bytes())
        for name in ("before/sr.dcm", "after/sr.dcm", "after/pdf.dcm")
    )
    assert sr.VerificationFlag == "VERIFIED"
    (study,) = sr.PredecessorDocumentsSequence
    (named,) = study.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert named.ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert pdf.EncapsulatedDocument.rstrip(b"\0") == (folder / "report.pdf").read_bytes().rstrip(
        b"\0"
    )
    assert b"|F\r" in (tmp_path / "after" / "oru.hl7").read_bytes()
    replaces = ("--format", "hl7", "--replaces", str(tmp_path / "after"))
    assert export(result, tmp_path / "again", *replaces) == 0
    assert b"|C\r" in (tmp_path / "again" / "oru.hl7").read_bytes()
    table = folder / "measurements.csv"
    table.write_text(table.read_text().replace("1", "2"))
    assert export(result, tmp_path / "changed", "--format", "sr") != 0
    assert not (tmp_path / "changed").exists()


def test_an_unsigned_report_replaces_nothing(result, tmp_path, capsys):
    assert export(result, tmp_path / "out", "--replaces", str(tmp_path)) == 2
    assert "qct sign" in capsys.readouterr().err


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
    assert main(args) == 2
    told = capsys.readouterr().err
    assert str(other) in told
    assert "hint: Name the DICOM folder that was analyzed." in told


def test_an_unknown_format_is_refused(result, tmp_path, capsys):
    assert export(result, tmp_path / "out", "--format", "seg,docx") == 2
    assert "docx" in capsys.readouterr().err


def test_an_exported_segmentation_can_be_measured_again(result, tmp_path, capsys):
    assert export(result, tmp_path / "out", "--format", "seg") == 0
    seg, out = tmp_path / "out" / "seg.dcm", tmp_path / "again"
    capsys.readouterr()
    assert main(["import-labels", str(result[1]), str(seg), "-o", str(out), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
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
