"""Every trap: a right volume, or a refusal that says what and where. Never a traceback."""

import numpy as np
import pytest
from pydicom.uid import generate_uid
from tests.read import series

from qct.acquisition import KernelFamily
from qct.errors import (
    GeometryError,
    IdentityError,
    NothingToReadError,
    OptionError,
    PixelError,
    SeriesRefusedError,
)
from qct.flags import Flag
from qct.read import read_scan
from qct.volume import PADDING_HU


def expected_hu(n=series.N):
    return np.stack([series.chest_hu(k) for k in range(n)])


def test_a_plain_series_becomes_one_volume_with_its_geometry(tmp_path):
    scan = read_scan(series.write(tmp_path))
    np.testing.assert_array_equal(scan.volume.hu, expected_hu())
    assert scan.volume.spacing_mm == pytest.approx((2.5, 1.5, 1.25))
    assert scan.volume.origin_mm.tolist() == [-40, -36, 100]
    assert scan.stored_axes == (1, 2, 3)
    assert not scan.flags
    assert not scan.volume.hu.flags.writeable
    assert [s.path.name for s in scan.slices] == [f"{k:03d}" for k in range(series.N)]


def test_slices_are_sorted_by_position_whatever_their_names_and_numbers(tmp_path):
    def shuffle(ds, k):
        z = (k * 5) % series.N
        ds.ImagePositionPatient[2] = 100 + series.STEP_MM * z
        series.set_pixels(ds, series.chest_hu(z) + 1024)

    np.testing.assert_array_equal(
        read_scan(series.write(tmp_path, shuffle)).volume.hu, expected_hu()
    )


def test_spacing_comes_from_positions_and_not_from_the_header(tmp_path):
    def lie(ds, k):
        ds.SliceThickness = "1.25"
        ds.SpacingBetweenSlices = "9"

    scan = read_scan(series.write(tmp_path, lie))
    assert scan.volume.spacing_mm[0] == pytest.approx(2.5)
    assert scan.acquisition.slice_mm == 1.25


# --- orientation --------------------------------------------------------------------------------


def _stored_as(rows_step, columns_step, k, hu):
    """Store slice k of the upright volume with other row and column directions."""
    stored, corner = hu, np.array([-40.0, -36.0, 100 + series.STEP_MM * k])
    if columns_step[0] < 0:
        stored, corner = stored[:, ::-1], corner + np.array([(series.COLUMNS - 1) * 1.25, 0, 0])
    if rows_step[1] < 0:
        stored, corner = stored[::-1], corner + np.array([0, (series.ROWS - 1) * 1.5, 0])
    return stored, corner


@pytest.mark.parametrize(("x", "y"), [(1, -1), (-1, 1), (-1, -1)])
def test_flipped_rows_and_columns_give_the_same_volume(tmp_path, x, y):
    def flip(ds, k):
        stored, corner = _stored_as((0, y), (x, 0), k, series.chest_hu(k))
        series.set_pixels(ds, stored + 1024)
        ds.ImageOrientationPatient = [x, 0, 0, 0, y, 0]
        ds.ImagePositionPatient = corner.tolist()

    scan = read_scan(series.write(tmp_path, flip))
    np.testing.assert_array_equal(scan.volume.hu, expected_hu())
    assert scan.volume.origin_mm.tolist() == [-40, -36, 100]
    assert (scan.stored_axes[1] < 0, scan.stored_axes[2] < 0) == (y < 0, x < 0)


def test_a_patient_on_the_side_gives_the_same_volume(tmp_path):
    def swap(ds, k):
        series.set_pixels(ds, series.chest_hu(k).T + 1024)
        ds.ImageOrientationPatient = [0, 1, 0, 1, 0, 0]
        ds.PixelSpacing = [1.25, 1.5]

    scan = read_scan(series.write(tmp_path, swap))
    np.testing.assert_array_equal(scan.volume.hu, expected_hu())
    assert [abs(a) for a in scan.stored_axes] == [1, 3, 2]
    assert scan.volume.spacing_mm == pytest.approx((2.5, 1.5, 1.25))


def test_slices_counted_towards_the_feet_are_turned(tmp_path):
    def swap(ds, k):  # the normal of these slices points to the feet
        series.set_pixels(ds, series.chest_hu(k).T + 1024)
        ds.ImageOrientationPatient = [0, 1, 0, 1, 0, 0]
        ds.PixelSpacing = [1.25, 1.5]

    scan = read_scan(series.write(tmp_path, swap))
    assert scan.stored_axes[0] == -1
    assert scan.volume.origin_mm[2] == 100
    assert scan.slices[0].path.name == "000"


