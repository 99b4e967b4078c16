"""Volumes that did not come as DICOM: NIfTI, NRRD, MetaImage. Their headers know a grid and little else."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.acquisition import Acquisition, Patient, Study
from qct.errors import GeometryError, PixelError, ReadError
from qct.findings import Progress, Scan
from qct.flags import Flag
from qct.read.assemble import HIGHEST_HU, HU16, LOWEST_HU, NOTHING_BELOW_HU, place_of
from qct.read.check import check_scale
from qct.read.geometry import MIN_OBLIQUE_DEG, MIN_SHEAR_DEG, Grid, regular_grid, turn_of
from qct.volume import PADDING_HU, Volume


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
        _fill(place_of(hu, turn, k), plane, stored[0, 0, 0]) for k, plane in enumerate(stored)
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


def _open(path: Path) -> Any:
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        return SimpleITK.ReadImage(str(path))
    except RuntimeError as trouble:
        raise ReadError(
            f"{path.name} cannot be read as a volume", hint="Hand in the DICOM series instead."
        ) from trouble


def _stored(image: Any, path: Path) -> npt.NDArray[Any]:
    import SimpleITK

    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise PixelError(
            f"{path.name} has {image.GetDimension()} dimensions and "
            f"{image.GetNumberOfComponentsPerPixel()} values per voxel, expected 3 and 1",
            hint="Hand in one grey-scale volume.",
        )
    if min(image.GetSize()) < 2:
        raise GeometryError(f"{path.name} is no volume: {image.GetSize()} voxels")
    return np.asarray(SimpleITK.GetArrayViewFromImage(image))


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
