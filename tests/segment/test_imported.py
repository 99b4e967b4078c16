"""Labels come back as they went out, and what does not belong to the scan is refused."""

import datetime as dt

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import generate_uid
from tests.export.analysis_builder import TURNS, analysis_of, labels_for, scan_in
from tests.segment.drawn_airways import BRANCHES, drawn_bronchi

from qct.acquisition import Acquisition, Patient, Study
from qct.errors import GeometryError, OptionError, ReadError
from qct.export import nifti_bytes
from qct.export.dicom_instance import as_file, stamp_of
from qct.export.dicom_seg import segmentation, segmentation_file
from qct.export.dicom_source import read_source
from qct.findings import Scan
from qct.flags import Flag
from qct.segment.imported import import_segmentation, key_of_name, read_labels

NOW = dt.datetime(2026, 3, 4, tzinfo=dt.UTC)


def seg_of(scan):
    analysis = analysis_of(scan)
    return segmentation(analysis, read_source(scan), stamp_of(analysis, NOW))


@pytest.mark.parametrize("way", TURNS)
def test_our_own_segmentation_comes_back_voxel_by_voxel(tmp_path, way):
    scan = scan_in(tmp_path / "in", TURNS[way])
    path = tmp_path / "seg.dcm"
    path.write_bytes(segmentation_file(seg_of(scan)))
    np.testing.assert_array_equal(read_labels(path, scan), labels_for(scan.volume.shape))


@pytest.mark.parametrize("way", ["as usual", "feet first", "rows flipped", "oblique"])
def test_a_nifti_label_map_comes_back_voxel_by_voxel(tmp_path, way):
    scan = scan_in(tmp_path / "in", TURNS[way])
    labels = labels_for(scan.volume.shape)
    path = tmp_path / "labels.nii.gz"
    path.write_bytes(nifti_bytes(scan.volume, labels))
    np.testing.assert_array_equal(read_labels(path, scan), labels)
    assert Flag.LABELS_IMPORTED in import_segmentation(path, scan).flags


def test_another_tools_segments_are_found_by_name(tmp_path):
    scan = scan_in(tmp_path / "in")
    ds = seg_of(scan)
    for item in ds.SegmentSequence:
        kind = item.SegmentedPropertyTypeCodeSequence[0]
        kind.CodeValue, kind.CodingSchemeDesignator = "85756007", "SCT"  # tissue
        kind.pop("SegmentedPropertyTypeModifierCodeSequence", None)
    path = tmp_path / "seg.dcm"
    path.write_bytes(as_file(ds))
    np.testing.assert_array_equal(read_labels(path, scan), labels_for(scan.volume.shape))


def test_frames_without_a_reference_to_their_image_are_placed_by_position(tmp_path):
    scan = scan_in(tmp_path / "in", TURNS["feet first"])
    ds = seg_of(scan)
    for frame in ds.PerFrameFunctionalGroupsSequence:
        frame.pop("DerivationImageSequence", None)
    path = tmp_path / "seg.dcm"
    path.write_bytes(as_file(ds))
    np.testing.assert_array_equal(read_labels(path, scan), labels_for(scan.volume.shape))


def test_an_edit_is_seen(tmp_path):
    scan = scan_in(tmp_path / "in")
    ds = seg_of(scan)
    numbers = {item.SegmentLabel: item.SegmentNumber for item in ds.SegmentSequence}
    bits = np.unpackbits(np.frombuffer(ds.PixelData, np.uint8), bitorder="little")
    size = ds.Rows * ds.Columns
    for n, frame in enumerate(ds.PerFrameFunctionalGroupsSequence):
        number = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        if number in (numbers["Left upper lobe"], numbers["Left lung"]):
            bits[n * size : (n + 1) * size].reshape(ds.Rows, -1)[:20] = 0
    ds.PixelData = np.packbits(bits, bitorder="little").tobytes()
    path = tmp_path / "seg.dcm"
    path.write_bytes(as_file(ds))
    expected = labels_for(scan.volume.shape)
    expected[:, :20][np.isin(expected[:, :20], [1, 2, 17, 18])] *= 0
    got = read_labels(path, scan)
    np.testing.assert_array_equal(got == 1, expected == 1)