def test_a_tilted_gantry_is_read_with_sheared_axes_and_a_flag(tmp_path):
    tilt = np.radians(15.0)

    def lean(ds, k):
        ds.ImageOrientationPatient = [1, 0, 0, 0, float(np.cos(tilt)), -float(np.sin(tilt))]

    scan = read_scan(series.write(tmp_path, lean))
    assert Flag.SHEARED_GRID in scan.flags
    assert scan.acquisition.gantry_tilt_deg == pytest.approx(15.0, abs=0.05)
    assert scan.volume.spacing_mm[0] == pytest.approx(2.5 * np.cos(tilt))
    assert scan.volume.voxel_ml * 1000 == pytest.approx(2.5 * np.cos(tilt) * 1.5 * 1.25)


def test_coronal_slices_are_refused(tmp_path):
    def stand(ds, k):
        ds.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        ds.ImagePositionPatient = [-40, -36 + 2.5 * k, 100]

    with pytest.raises(GeometryError, match="not axial"):
        read_scan(series.write(tmp_path, stand))


# --- gaps, doubles, jitter ----------------------------------------------------------------------


def test_a_missing_slice_is_refused_with_the_gap_and_its_place(tmp_path):
    (series.write(tmp_path) / "003").unlink()
    with pytest.raises(GeometryError, match=r"1 slice missing: a gap of 5\.00 mm at 105\.0 mm"):
        read_scan(tmp_path)


def test_uneven_slices_are_refused_with_their_distances(tmp_path):
    def spread(ds, k):
        ds.ImagePositionPatient[2] = 100 + 2.5 * k + 0.1 * k * k

    with pytest.raises(GeometryError, match=r"vary from 2\.60 to 3\.80 mm"):
        read_scan(series.write(tmp_path, spread))


def test_jitter_of_one_percent_is_tolerated(tmp_path):
    def jitter(ds, k):
        ds.ImagePositionPatient[2] = 100 + 2.5 * k + 0.02 * (-1) ** k

    assert read_scan(series.write(tmp_path, jitter)).volume.shape[0] == series.N


def test_one_slice_beside_the_others_is_refused(tmp_path):
    def push(ds, k):
        ds.ImagePositionPatient[0] = -40 + 4.0 * (k == 4)

    with pytest.raises(GeometryError, match=r"lies 4\.0 mm beside"):
        read_scan(series.write(tmp_path, push))


def test_files_copied_twice_count_once_and_leave_a_flag(tmp_path):
    series.write(tmp_path / "a")
    series.write(tmp_path / "b")
    scan = read_scan(tmp_path)
    assert scan.volume.shape[0] == series.N
    assert Flag.DUPLICATE_SLICES in scan.flags


def test_two_images_at_one_place_that_nothing_tells_apart_are_refused(tmp_path):
    series.write(tmp_path)

    def other(ds, k):
        ds.SOPInstanceUID = generate_uid(entropy_srcs=["other", str(k)])

    series.write(tmp_path, other, first=100)
    with pytest.raises(GeometryError, match="nothing in the header tells them apart"):
        read_scan(tmp_path)


@pytest.mark.parametrize(
    ("keyword", "value"), [("AcquisitionNumber", 2), ("TemporalPositionIdentifier", 2)]
)
def test_phases_in_one_series_are_split(tmp_path, keyword, value):
    series.write(tmp_path)

    def later(ds, k):
        ds.SOPInstanceUID = generate_uid(entropy_srcs=["later", str(k)])
        setattr(ds, keyword, value)

    series.write(tmp_path, later, first=100)
    scan = read_scan(tmp_path)
    assert scan.volume.shape[0] == series.N
    assert [c.verdict for c in scan.candidates] == ["chosen", "passed over"]


def test_acquisitions_that_follow_each_other_stay_one_volume(tmp_path):
    def step(ds, k):
        ds.AcquisitionNumber = 1 + k // 2

    assert read_scan(series.write(tmp_path, step)).volume.shape[0] == series.N


