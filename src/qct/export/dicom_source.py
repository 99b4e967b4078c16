"""The images an analysis came from: their headers, and the way back onto their rows and columns."""

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from qct.errors import ReadError
from qct.findings import Scan, SliceSource


@dataclass(frozen=True, slots=True)
class Source:
    """Headers of the slices of one scan.

    Attributes
    ----------
    headers : tuple of Dataset
        One per z index, without pixels; a multi-frame image stands there once per slice.
    frames : tuple of int
        Frame within the image, counted from 0.
    stored_axes : (int, int, int)
        As in `qct.findings.Scan`.
    """

    headers: tuple[Dataset, ...]
    frames: tuple[int, ...]
    stored_axes: tuple[int, int, int]

    @property
    def first(self) -> Dataset:
        """Header that patient, study and frame of reference are taken from."""
        return self.headers[0]

    @property
    def is_multi_frame(self) -> bool:
        """Whether the slices are frames of an image."""
        return "PerFrameFunctionalGroupsSequence" in self.first

    def images(self) -> list[Dataset]:
        """Every image once."""
        return list({str(one.SOPInstanceUID): one for one in self.headers}.values())

    def position(self, z: int) -> list[Any]:
        """ImagePositionPatient of one slice, as written in its header."""
        return list(self._group(z, "PlanePositionSequence").ImagePositionPatient)

    def orientation(self) -> list[Any]:
        """ImageOrientationPatient, as written in the first header."""
        return list(self._group(0, "PlaneOrientationSequence").ImageOrientationPatient)

    def pixel_spacing(self) -> list[Any]:
        """PixelSpacing, as written in the first header."""
        return list(self._group(0, "PixelMeasuresSequence").PixelSpacing)

    def slice_thickness(self) -> Any:
        """SliceThickness of the first header; None if it is not there."""
        return self._group(0, "PixelMeasuresSequence").get("SliceThickness")

    def _group(self, z: int, sequence: str) -> Dataset:
        header = self.headers[z]
        if "PerFrameFunctionalGroupsSequence" not in header:
            return header
        frame = header.PerFrameFunctionalGroupsSequence[self.frames[z]]
        groups = frame if sequence in frame else header.SharedFunctionalGroupsSequence[0]
        return groups[sequence].value[0]


def read_source(scan: Scan, folder: Path | None = None) -> Source:
    """Read the headers of the slices that a scan was made of.

    Parameters
    ----------
    scan : Scan
        With one `SliceSource` per z index.
    folder : Path, optional
        Where the images are now, if they are no longer where they were read; searched by SOP
        Instance UID.

    Raises
    ------
    ReadError
        If the scan did not come as DICOM slices, or one of them is not found or is another image now.
    """
    if len(scan.slices) != scan.volume.shape[0]:
        raise ReadError(
            "the scan did not come as DICOM slices, so there is no study to attach results to",
            hint="Analyze the DICOM series itself.",
        )
    found = _by_uid(folder) if folder is not None else _by_path(scan.slices)
    headers = []
    for one in scan.slices:
        header = found.get(one.sop_instance_uid or "")
        if header is None:
            raise ReadError(
                f"the image of {one.path.name} is not where the analysis read it",
                hint="Name the folder that holds the DICOM series now.",
            )
        headers.append(header)
    return Source(tuple(headers), tuple(one.frame for one in scan.slices), scan.stored_axes)


def as_stored(plane: npt.NDArray[Any], stored_axes: tuple[int, int, int]) -> npt.NDArray[Any]:
    """View a (y, x) plane of the scan's grid as the (row, column) plane of its source image.

    Works on the last two axes; a view, nothing is copied. The way back is `as_grid`.
    """
    _, stored_y, stored_x = stored_axes
    plane = plane[..., :: 1 if stored_y > 0 else -1, :: 1 if stored_x > 0 else -1]
    return np.swapaxes(plane, -1, -2) if abs(stored_y) == 3 else plane


def as_grid(plane: npt.NDArray[Any], stored_axes: tuple[int, int, int]) -> npt.NDArray[Any]:
    """View a (row, column) plane of a source image as the (y, x) plane of the scan's grid."""
    _, stored_y, stored_x = stored_axes
    if abs(stored_y) == 3:
        plane = np.swapaxes(plane, -1, -2)
    return plane[..., :: 1 if stored_y > 0 else -1, :: 1 if stored_x > 0 else -1]


def _by_path(slices: Iterable[SliceSource]) -> dict[str, Dataset]:
    headers = (_header(path) for path in dict.fromkeys(one.path for one in slices))
    return {str(one.SOPInstanceUID): one for one in headers if one and "SOPInstanceUID" in one}


def _by_uid(folder: Path) -> dict[str, Dataset]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    headers = (_header(path) for path in files)
    return {str(one.SOPInstanceUID): one for one in headers if one and "SOPInstanceUID" in one}


def _header(path: Path) -> Dataset | None:
    """Read one header; of a member of an archive, too; None if there is none."""
    try:
        if path.is_file():
            return dcmread(path, stop_before_pixels=True)
        archive = next((up for up in path.parents if up.is_file()), None)
        if archive is None:
            return None
        with zipfile.ZipFile(archive) as packed:
            member = packed.read(path.relative_to(archive).as_posix())
        return dcmread(io.BytesIO(member), stop_before_pixels=True)
    except (OSError, KeyError, InvalidDicomError, zipfile.BadZipFile):
        return None
