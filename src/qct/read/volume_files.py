"""Volumes that did not come as DICOM: NIfTI, NRRD, MetaImage. Their headers know a grid and little else."""

import gzip
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.acquisition import Acquisition, Patient, Study
from qct.errors import GeometryError, PixelError, ReadError
from qct.findings import Progress, Scan
from qct.flags import Flag
from qct.read.assemble import HIGHEST_HU, HU16, LOWEST_HU, NOTHING_BELOW_HU, place_of
from qct.read.check import METAL_ML, check_scale
from qct.read.geometry import MIN_OBLIQUE_DEG, MIN_SHEAR_DEG, Grid, regular_grid, turn_of
from qct.volume import PADDING_HU, Volume

_IMAGE_IO = {
    ".nii": "NiftiImageIO",
    ".nii.gz": "NiftiImageIO",
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
}
"""Who reads a file, by the end of its name; nothing else is tried on it."""

NIFTI = {348: ("i2", 70, "f4", 108), 540: ("i2", 12, "i8", 168)}
"""Length of a NIfTI header, version 1 or 2: type and place of its data type and of where the voxels begin."""

NIFTI_FLOATS = {16: "f4", 64: "f8"}
"""Data types of NIfTI that can hold what is no number."""

DETACHED = (".nhdr", ".mhd")
"""Headers whose voxels stand in another file."""

MAX_VOXELS = 2**31
"""More than any chest CT has; a damaged header may claim more."""

MAX_DEFLATION = 1032
"""Most that deflate compresses (zlib technical details)."""

SPACING_MM = (0.05, 50.0)
"""Voxels that a chest CT can have."""

MAX_PLACE_MM = 1e5
"""Origins beyond are damage."""

MIN_SPREAD = 0.5
"""Smallest determinant of the directions: below, the axes do not span space."""


def read_volume_file(path: Path, progress: Progress) -> Scan:
    """Read one volume file; its values must be Hounsfield units.

    Raises
    ------
    ReadError
        If the file cannot be read.
    GeometryError, PixelError
        If it is not one axial grey-scale volume in HU.
    """
    image = _open(path)
    progress("reading volume", 0.1)
    stored, grid = _stored(image, path), _grid(image)
    turn = turn_of(grid)
    hu = np.empty(turn.shape, np.int16)
    is_rounded = [
        _fill(place_of(hu, turn, k), np.where(lost, np.nan, plane), stored[0, 0, 0])
        if lost is not None and lost.any()
        else _fill(place_of(hu, turn, k), plane, stored[0, 0, 0])
        for k, (plane, lost) in enumerate(zip(stored, _lost(path, stored), strict=True))
    ]
    hu.flags.writeable = False
    volume = Volume(hu, turn.axes_mm, turn.origin_mm)
    scale = check_scale(volume)
    progress("reading volume", 1.0)
    raised = {
        Flag.CONVERTED_GRID: True,
        Flag.ROUNDED_HU: any(is_rounded),
        Flag.SHEARED_GRID: grid.shear_deg > MIN_SHEAR_DEG,
        Flag.OBLIQUE_GRID: grid.oblique_deg > MIN_OBLIQUE_DEG,
        Flag.HU_FLOOR: scale.floor_hu is not None,
        Flag.HU_OFFSET: not scale.is_calibrated,
        Flag.METAL: scale.metal_ml > METAL_ML,
    }
    return Scan(
        volume=volume,
        patient=Patient(),
        study=Study(),
        acquisition=Acquisition(floor_hu=scale.floor_hu, n_slices=len(hu)),
        stored_axes=turn.stored_axes,
        flags=frozenset(flag for flag, is_raised in raised.items() if is_raised),
    )


def _fill(place: HU16, plane: npt.NDArray[Any], corner: float) -> bool:
    """Write one plane of HU into its place; tell whether values had to be rounded."""
    whole = np.rint(plane)
    nothing = np.isnan(plane)
    if corner <= NOTHING_BELOW_HU:
        nothing |= plane == corner
    place[...] = np.clip(np.where(nothing, 0, whole), LOWEST_HU, HIGHEST_HU)
    place[nothing] = PADDING_HU
    return bool((whole != plane)[~nothing].any())


