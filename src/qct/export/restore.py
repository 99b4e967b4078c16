"""Put a saved result together again: analysis.json and labels.nii.gz beside the scan they came from."""

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qct import __version__
from qct.acquisition import Acquisition, KernelFamily
from qct.errors import ReadError
from qct.export.airways import airways_from
from qct.export.labels import DATA_OFFSET, HEADER_BYTES
from qct.export.signed import read_signature
from qct.findings import (
    Analysis,
    Change,
    Earlier,
    FissureFit,
    Measured,
    Point,
    Reason,
    Reference,
    Result,
    Scan,
    Segmentation,
    Uncertainty,
    Verdict,
)
from qct.flags import Flag, Status
from qct.options import Options
from qct.regions import WHOLE_LUNG, Fissure

_FLAGS = {flag.key: flag for flag in Flag}


def saved_series(folder: Path) -> str | None:
    """Series that a saved result was measured on."""
    uid = _record(folder).get("acquisition", {}).get("series_uid")
    return str(uid) if uid else None


def restored(folder: Path, scan: Scan) -> Analysis:
    """Read a result folder back, without histograms and pictures.

    Numbers that were withheld have no value in the file, and none here.

    Raises
    ------
    ReadError
        If the folder is not a result, or its result was measured on another series than `scan`.
    """
    record = _record(folder)
    if saved_series(folder) != scan.acquisition.series_uid:
        raise ReadError(
            f"{folder.name} was not measured on this series",
            hint="Name the DICOM folder that was analyzed.",
        )
    try:
        tree, sizes = airways_from(record["airways"])
        return Analysis(
            scan=scan,
            segmentation=replace(_segmentation(folder, record, scan), airways=tree),
            airways=sizes,
            measured=tuple(_numbers(record["regions"])),
            histograms=(),
            views=(),
            projections=(),
            verdict=_verdict(record["verdict"]),
            options=Options.from_mapping(record["options"]),
            software=record["software"],
            timings_s=record["timings_s"],
            references=tuple(Reference(**one) for one in record.get("references", ())),
            uncertainties=tuple(Uncertainty(**one) for one in record.get("uncertainties", ())),
            changes=tuple(_change(one) for one in record.get("changes", ())),
            earlier=tuple(_earlier(one) for one in record.get("earlier", ())),
            signature=read_signature(folder),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _of_another_layout(folder) from error


def saved_result(folder: Path) -> Result:
    """Read of a result folder what a comparison needs; neither labels nor scan are touched.

    Raises
    ------
    ReadError
        If the folder is not a result of a layout that is known.
    """
    record = _record(folder)
    try:
        taken = record["acquisition"]
        day = record["study"]["date"] or taken["date"]
        return Result(
            name=day or folder.name,
            date=day,
            patient_id=record["patient"]["patient_id"],
            version=record["qct"],
            profile=record["options"]["profile"],
            segmentation=_made_by(record["segmentation"]["method"]),
            acquisition=_acquisition(taken),
            measured=tuple(_numbers(record["regions"])),
            flags=frozenset(_FLAGS[key] for key in record["flags"]),
            code=record["software"].get("code", ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _of_another_layout(folder) from error


def _of_another_layout(folder: Path) -> ReadError:
    return ReadError(
        f"analysis.json in {folder.name} does not have the layout of this version",
        hint="Analyze the scan again.",
    )


def result_of(analysis: Analysis) -> Result:
    """Return what a comparison needs of an analysis."""
    scan = analysis.scan
    day = scan.study.date or scan.acquisition.date
    return Result(
        name=day or "current",
        date=day,
        patient_id=scan.patient.patient_id,
        version=__version__,
        profile=analysis.options.profile,
        segmentation=_made_by(analysis.segmentation.method),
        acquisition=scan.acquisition,
        measured=analysis.measured,
        flags=analysis.flags,
        code=analysis.software.get("code", ""),
    )


def earlier_of(result: Result) -> Earlier:
    """Return what a report tells of a result that another is compared with."""
    return Earlier(
        name=result.name,
        date=result.date,
        recon_kernel=result.acquisition.recon_kernel,
        slice_mm=result.acquisition.slice_mm,
        doubts={
            one.quantity: one.flags
            for one in result.measured
            if one.region == WHOLE_LUNG.key and one.flags
        },
    )


def _earlier(record: Mapping[str, Any]) -> Earlier:
    doubts = {
        quantity: frozenset(_FLAGS[key] for key in keys)
        for quantity, keys in record["doubts"].items()
    }
    return Earlier(**{**record, "doubts": doubts})


def _made_by(method: Mapping[str, Any]) -> str:
    """Name who found the regions, without what differs from scan to scan."""
    return str(method.get("segmenter") or method.get("name") or "unknown")


def _acquisition(taken: Mapping[str, Any]) -> Acquisition:
    known = {one.name for one in fields(Acquisition)}
    plain = {name: value for name, value in taken.items() if name in known}
    return Acquisition(
        **plain
        | {
            "kernel_family": KernelFamily(taken["kernel_family"]),
            "image_type": tuple(taken.get("image_type", ())),
        }
    )


def _record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / "analysis.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReadError(
            f"{folder} holds no analysis.json that can be read",
            hint="Name a folder that qct analyze has written.",
        ) from error
    if not isinstance(record, dict):
        raise ReadError(f"analysis.json in {folder.name} is no result", hint="Analyze again.")
    return record


def _segmentation(folder: Path, record: Mapping[str, Any], scan: Scan) -> Segmentation:
    met = {_FLAGS[key] for key in record["flags"]}
    in_numbers = {
        _FLAGS[key]
        for of in record["regions"].values()
        for one in of.values()
        for key in one["flags"]
    }
    reasons = {_FLAGS[one["flag"]] for one in record["verdict"]["reasons"]}
    of_regions = {
        key: frozenset(_FLAGS[one] for one in flags)
        for key, flags in record["segmentation"].get("region_flags", {}).items()
    }
    in_regions = frozenset().union(*of_regions.values())
    return Segmentation(
        labels=_labels(folder / "labels.nii.gz", scan.volume.shape),
        fissures=tuple(
            FissureFit(fissure=Fissure(key), **fit) for key, fit in record["fissures"].items()
        ),
        method=record["segmentation"]["method"],
        region_flags=of_regions,
        flags=frozenset(met - in_numbers - reasons - scan.flags - in_regions),
    )


def _labels(path: Path, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Read the label map that `qct.export.labels` wrote: uint8, slices in our order."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ReadError(f"{path.name} cannot be read", hint="Analyze the scan again.") from error
    header = np.frombuffer(content[:HEADER_BYTES], np.uint8)
    stored = tuple(int(n) for n in header[42:48].view("<i2")[::-1])
    if stored != shape or len(content) != DATA_OFFSET + np.prod(shape):
        raise ReadError(
            f"{path.name} has the grid {stored}, the scan {shape}", hint="Analyze the scan again."
        )
    return np.frombuffer(content, np.uint8, offset=DATA_OFFSET).reshape(shape)


def _numbers(regions: Mapping[str, Any]) -> list[Measured]:
    return [
        Measured(
            region,
            quantity,
            one["value"],
            Status(one["status"]),
            frozenset(_FLAGS[key] for key in one["flags"]),
        )
        for region, of in regions.items()
        for quantity, one in of.items()
    ]


def _change(record: Mapping[str, Any]) -> Change:
    return Change(**{**record, "points": tuple(Point(**one) for one in record["points"])})


def _verdict(record: Mapping[str, Any]) -> Verdict:
    return Verdict(
        overall=Status(record["overall"]),
        reasons=tuple(Reason(_FLAGS[one["flag"]], one["says"]) for one in record["reasons"]),
        calibration_hu=record["calibration_hu"],
        gate=record.get("gate", {}),
    )
