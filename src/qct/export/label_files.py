"""A label map as one file, in the format that its name asks for, with the table of its labels beside it."""

import csv
import gzip
import io
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qct.errors import OptionError, WriteError
from qct.export.labels import nifti_bytes
from qct.regions import AIRWAY, DENSE, LOBES, Region, label_names
from qct.volume import Volume

Labels = npt.NDArray[np.uint8]


def check_label_file(out: Path, *, force: bool = False) -> None:
    """Refuse before the work what could not be written after it.

    Raises
    ------
    OptionError
        If no format goes by this name, or the file is there and may not be replaced.
    WriteError
        If its folder is not there.
    """
    if _suffix(out) is None:
        raise OptionError(
            f"{out.name} names no format",
            hint=f"End it in {', '.join(WRITERS)}; SEG: qct analyze --dicom.",
        )
    if not out.parent.is_dir():
        raise WriteError(f"there is no folder {out.parent}", hint="Make it first.")
    for path in (out, table_path(out)):
        if path.exists() and not force:
            raise OptionError(f"{path} is there already", hint="Choose another name, or --force.")


def write_label_file(out: Path, volume: Volume, labels: Labels) -> None:
    """Write the label map and its table; each appears as a whole or not at all."""
    suffix = _suffix(out)
    assert suffix is not None
    content = WRITERS[suffix](volume, labels)
    for path, data in ((out, content), (table_path(out), label_table(labels).encode())):
        _put(path, data)


def table_path(out: Path) -> Path:
    """Return where the table of a label map stands: beside it, ending in ``.labels.csv``."""
    suffix = _suffix(out) or ""
    return out.with_name(out.name[: len(out.name) - len(suffix)] + ".labels.csv")


def label_table(labels: Labels) -> str:
    """Write number, key, name, colour and voxels of every label, as CSV."""
    counts = np.bincount(labels.ravel(), minlength=256)
    colours = {int(region.labels[0]): region for region in (*LOBES, AIRWAY)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("number", "key", "name", "colour", "voxels"))
    for key, number in label_names().items():
        region: Region | None = colours.get(number & (DENSE - 1))
        name = key.replace("_", " ").capitalize()
        colour = region.colour if region else "#999999"
        writer.writerow((number, key, name, colour, counts[number]))
    return text.getvalue()


def _nifti(volume: Volume, labels: Labels) -> bytes:
    return gzip.decompress(nifti_bytes(volume, labels))


def _by_simpleitk(suffix: str) -> Callable[[Volume, Labels], bytes]:
    def write(volume: Volume, labels: Labels) -> bytes:
        import SimpleITK as sitk

        image = sitk.GetImageFromArray(labels)
        step_z, step_y, step_x = volume.axes_mm
        lengths = [float(np.linalg.norm(step)) for step in (step_x, step_y, step_z)]
        unit = np.stack([step_x, step_y, step_z]) / np.array(lengths)[:, None]
        if abs(unit @ unit.T - np.eye(3)).max() > MOST_SHEAR:
            raise WriteError(
                f"the gantry was tilted, and {suffix} knows no sheared grid",
                hint="Write NIfTI, which does.",
            )
        image.SetSpacing(lengths)
        image.SetDirection(unit.T.ravel().tolist())
        image.SetOrigin(volume.origin_mm.tolist())
        with tempfile.TemporaryDirectory(prefix="qct-") as aside:
            path = Path(aside, f"labels{suffix}")
            sitk.WriteImage(image, str(path), useCompression=True)
            return path.read_bytes()

    return write


MOST_SHEAR = 1e-3
"""Largest cosine between two axes that a grid at right angles may have."""


WRITERS: Mapping[str, Callable[[Volume, Labels], bytes]] = {
    ".nii.gz": nifti_bytes,
    ".nii": _nifti,
    ".nrrd": _by_simpleitk(".nrrd"),
    ".mha": _by_simpleitk(".mha"),
}
"""By the end of the name."""


def _suffix(out: Path) -> str | None:
    return next((suffix for suffix in WRITERS if out.name.lower().endswith(suffix)), None)


def _put(path: Path, content: bytes) -> None:
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".qct-", delete=False) as aside:
            try:
                aside.write(content)
                aside.flush()
                os.fsync(aside.fileno())
                Path(aside.name).chmod(0o644)
                Path(aside.name).replace(path)
            except BaseException:
                Path(aside.name).unlink(missing_ok=True)
                raise
    except OSError as trouble:
        raise WriteError(
            f"{path} cannot be written ({trouble.strerror})", hint="Check the folder and its room."
        ) from trouble