def test_a_series_whose_thickness_changes_halfway_is_not_measured_in_part(tmp_path):
    def change(ds, k):
        ds.SliceThickness = "2.5" if k < 4 else "5"
        ds.ImagePositionPatient[2] = 100 + 2.5 * k + (2.5 * (k - 4) if k > 4 else 0)

    with pytest.raises(GeometryError):
        read_scan(series.write(tmp_path, change))


def test_one_slice_alone_is_refused(tmp_path):
    with pytest.raises(GeometryError, match="one slice only"):
        read_scan(series.write(tmp_path, n=1))


# --- pixels and HU ------------------------------------------------------------------------------


def test_every_slice_is_rescaled_with_its_own_values(tmp_path):
    def scale(ds, k):
        ds.RescaleIntercept = str(-1024 - 10 * k)
        series.set_pixels(ds, series.chest_hu(k) + 1024 + 10 * k)

    np.testing.assert_array_equal(read_scan(series.write(tmp_path, scale)).volume.hu, expected_hu())


def test_a_slope_that_is_not_one_rounds_and_leaves_a_flag(tmp_path):
    def scale(ds, k):
        ds.RescaleSlope, ds.RescaleIntercept = "0.5", "-1024.5"
        series.set_pixels(ds, 2 * (series.chest_hu(k) + 1024) + 1)

    scan = read_scan(series.write(tmp_path, scale))
    assert Flag.ROUNDED_HU in scan.flags
    np.testing.assert_array_equal(scan.volume.hu, expected_hu())


def _pad(stored, value):
    stored = stored.copy()
    stored[:, :6] = stored[:, -6:] = value
    return stored


@pytest.mark.parametrize("is_declared", [True, False])
def test_padding_is_compared_before_the_rescale(tmp_path, is_declared):
    def pad(ds, k):
        series.set_pixels(ds, _pad(series.chest_hu(k) + 1024, -2000), signed=True)
        if is_declared:
            ds.add_new("PixelPaddingValue", "SS", -2000)

    hu = read_scan(series.write(tmp_path, pad)).volume.hu
    assert (hu[:, :, :6] == PADDING_HU).all()
    np.testing.assert_array_equal(hu[:, :, 6:-6], expected_hu()[:, :, 6:-6])


def test_padding_may_be_a_range_and_written_with_the_wrong_sign(tmp_path):
    def pad(ds, k):
        stored = _pad(series.chest_hu(k) + 1024, -2000)
        stored[:, :3] = -1990
        series.set_pixels(ds, stored, signed=True)
        ds.add_new("PixelPaddingValue", "US", 65536 - 2000)
        ds.add_new("PixelPaddingRangeLimit", "US", 65536 - 1990)

    hu = read_scan(series.write(tmp_path, pad)).volume.hu
    assert (hu[:, :, :6] == PADDING_HU).all()
    assert (hu[:, :, 6:-6] != PADDING_HU).all()


def test_air_at_a_declared_padding_of_minus_1024_stays_air_inside_the_field(tmp_path):
    def pad(ds, k):
        stored = series.chest_hu(k) + 1024
        stored[24, 10:14] = 0
        stored[:2, :] = 0
        series.set_pixels(ds, stored)
        ds.add_new("PixelPaddingValue", "US", 0)

    hu = read_scan(series.write(tmp_path, pad)).volume.hu
    assert (hu[:, 24, 10:14] == -1024).all()
    assert (hu[:, 0, :8] == PADDING_HU).all()


def test_monochrome1_does_not_invert_hu(tmp_path):
    def invert(ds, k):
        ds.PhotometricInterpretation = "MONOCHROME1"

    np.testing.assert_array_equal(
        read_scan(series.write(tmp_path, invert)).volume.hu, expected_hu()
    )


def test_overlay_bits_above_the_high_bit_are_dropped(tmp_path):
    def overlay(ds, k):
        series.set_pixels(ds, (series.chest_hu(k) + 1024) | 0x8000)
        ds.BitsStored, ds.HighBit = 12, 11

    np.testing.assert_array_equal(
        read_scan(series.write(tmp_path, overlay)).volume.hu, expected_hu()
    )


@pytest.mark.parametrize("offset", [-1024, 1000, 1024])
def test_a_wrong_offset_is_refused_and_not_shifted(tmp_path, offset):
    def shift(ds, k):
        ds.RescaleIntercept = str(-1024 + offset)

    with pytest.raises(PixelError, match="the scale is not HU"):
        read_scan(series.write(tmp_path, shift))


