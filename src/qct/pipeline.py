"""The only module that joins stages; one line per stage. Writes nothing."""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from qct import __version__
from qct.findings import Analysis, Progress, no_progress
from qct.options import Options

if TYPE_CHECKING:
    from qct.interpret import Outlook
    from qct.read import Survey

SHARES = {"read": 0.25, "segment": 0.60, "measure": 0.05, "interpret": 0.0, "show": 0.10}
"""What part of the work each stage is, for a progress bar."""

SOFTWARE = ("numba", "numpy", "pydicom", "scipy", "SimpleITK", "skimage")
"""Packages whose version may change a number; recorded with every result."""


def analyze(
    path: Path,
    *,
    options: Options | None = None,
    labels: Path | None = None,
    gate: Path | None = None,
    progress: Progress = no_progress,
) -> Analysis:
    """Read, segment, measure and interpret one scan.

    Parameters
    ----------
    path : Path
        A folder (nested or not), a zip file, a DICOMDIR, or one file of a series.
    options : Options, optional
        Settings; defaults where left out.
    labels : Path, optional
        A segmentation to measure with, instead of finding the regions.
    gate : Path, optional
        A site's own rules for what a scan is good enough for (docs/gate.md).
    progress : callable
        Told what is being done, and the share of the whole that is done (0 to 1).

    Returns
    -------
    Analysis
        Everything that was found; `results` turns it into files.

    Raises
    ------
    ReadError
        If the scan cannot be read or must not be measured.
    SegmentError
        If it does not show lungs.
    """
    from qct.interpret import judge, person, references, site_gate, uncertainties
    from qct.measure import calibrate, measure
    from qct.measure.views import project, take_views
    from qct.read import completed, read_scan
    from qct.segment import segment
    from qct.segment.imported import import_segmentation

    options = options or Options()
    _use_threads(options.threads)
    rules = site_gate(gate) if gate is not None else None
    clock = _Clock(progress)
    with clock.stage("read", "reading") as told:
        scan = read_scan(path, series_uid=options.series_uid, progress=told)
        scan = completed(scan, options)
    with clock.stage("segment", "segmenting") as told:
        if labels is not None:
            segmentation = import_segmentation(labels, scan)
        else:
            segmentation = segment(scan.volume, options=options, progress=told)
    with clock.stage("measure", "measuring") as told:
        counted = measure(scan.volume, segmentation.labels, profile=options.profile, progress=told)
        calibration_hu = calibrate(scan.volume, segmentation.labels)
    with clock.stage("interpret", "judging"):
        scan = replace(scan, patient=person(scan.patient, options))
        verdict, measured = judge(scan, segmentation, counted.measured, calibration_hu, rules)
        usual = references(scan.patient, measured, {one.flag for one in verdict.reasons})
    with clock.stage("show", "taking views"):
        views = take_views(scan.volume, segmentation.labels)
        projections = project(scan.volume, segmentation.labels)
    return Analysis(
        scan=scan,
        segmentation=segmentation,
        measured=measured,
        histograms=counted.histograms,
        views=views,
        projections=projections,
        verdict=verdict,
        options=options,
        software=_software(),
        timings_s=clock.timings_s,
        references=usual,
        uncertainties=uncertainties(measured),
    )


def inspect(
    path: Path, *, options: Options | None = None, gate: Path | None = None
) -> "tuple[Survey, dict[int, Outlook]]":
    """List every series, and foresee from the headers what the gate would say of each.

    Returns
    -------
    survey : Survey
    outlooks : dict
        By the number of the candidate, counted through all studies; only what may be measured.

    Raises
    ------
    ReadError
        If there is nothing at all to read.
    OptionError
        If the settings contradict the headers, or the gate's file is faulty.
    """
    from qct.acquisition import Study
    from qct.interpret import foresee, site_gate
    from qct.read import completed_acquisition, survey

    options = options or Options()
    rules = site_gate(gate) if gate is not None else None
    found = survey(path, series_uid=options.series_uid)
    outlooks, number = {}, -1
    for study in found.studies:
        for candidate, how in zip(study.candidates, study.acquisitions, strict=True):
            number += 1
            if how is None or candidate.spacing_mm is None:
                continue
            if candidate.verdict == "chosen":
                how = completed_acquisition(how, options)
            told = Study(description=study.description)
            outlooks[number] = foresee(how, told, candidate.spacing_mm[0], gate=rules)
    return found, outlooks


def reopen(folder: Path, source: Path, progress: Progress = no_progress) -> Analysis:
    """Put a result folder together again with the scan it was measured on, for export.

    Raises
    ------
    ReadError
        If the folder is no result, or `source` is not the scan it came from.
    """
    from qct.export.restore import restored, saved_series
    from qct.measure.views import project, take_views
    from qct.read import read_scan

    scan = read_scan(source, series_uid=saved_series(folder), progress=progress)
    analysis = restored(folder, scan)
    labels = analysis.segmentation.labels
    return replace(
        analysis,
        views=take_views(scan.volume, labels),
        projections=project(scan.volume, labels),
    )


def results(
    analysis: Analysis, progress: Progress = no_progress, *, dicom: bool = False
) -> dict[str, bytes]:
    """Turn an analysis into the files of its result folder: file name to content.

    Parameters
    ----------
    analysis : Analysis
    progress : callable
    dicom : bool
        Also make the DICOM objects that join the study, in a folder ``dicom``.

    Raises
    ------
    OptionError
        If DICOM objects are asked for and the package that makes them is missing.
    ReadError
        If they are asked for and the scan did not come as DICOM slices, or these are gone.
    """
    from qct.export import analysis_json, measurements_csv, nifti_bytes
    from qct.report import build, write_html, write_pdf

    document = build(analysis)
    makers: dict[str, Callable[[], bytes]] = {
        "labels.nii.gz": lambda: nifti_bytes(analysis.scan.volume, analysis.segmentation.labels),
        "report.html": lambda: write_html(document),
        "report.pdf": lambda: write_pdf(document),
        "measurements.csv": lambda: measurements_csv(analysis).encode(),
        "analysis.json": lambda: analysis_json(analysis).encode(),
    }
    files = {}
    for done, (name, make) in enumerate(makers.items()):
        progress(f"writing {name}", done / len(makers))
        files[name] = make()
    if dicom:
        from qct.export.dicom import dicom_objects

        progress("writing DICOM objects", 0.9)
        objects = dicom_objects(analysis, files)
        files |= {f"dicom/{name}": content for name, content in objects.items()}
    progress("written", 1.0)
    return files


class _Clock:
    """Times the stages and scales what they tell to the whole."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._before = 0.0
        self.timings_s: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, words: str) -> Iterator[Progress]:
        before, share = self._before, SHARES[name]
        self._progress(words, before)

        def told(doing: str, done: float) -> None:
            self._progress(doing, before + share * min(max(done, 0.0), 1.0))

        start = perf_counter()
        yield told
        self.timings_s[name] = round(perf_counter() - start, 3)
        self._before = before + share


def _use_threads(threads: int) -> None:
    """Limit the kernels to `threads`; 0 leaves every core."""
    import numba

    from qct.kernels.compiled import limit_threads

    limit_threads(threads)
    most = numba.config.NUMBA_NUM_THREADS
    numba.set_num_threads(min(threads or most, most))


def _software() -> dict[str, str]:
    """Versions of what may change a number."""
    from importlib.metadata import version

    names = {"skimage": "scikit-image"}
    return {
        "qct": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
    } | {names.get(name, name): version(names.get(name, name)) for name in SOFTWARE}
