"""Every transfer syntax gives the pixels of the uncompressed slice, or a refusal that names the file."""

import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from tests.read import series

from qct.errors import PixelError
from qct.read import decode, jpeg_ls, read_scan
from qct.read.decode import stored_values
from qct.read.headers import read_slices

SYNTAXES = "formats/transfer_syntaxes"
LOSSLESS = [
    "BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2",
    "DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99",
    "JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90",
    "JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80",
    "JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70",
    "JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57",
    "LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1",
    "LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2",
    "RLELosslessTransferSyntax_1.2.840.10008.1.2.5",
]
LOSSY = [
    ("JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91", 12),
    ("JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81", 12),
    ("JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51", 60),
    ("JPEGProcess1TransferSyntax_1.2.840.10008.1.2.4.50", 200),
]
UNKNOWN = [
    "JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55",
    "JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53",
]


def slice_of(path: Path):
    return read_slices(path, path)[0]


def hu_of(path: Path):
    one = slice_of(path)
    return stored_values(one) * one.slope + one.intercept


@pytest.mark.real_data
@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_syntaxes_give_the_same_pixels(real_data, name):
    plain = stored_values(slice_of(real_data / SYNTAXES / "CTImage.dcm"))
    packed = stored_values(slice_of(real_data / SYNTAXES / f"CTImage.dcm_{name}.dcm"))
    np.testing.assert_array_equal(packed, plain)


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "within_hu"), LOSSY)
def test_lossy_syntaxes_give_nearly_the_same_hu(real_data, name, within_hu):
    plain = hu_of(real_data / SYNTAXES / "CTImage.dcm")
    packed = hu_of(real_data / SYNTAXES / f"CTImage.dcm_{name}.dcm")
    body = plain > -1500
    assert np.abs(packed - plain)[body].mean() < within_hu


@pytest.mark.real_data
@pytest.mark.parametrize("name", UNKNOWN)
def test_syntaxes_without_a_decoder_are_refused_with_the_file(real_data, name):
    with pytest.raises(PixelError, match=f"{name[:12]}.* cannot be decoded"):
        stored_values(slice_of(real_data / SYNTAXES / f"CTImage.dcm_{name}.dcm"))


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("20-wrong-transfer-syntax.dcm", "cannot be decoded|claims to be compressed"),
        ("short_pixel_data_GH1376.dcm", "claims to be uncompressed"),
        ("no-pixel-data.dcm", "no pixel data"),
    ],
)
def test_damaged_files_are_refused_with_their_name(real_data, name, says):
    with pytest.raises(PixelError, match=f"{name}.*({says})"):
        stored_values(slice_of(real_data / "formats" / name))


@pytest.mark.real_data
def test_rle_in_fragments_is_decoded(real_data):
    path = real_data / "formats" / "D_CLUNIE_CT1_RLE_FRAGS.dcm"
    np.testing.assert_array_equal(stored_values(slice_of(path)), pydicom.dcmread(path).pixel_array)


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEGLSLossless,
        JPEG2000Lossless,
    ],
)
@pytest.mark.parametrize("is_signed", [False, True])
def test_a_series_reads_the_same_in_every_syntax(tmp_path, syntax, is_signed):
    def store(ds, k):
        hu = series.chest_hu(k)
        if is_signed:
            ds.RescaleIntercept = "0"
            series.set_pixels(ds, hu, signed=True)
        if syntax == ExplicitVRBigEndian:
            ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
            ds["PixelData"].VR = "OW"
        elif syntax.is_encapsulated:
            series.compress(ds, syntax)

    scan = read_scan(series.write(tmp_path, store, n=3, syntax=syntax))
    np.testing.assert_array_equal(scan.volume.hu, [series.chest_hu(k) for k in range(3)])


def test_frames_of_a_compressed_multi_frame_image_are_found(tmp_path):
    ds = series.enhanced()
    series.compress(ds, RLELossless)
    series.save(ds, tmp_path / "one", RLELossless)
    scan = read_scan(tmp_path)
    np.testing.assert_array_equal(scan.volume.hu, [series.chest_hu(k) for k in range(series.N)])


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless, RLELossless])
@pytest.mark.parametrize("left_percent", [40, 70, 95])
@pytest.mark.filterwarnings("default")  # pydicom warns of the end of the file, too
def test_a_compressed_slice_that_is_cut_short_is_refused(syntax, left_percent, tmp_path):
    def squeeze(ds, k):
        series.compress(ds, syntax)

    path = sorted(series.write(tmp_path / "scan", squeeze, n=1, syntax=syntax).iterdir())[0]
    whole = path.read_bytes()
    start = whole.index(b"\xe0\x7f\x10\x00")
    path.write_bytes(whole[: start + (len(whole) - start) * left_percent // 100])
    with pytest.raises(PixelError, match=path.name):
        stored_values(slice_of(path))


@pytest.mark.parametrize("bits_stored", [8, 12, 16])
@pytest.mark.parametrize("is_signed", [False, True])
def test_jpeg_ls_is_decoded_the_same_with_and_without_the_interpreter(
    bits_stored, is_signed, tmp_path, monkeypatch
):
    rng = np.random.default_rng(bits_stored)
    low = -(1 << (bits_stored - 1)) if is_signed else 0
    stored = rng.integers(low, low + (1 << bits_stored), series.chest_hu(0).shape)

    def store(ds, k):
        series.set_pixels(ds, stored, signed=is_signed)
        ds.BitsStored, ds.HighBit = bits_stored, bits_stored - 1
        series.compress(ds, JPEGLSLossless)

    (path,) = series.write(tmp_path, store, n=1, syntax=JPEGLSLossless).iterdir()
    free = stored_values(slice_of(path))
    monkeypatch.setattr(jpeg_ls, "_charls", lambda: None)
    held = stored_values(slice_of(path))
    np.testing.assert_array_equal(free, stored)
    np.testing.assert_array_equal(held, stored)
    assert free.dtype == held.dtype or bits_stored == 8


@pytest.mark.skipif(sys.platform == "win32", reason="CharLS shows no functions there")
def test_jpeg_ls_of_a_ct_is_decoded_by_charls_itself(tmp_path, monkeypatch):
    (path,) = series.write(
        tmp_path, lambda ds, k: series.compress(ds, JPEGLSLossless), n=1, syntax=JPEGLSLossless
    ).iterdir()
    monkeypatch.setattr(decode, "_by_pydicom", None)
    assert stored_values(slice_of(path)).any()
