"""All DICOM objects of one analysis, as files."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

from pydicom.dataset import Dataset

from qct.errors import OptionError
from qct.export.dicom_images import key_images, key_images_file
from qct.export.dicom_instance import Stamp, as_file, stamp_of
from qct.export.dicom_map import low_attenuation_file, low_attenuation_map
from qct.export.dicom_pdf import encapsulated_pdf
from qct.export.dicom_seg import Frames, segmentation, segmentation_file
from qct.export.dicom_source import Source, read_source
from qct.export.dicom_sr import structured_report, structured_report_file
from qct.findings import Analysis

OBJECTS = ("seg", "sr", "sc", "pdf", "pm")
"""What can be made."""

USUAL = ("seg", "sr", "sc", "pdf")
"""What is made if nothing is said."""


def dicom_objects(
    analysis: Analysis,
    files: Mapping[str, bytes],
    *,
    objects: Collection[str] = USUAL,
    source: Source | None = None,
    created: dt.datetime | None = None,
    replaced: Collection[Dataset] = (),
) -> dict[str, bytes]:
    """Make DICOM objects that join the study of the scan.

    Parameters
    ----------
    analysis : Analysis
    files : mapping
        The result folder's files; of these ``report.pdf`` is wrapped.
    objects : collection of str
        Of `OBJECTS`.
    source : Source, optional
        Headers of the source images; read from where the scan was read if left out.
    created : datetime, optional
        What the objects give as their time; now if left out. UIDs do not depend on it.
    replaced : collection of Dataset
        As in `qct.export.dicom_sr.structured_report`.

    Returns
    -------
    dict
        File name (``seg.dcm`` ...) to content. What cannot be shown is left out: key images where there are
        no views, the map where this scan does not allow LAA-950.

    Raises
    ------
    OptionError
        If a name is none of `OBJECTS`, or an optional package is missing.
    ReadError
        If the scan did not come as DICOM slices, or they are gone.
    """
    unknown = sorted(set(objects) - set(OBJECTS))
    if unknown:
        raise OptionError(
            f"{unknown[0]!r} is no DICOM object that qct makes",
            hint=f"Known: {', '.join(OBJECTS)}.",
        )
    source = source or read_source(analysis.scan)
    stamp = stamp_of(analysis, created or dt.datetime.now().astimezone())
    return make_objects(analysis, files, objects, source, stamp, replaced)


def make_objects(
    analysis: Analysis,
    files: Mapping[str, bytes],
    objects: Collection[str],
    source: Source,
    stamp: Stamp,
    replaced: Collection[Dataset] = (),
    frames: Frames | None = None,
) -> dict[str, bytes]:
    """Do what `dicom_objects` does, with all that it needs; `frames` as in `segmentation`."""
    made: dict[str, bytes] = {}
    if {"seg", "sr"} & set(objects):
        seg = segmentation(analysis, source, stamp, frames)
        with ThreadPoolExecutor(1) as pool:  # deflating leaves the interpreter to the report
            file = pool.submit(segmentation_file, seg) if "seg" in objects else None
            report = None
            if "sr" in objects:
                report = structured_report_file(
                    structured_report(analysis, source, stamp, seg, tuple(replaced))
                )
            if file is not None:
                made["seg.dcm"] = file.result()
            if report is not None:
                made["sr.dcm"] = report
    makers: dict[str, Callable[[], bytes | None]] = {
        "sc": lambda: _file(key_images(analysis, source, stamp)),
        "pdf": lambda: as_file(
            encapsulated_pdf(files["report.pdf"], source, stamp, analysis.signature)
        ),
        "pm": lambda: _map(analysis, source, stamp),
    }
    for kind, make in makers.items():
        content = make() if kind in objects else None
        if content is not None:
            made[f"{kind}.dcm"] = content
    return made


def _file(images: Dataset | None) -> bytes | None:
    return None if images is None else key_images_file(images)


def _map(analysis: Analysis, source: Source, stamp: Stamp) -> bytes | None:
    """Make the map, unless its number is withheld."""
    if analysis.withholds("whole_lung", "laa950_percent"):
        return None
    return low_attenuation_file(low_attenuation_map(analysis, source, stamp))