def test_a_small_offset_is_flagged(tmp_path):
    def shift(ds, k):
        ds.RescaleIntercept = "-974"

    assert Flag.HU_OFFSET in read_scan(series.write(tmp_path, shift)).flags


@pytest.mark.parametrize("floor", [-1024, -1000])
def test_a_floor_is_found_and_told(tmp_path, floor):
    def clip(ds, k):
        noisy = series.chest_hu(k)
        noisy[noisy < -900] -= 20 if floor == -1024 else 0
        series.set_pixels(ds, np.maximum(noisy, floor) + 1024)

    scan = read_scan(series.write(tmp_path, clip))
    assert scan.acquisition.floor_hu == floor
    assert Flag.HU_FLOOR in scan.flags


@pytest.mark.parametrize(
    ("keyword", "value", "says"),
    [
        ("RescaleIntercept", "1e30", "not HU"),
        ("RescaleSlope", "1e30", "not HU"),
        ("RescaleSlope", "0", "has no RescaleSlope"),
        ("Rows", 65535, "65535 rows"),
        ("Rows", 0, "0 rows"),
        ("BitsAllocated", 7, "7 bits"),
        ("BitsStored", 40, "40 bits"),
        ("SamplesPerPixel", 3, "colour"),
    ],
)
def test_headers_that_cannot_be_are_refused(tmp_path, keyword, value, says):
    with pytest.raises(PixelError, match=says):
        read_scan(series.write(tmp_path, lambda ds, k: setattr(ds, keyword, value)))


def test_metal_beyond_the_scale_is_clipped_and_not_wrapped(tmp_path):
    def implant(ds, k):
        stored = series.chest_hu(k) + 1024
        stored[30, 30] = 65535
        series.set_pixels(ds, stored)

    assert (read_scan(series.write(tmp_path, implant)).volume.hu[:, 30, 30] == 32767).all()


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
def test_a_missing_rescale_is_refused(tmp_path, keyword):
    with pytest.raises(PixelError, match="has no RescaleSlope or RescaleIntercept"):
        read_scan(series.write(tmp_path, lambda ds, k: delattr(ds, keyword)))


def test_pixels_cut_short_are_refused_with_the_file(tmp_path):
    def cut(ds, k):
        if k == 5:
            ds.PixelData = ds.PixelData[:-100]

    with pytest.raises(PixelError, match=r"005 is cut short"):
        read_scan(series.write(tmp_path, cut))


def test_a_file_cut_short_is_refused_with_its_name(tmp_path):
    series.write(tmp_path)
    whole = (tmp_path / "005").read_bytes()
    (tmp_path / "005").write_bytes(whole[:-100])
    with pytest.raises(PixelError, match=r"005 is cut short"):
        read_scan(tmp_path)


def test_an_unknown_transfer_syntax_is_refused_with_the_file(tmp_path):
    series.write(tmp_path, syntax="1.2.840.10008.1.2.1")
    whole = (tmp_path / "005").read_bytes()
    (tmp_path / "005").write_bytes(
        whole.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0", 1)
    )
    with pytest.raises(PixelError, match="005"):
        read_scan(tmp_path)


# --- what must not be measured ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"Modality": "MR"}, "modality is MR"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, "reformat"),
        ({"ImageType": ["DERIVED", "PRIMARY", "AXIAL"]}, "derived"),
        ({"ImageType": ["DERIVED", "PRIMARY", "AXIAL", "MIP"]}, "maximum intensity"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "EFF_ATOMIC_NUM"]}, "multi-energy"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "secondary captures"),
    ],
)
def test_other_images_are_refused_with_the_reason(tmp_path, change, says):
    def spoil(ds, k):
        for keyword, value in change.items():
            setattr(ds, keyword, value)

    with pytest.raises(SeriesRefusedError, match=says):
        read_scan(series.write(tmp_path, spoil))


def test_a_scale_that_is_not_hu_is_refused(tmp_path):
    def spoil(ds, k):
        ds.RescaleType = "Z_EFF"

    with pytest.raises(PixelError, match="Z_EFF"):
        read_scan(series.write(tmp_path, spoil))


def test_a_lossy_series_is_read_with_a_flag(tmp_path):
    def lose(ds, k):
        ds.LossyImageCompression = "01"
        ds.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]

    scan = read_scan(series.write(tmp_path, lose))
    assert Flag.LOSSY_COMPRESSION in scan.flags
    assert scan.acquisition.is_lossy