def test_slicers_names_come_before_numbers(tmp_path):
    scan = scan_in(tmp_path / "in")
    volume = scan.volume
    labels = np.where(labels_for(volume.shape) == 2, 77, 0).astype(np.uint8)
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing([float(v) for v in volume.spacing_mm[::-1]])
    image.SetOrigin([float(v) for v in volume.origin_mm])
    image.SetMetaData("Segment0_LabelValue", "77")
    image.SetMetaData("Segment0_Name", "left lower lobe")
    sitk.WriteImage(image, str(tmp_path / "a.seg.nrrd"))
    np.testing.assert_array_equal(read_labels(tmp_path / "a.seg.nrrd", scan) == 2, labels == 77)


def test_unknown_numbers_are_refused(tmp_path):
    scan = scan_in(tmp_path / "in")
    path = tmp_path / "labels.nii.gz"
    path.write_bytes(nifti_bytes(scan.volume, np.full(scan.volume.shape, 99, np.uint8)))
    with pytest.raises(OptionError, match="99"):
        read_labels(path, scan)


def test_labels_of_another_place_are_refused(tmp_path):
    scan = scan_in(tmp_path / "in")
    ds = seg_of(scan)
    for frame in ds.PerFrameFunctionalGroupsSequence:
        place = frame.PlanePositionSequence[0]
        place.ImagePositionPatient = [place.ImagePositionPatient[0] + 0.7, -36, 100]
    path = tmp_path / "seg.dcm"
    path.write_bytes(as_file(ds))
    with pytest.raises(GeometryError):
        read_labels(path, scan)


def test_another_frame_of_reference_is_refused(tmp_path):
    scan = scan_in(tmp_path / "in")
    ds = seg_of(scan)
    ds.FrameOfReferenceUID = generate_uid()
    path = tmp_path / "seg.dcm"
    path.write_bytes(as_file(ds))
    with pytest.raises(GeometryError):
        read_labels(path, scan)


def test_what_is_no_segmentation_is_refused(tmp_path):
    scan = scan_in(tmp_path / "in")
    (tmp_path / "x.txt").write_text("hello")
    for path in (tmp_path / "x.txt", scan.slices[0].path, tmp_path / "none"):
        with pytest.raises(ReadError):
            read_labels(path, scan)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("lung_upper_lobe_left", "left_upper_lobe"),
        ("Right Lung", "right_lung"),
        ("RUL", "right_upper_lobe"),
        ("Trachea", "airway"),
        ("left middle lobe", None),
        ("liver", None),
        ("left and right lung", None),
    ],
)
def test_names_of_other_tools(name, key):
    assert key_of_name(name) == key


def test_a_fractional_segmentation_counts_from_one_half(tmp_path):
    scan = scan_in(tmp_path / "in")
    ds = seg_of(scan)
    bits = np.unpackbits(np.frombuffer(ds.PixelData, np.uint8), bitorder="little")
    bits = bits[: ds.NumberOfFrames * ds.Rows * ds.Columns]
    ds.SegmentationType, ds.MaximumFractionalValue = "FRACTIONAL", 200
    ds.SegmentationFractionalType = "PROBABILITY"
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    ds.PixelData = np.where(bits, 100, 99).astype(np.uint8).tobytes()
    path = tmp_path / "seg.dcm"
    path.write_bytes(as_file(ds))
    assert pydicom.dcmread(path).BitsAllocated == 8
    np.testing.assert_array_equal(read_labels(path, scan), labels_for(scan.volume.shape))


def test_bronchi_are_followed_from_an_imported_trachea_and_the_labels_stay(tmp_path):
    volume, labels = drawn_bronchi()
    scan = Scan(volume=volume, patient=Patient(), study=Study(), acquisition=Acquisition())
    path = tmp_path / "labels.nii.gz"
    path.write_bytes(nifti_bytes(volume, labels))
    found = import_segmentation(path, scan)
    assert len(found.airways.branches) == BRANCHES
    np.testing.assert_array_equal(found.labels, labels)
    assert found.flags == {Flag.LABELS_IMPORTED, Flag.TRUNCATED_LUNG}  # drawn up to the edge
