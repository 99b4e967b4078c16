"""``labels.nii.gz``: the label map on the scanner's own grid (NIfTI-1), for any viewer.

Written directly, because the sheared grid of a tilted gantry is allowed by the format's sform and by few
libraries. Header fields: NIfTI-1.1, nifti1.h (https://nifti.nimh.nih.gov/nifti-1).
"""

import struct
import zlib

import numpy as np
import numpy.typing as npt

from qct.volume import Volume

COMPRESSION_LEVEL = 1
"""Label maps are long runs of one number: higher levels are slower and hardly smaller."""

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""No name and no time, so that the same labels give the same bytes (RFC 1952)."""

DATATYPE_UINT8 = 2
SCANNER_ANATOMY = 1
UNITS_MM = 2
LABEL_INTENT = 1002
HEADER_BYTES = 348
DATA_OFFSET = 352
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])

ORTHOGONAL_WITHIN = 1e-4
"""Largest cosine between two axes that a rotation (qform) may stand for."""


def nifti_bytes(volume: Volume, labels: npt.NDArray[np.uint8]) -> bytes:
    """Return the compressed file: `labels` placed in space by the grid of `volume`.

    The sform holds the grid as it is; the qform too where the grid is not sheared.

    Raises
    ------
    ValueError
        If `labels` is on another grid than `volume`.
    """
    volume.check_grid(labels)
    header = _header(volume) + bytes(DATA_OFFSET - HEADER_BYTES)
    return _gzipped(header, np.ascontiguousarray(labels, np.uint8).data.cast("B"))


def _gzipped(*parts: bytes | memoryview) -> bytes:
    packer = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed, crc, size = [GZIP_HEADER], 0, 0
    for part in parts:
        packed.append(packer.compress(part))
        crc = zlib.crc32(part, crc)
        size += len(part)
    packed += [packer.flush(), struct.pack("<II", crc, size & 0xFFFFFFFF)]
    return b"".join(packed)


def _header(volume: Volume) -> bytes:
    nz, ny, nx = volume.shape  # C order (z, y, x) is NIfTI's own order (x fastest)
    steps = LPS_TO_RAS @ volume.axes_mm[::-1].T  # columns: RAS steps along x, y, z
    origin = LPS_TO_RAS @ volume.origin_mm
    size_mm = np.linalg.norm(steps, axis=0)
    qfac, quaternion = _rotation(steps / size_mm)
    header = bytearray(HEADER_BYTES)
    struct.pack_into("<i", header, 0, HEADER_BYTES)
    struct.pack_into("<8h", header, 40, 3, nx, ny, nz, 1, 1, 1, 1)
    struct.pack_into("<4h", header, 68, LABEL_INTENT, DATATYPE_UINT8, 8, 0)
    struct.pack_into("<8f", header, 76, qfac, *size_mm, 0, 0, 0, 0)
    struct.pack_into("<3f", header, 108, DATA_OFFSET, 1, 0)
    header[123] = UNITS_MM
    struct.pack_into("<80s", header, 148, b"qct label map; numbers: analysis.json, labels")
    is_orthogonal = quaternion is not None
    struct.pack_into("<2h", header, 252, SCANNER_ANATOMY * is_orthogonal, SCANNER_ANATOMY)
    struct.pack_into("<3f", header, 256, *(quaternion if quaternion is not None else (0, 0, 0)))
    struct.pack_into("<3f", header, 268, *origin)
    struct.pack_into("<12f", header, 280, *np.column_stack([steps, origin]).ravel())
    header[344:348] = b"n+1\0"
    return bytes(header)


def _rotation(unit: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64] | None]:
    """Return qfac and the quaternion's (b, c, d), or None where the axes are not at right angles."""
    if np.abs(unit.T @ unit - np.eye(3)).max() > ORTHOGONAL_WITHIN:
        return 1.0, None
    qfac = 1.0 if np.linalg.det(unit) > 0 else -1.0
    rotation = unit * [1.0, 1.0, qfac]
    return qfac, _quaternion(rotation)


def _quaternion(rotation: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (b, c, d) of the unit quaternion with a >= 0.

    The eigenvector of Bar-Itzhack's symmetric matrix (J Guid Control Dyn 2000;23:1085) has no special
    case for half turns.
    """
    r = rotation
    k = np.array(
        [
            [r[0, 0] + r[1, 1] + r[2, 2], r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]],
            [0, r[0, 0] - r[1, 1] - r[2, 2], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0]],
            [0, 0, r[1, 1] - r[0, 0] - r[2, 2], r[1, 2] + r[2, 1]],
            [0, 0, 0, r[2, 2] - r[0, 0] - r[1, 1]],
        ]
    )
    vectors = np.linalg.eigh(k, UPLO="U").eigenvectors
    best: npt.NDArray[np.float64] = vectors[:, -1]
    return (best if best[0] >= 0 else -best)[1:]