# --- identity -----------------------------------------------------------------------------------


def test_two_patients_are_refused_unless_a_series_is_named(tmp_path):
    series.write(tmp_path / "a", seed="a")
    series.write(tmp_path / "b", seed="b")
    with pytest.raises(IdentityError, match="2 patients"):
        read_scan(tmp_path)
    uid = series.study("b").SeriesInstanceUID
    assert read_scan(tmp_path, series_uid=uid).patient.patient_id == "P-b"


def test_two_patients_in_one_series_are_refused(tmp_path):
    def mix(ds, k):
        ds.PatientID = f"P-{k % 2}"

    with pytest.raises(IdentityError, match="2 patients"):
        read_scan(series.write(tmp_path, mix))


def test_two_studies_of_one_patient_are_refused(tmp_path):
    def same_patient(ds, k):
        ds.PatientID = "P"

    series.write(tmp_path / "a", same_patient, seed="a")
    series.write(tmp_path / "b", same_patient, seed="b")
    with pytest.raises(IdentityError, match="2 studies"):
        read_scan(tmp_path)


def test_two_frames_of_reference_in_one_series_are_refused(tmp_path):
    def mix(ds, k):
        if k > 3:
            ds.FrameOfReferenceUID = generate_uid(entropy_srcs=["other"])

    with pytest.raises(IdentityError, match="2 different frames of reference"):
        read_scan(series.write(tmp_path, mix))


def test_a_series_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"no series 1\.2\.3"):
        read_scan(series.write(tmp_path), series_uid="1.2.3")


def test_no_message_holds_the_patient(tmp_path):
    series.write(tmp_path / "a", seed="a")
    series.write(tmp_path / "b", seed="b")
    with pytest.raises(IdentityError) as caught:
        read_scan(tmp_path)
    assert "Muster" not in str(caught.value)
    assert "P-a" not in str(caught.value)


# --- choice -------------------------------------------------------------------------------------


def test_the_neutral_kernel_is_chosen_and_the_other_one_explained(tmp_path):
    def alike(ds, k):
        ds.PatientID = "P"
        ds.StudyInstanceUID = series.study("a").StudyInstanceUID

    def sharp(ds, k):
        alike(ds, k)
        ds.ConvolutionKernel = "B70f"

    series.write(tmp_path / "sharp", sharp, seed="a")
    series.write(tmp_path / "plain", alike, seed="b")
    scan = read_scan(tmp_path)
    assert scan.acquisition.recon_kernel == "B31f"
    assert scan.acquisition.kernel_family is KernelFamily.STANDARD
    chosen, other = scan.candidates
    assert (chosen.verdict, other.verdict) == ("chosen", "passed over")
    assert "B70f" in other.reason


def test_two_kernels_in_one_series_are_told_apart(tmp_path):
    series.write(tmp_path)

    def sharp(ds, k):
        ds.SOPInstanceUID = generate_uid(entropy_srcs=["sharp", str(k)])
        ds.ConvolutionKernel = "B70f"

    series.write(tmp_path, sharp, first=100)
    assert read_scan(tmp_path).acquisition.recon_kernel == "B31f"


# --- multi-frame --------------------------------------------------------------------------------


def test_an_enhanced_image_is_read_frame_by_frame(tmp_path):
    series.save(series.enhanced(), tmp_path / "one.dcm")
    for path in (tmp_path, tmp_path / "one.dcm"):
        scan = read_scan(path)
        np.testing.assert_array_equal(scan.volume.hu, expected_hu())
        assert scan.volume.spacing_mm == pytest.approx((2.5, 1.5, 1.25))
        assert [s.frame for s in scan.slices] == list(range(series.N))
        assert scan.acquisition.recon_kernel == "B31f"
        assert scan.acquisition.kvp == 100


# --- nothing there ------------------------------------------------------------------------------


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(NothingToReadError):
        read_scan(tmp_path)


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(NothingToReadError, match="there is no"):
        read_scan(tmp_path / "nowhere")


def test_a_folder_without_dicom_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty").touch()
    with pytest.raises(NothingToReadError, match="2 files"):
        read_scan(tmp_path)


def test_progress_only_grows_and_ends_at_one(tmp_path):
    told = []
    read_scan(series.write(tmp_path), progress=lambda doing, share: told.append(share))
    assert told == sorted(told)
    assert told[-1] == 1