def _lost(path: Path, stored: npt.NDArray[Any]) -> Iterator[npt.NDArray[np.bool_] | None]:
    """Say for every plane where a NIfTI file holds no finite number: the library reads 0 there, silently."""
    if not _suffix(path).startswith(".nii") or stored.dtype.kind != "f":
        yield from (None,) * len(stored)
        return
    with path.open("rb") as raw:
        is_packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path) if is_packed else path.open("rb") as file:
        head = file.read(max(NIFTI))
        order = "<" if int.from_bytes(head[:4], "little") in NIFTI else ">"
        length = int(np.frombuffer(head, f"{order}i4", 1)[0])
        kind, at, start, at_start = NIFTI[length]
        number = int(np.frombuffer(head, f"{order}{kind}", 1, at)[0])
        if number not in NIFTI_FLOATS:
            yield from (None,) * len(stored)
            return
        value = np.dtype(f"{order}{NIFTI_FLOATS[number]}")
        file.seek(int(np.frombuffer(head, f"{order}{start}", 1, at_start)[0]))
        for plane in stored:
            held = file.read(plane.size * value.itemsize)
            if len(held) < plane.size * value.itemsize:
                raise ReadError(f"{path.name} ends within its voxels", hint="Export it again.")
            yield ~np.isfinite(np.frombuffer(held, value)).reshape(plane.shape)


def _open(path: Path) -> Any:
    """Read the header, then the voxels if the header can be true."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO(_IMAGE_IO[_suffix(path)])
    try:
        reader.ReadImageInformation()
        _refuse_header(reader, path)
        return reader.Execute()
    except (RuntimeError, MemoryError) as trouble:
        raise ReadError(
            f"{path.name} cannot be read as a volume", hint="Hand in the DICOM series instead."
        ) from trouble


def _suffix(path: Path) -> str:
    return next(suffix for suffix in _IMAGE_IO if path.name.lower().endswith(suffix))


def _refuse_header(reader: Any, path: Path) -> None:
    """Refuse what is no volume of grey values, and what claims more than the file can hold."""
    hint = "Hand in one grey-scale volume."
    n_values = reader.GetNumberOfComponents()
    if reader.GetDimension() != 3 or n_values != 1:
        raise PixelError(
            f"{path.name} has {reader.GetDimension()} dimensions and {n_values} values per voxel, "
            "expected 3 and 1",
            hint=hint,
        )
    size = tuple(reader.GetSize())
    n_voxels = math.prod(size)
    held = path.stat().st_size * MAX_DEFLATION
    is_whole = _suffix(path) not in DETACHED
    if n_voxels > MAX_VOXELS or (is_whole and n_voxels > held):
        raise PixelError(
            f"{path.name} claims {size} voxels, more than the file can hold",
            hint="Export the volume again.",
        )
    if min(size) < 2:
        raise GeometryError(f"{path.name} is no volume: {size} voxels", hint=hint)
    spacing = tuple(reader.GetSpacing())
    if not all(SPACING_MM[0] <= mm <= SPACING_MM[1] for mm in spacing):
        raise GeometryError(
            f"{path.name} has voxels of {' x '.join(f'{mm:.3g}' for mm in spacing)} mm",
            hint="Export the volume again with its spacing in mm.",
        )
    where = (*reader.GetOrigin(), *reader.GetDirection())
    spread = abs(np.linalg.det(np.array(reader.GetDirection()).reshape(3, 3)))
    if not (all(abs(number) < MAX_PLACE_MM for number in where) and MIN_SPREAD < spread < 2):
        raise GeometryError(f"{path.name} does not say where it lies", hint="Export it again.")


def _stored(image: Any, path: Path) -> npt.NDArray[Any]:
    import SimpleITK

    stored = np.asarray(SimpleITK.GetArrayViewFromImage(image))
    if stored.dtype.kind not in "iuf":
        raise PixelError(f"{path.name} holds no real numbers", hint="Hand in a volume in HU.")
    return stored


def _grid(image: Any) -> Grid:
    """Take the grid from the image; SimpleITK gives LPS, and axes as x, y, z."""
    directions = np.array(image.GetDirection(), np.float64).reshape(3, 3)
    steps = directions * np.array(image.GetSpacing(), np.float64)
    columns, rows, slices = image.GetSize()
    return regular_grid(
        (steps[:, 2], steps[:, 1], steps[:, 0]),
        np.array(image.GetOrigin(), np.float64),
        (slices, rows, columns),
        tuple(range(slices)),
    )
