"""The only module that joins stages; one line per stage. Writes nothing."""

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from qct import __version__
from qct.errors import NoSuchSeriesError
from qct.findings import Analysis, Comparison, Progress, Scan, Segmentation, no_progress
from qct.options import EMBEDDED, Options
from qct.order import Order
from qct.signature import Signature, SignedStatement
from qct.software import code_digest

if TYPE_CHECKING:
    from qct.export.dicom_apart import DicomApart
    from qct.findings import StandardError
    from qct.interpret import Outlook
    from qct.measure import Measurements
    from qct.read import Survey
    from qct.report import Document
    from qct.report.document import Drafted

SHARES = {"read": 0.25, "segment": 0.60, "measure": 0.05, "interpret": 0.0, "show": 0.10}
"""What part of the work each stage is, for a progress bar."""

SOFTWARE = ("numba", "numpy", "pydicom", "scipy", "SimpleITK", "skimage")
"""Packages whose version may change a number; recorded with every result."""


def analyze(
    path: Path,
    *,
    options: Options | None = None,
    labels: Path | None = None,
    lungs: Path | None = None,
    gate: Path | None = None,
    order: Order | None = None,
    priors: Sequence[Path] = (),
    progress: Progress = no_progress,
    apart: "DicomApart | None" = None,
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
    lungs : Path, optional
        Lungs that a person has corrected; the lobes are fitted into them.
    gate : Path, optional
        A site's own rules for what a scan is good enough for (docs/gate.md).
    order : Order, optional
        What people say about the study; shown in the report.
    priors : sequence of Path
        Result folders of earlier scans, to compare with.
    progress : callable
        Told what is being done, and the share of the whole that is done (0 to 1).
    apart : DicomApart, optional
        A second process (`qct.export.dicom_apart`) that shall make the DICOM objects of `results`.

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
    from qct.export.restore import earlier_of, result_of, saved_result
    from qct.interpret import adjust, draft, judge, person, references, site_gate, uncertainties
    from qct.interpret import compare as trend
    from qct.kernels.compiled import limit_threads, side_by_side
    from qct.measure import measure_airways, measure_vessels, normalised
    from qct.measure.surfaces import render
    from qct.measure.views import project, take_views
    from qct.read import completed, read_scan
    from qct.segment.vessels import find_vessels

    options = options or Options()
    earlier = [saved_result(folder) for folder in priors]
    limit_threads(options.threads)
    rules = site_gate(gate) if gate is not None else None
    clock = _Clock(progress)
    with clock.stage("read", "reading") as told:
        scan = read_scan(path, series_uid=options.series_uid, progress=told)
        scan = completed(scan, options)
        if order is not None:
            order.check_patient(scan.patient.patient_id)
        if apart is not None:
            apart.read(scan)
    with clock.stage("segment", "segmenting") as told:
        segmentation = _segmented(scan, options, labels, lungs, told)
        where = scan.volume, segmentation.labels
        if apart is not None:
            apart.frame(segmentation.labels)
    with clock.stage("measure", "measuring") as told:
        vessels, density, airways = side_by_side(
            partial(find_vessels, *where),
            partial(_density, scan, segmentation, options, told),
            partial(
                measure_airways,
                scan.volume,
                segmentation.airways,
                slice_mm=scan.acquisition.slice_mm,
            ),
        )
        counted, calibration_hu, errors = density
        found = {} if vessels is None else {"vessels": vessels.method}
        segmentation = replace(segmentation, method={**segmentation.method, **found})
        numbers = counted.measured + airways.measured + measure_vessels(vessels)
        if options.normalise:
            numbers += normalised(*where, profile=options.profile)
    with clock.stage("interpret", "judging"):
        scan = replace(scan, patient=person(scan.patient, options))
        verdict, measured = judge(scan, segmentation, numbers, calibration_hu, rules)
        usual = references(scan.patient, measured, {one.flag for one in verdict.reasons})
        measured = adjust(measured, usual)
    with clock.stage("show", "taking views"):
        views, projections, surfaces = side_by_side(
            *(partial(take, *where) for take in (take_views, project, render))
        )
    analysis = Analysis(
        scan=scan,
        segmentation=segmentation,
        measured=measured,
        histograms=counted.histograms,
        airways=airways.branches,
        views=views,
        projections=projections,
        verdict=verdict,
        options=options,
        software=_software(),
        timings_s=clock.timings_s,
        references=usual,
        uncertainties=uncertainties(measured, errors, segmentation.volume_errors_ml),
        surfaces=surfaces,
        statements=draft(measured, usual),
        order=order,
    )
    if earlier:
        changes = trend([*earlier, result_of(analysis)])
        statements = draft(measured, usual, changes)
        priors_told = tuple(map(earlier_of, earlier))
        analysis = replace(analysis, changes=changes, earlier=priors_told, statements=statements)
    return analysis


def compare(
    paths: Sequence[Path], *, options: Options | None = None, progress: Progress = no_progress
) -> Comparison:
    """Compare result folders, or scans, of one person; a scan is analyzed first, and its result not kept.

    Parameters
    ----------
    paths : sequence of Path
        Two or more, the baseline first.
    options : Options, optional
        For the scans among them; results keep their own.

    Raises
    ------
    ReadError, SegmentError
        As `analyze`, and if a result cannot be read.
    """
    from qct.export.restore import result_of, saved_result
    from qct.interpret import compare as trend
    from qct.interpret import in_order

    results = []
    for done, path in enumerate(paths):

        def told(doing: str, share: float, done: int = done) -> None:
            progress(doing, (done + share) / len(paths))

        if (path / "analysis.json").is_file():
            results.append(saved_result(path))
        else:
            results.append(result_of(analyze(path, options=options, progress=told)))
    return Comparison(trend(results), in_order(results)[-1].profile)


def comparison_files(comparison: Comparison) -> dict[str, bytes]:
    """Turn a comparison into the files of its folder: file name to content."""
    from qct.export.changes import comparison_csv, comparison_json
    from qct.report.comparison import comparison_html

    told = comparison.changes, comparison.profile
    return {
        "comparison.html": comparison_html(*told),
        "comparison.csv": comparison_csv(*told).encode(),
        "comparison.json": comparison_json(*told).encode(),
    }


def segment_only(
    path: Path,
    *,
    options: Options | None = None,
    labels: Path | None = None,
    lungs: Path | None = None,
    progress: Progress = no_progress,
) -> tuple[Scan, Segmentation]:
    """Read and segment one scan; arguments and errors as of `analyze`."""
    from qct.kernels.compiled import limit_threads
    from qct.read import read_scan

    options = options or Options()
    limit_threads(options.threads)
    scan = read_scan(path, series_uid=options.series_uid, progress=progress)
    return scan, _segmented(scan, options, labels, lungs, progress)


def _segmented(
    scan: Scan, options: Options, labels: Path | None, lungs: Path | None, progress: Progress
) -> Segmentation:
    from qct.segment import segment

    if labels is not None:
        from qct.segment.imported import import_segmentation

        found = import_segmentation(labels, scan)
    else:
        found = segment(scan.volume, options=options, progress=progress)
    if labels is not None or options.segmenter != EMBEDDED:
        from qct.segment.drawn_borders import with_completeness

        found = with_completeness(found, scan.volume)
    if lungs is None:
        return found
    from qct.segment.edited import with_lungs

    return with_lungs(found, lungs, scan)


def _density(
    scan: Scan, segmentation: Segmentation, options: Options, progress: Progress
) -> "tuple[Measurements, dict[str, float], tuple[StandardError, ...]]":
    """Measure the lungs, the substances that are known, and what noise does to the numbers."""
    from qct.measure import Extras, calibrate, measure, measure_noise, standard_errors

    where = scan.volume, segmentation.labels
    counted = measure(
        *where,
        profile=options.profile,
        extras=Extras(options.laa_hu, options.percentiles),
        peel_mm=options.peel_mm,
        progress=progress,
    )
    noise = measure_noise(*where)
    errors = standard_errors(*where, counted.histograms, noise)
    return counted, calibrate(*where, noise), errors


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
        If the folder is no result, or `source` cannot be read.
    NoSuchSeriesError
        If `source` does not hold the scan it came from.
    """
    from qct.export.restore import restored, saved_series
    from qct.interpret import draft
    from qct.measure.surfaces import render
    from qct.measure.views import project, take_views
    from qct.read import read_scan

    uid = saved_series(folder)
    try:
        scan = read_scan(source, series_uid=uid, progress=progress)
    except NoSuchSeriesError as error:
        raise NoSuchSeriesError(
            f"{source} does not hold series {uid}, which {folder} was measured on",
            hint="Name the DICOM folder that was analyzed.",
        ) from error
    analysis = restored(folder, scan)
    labels = analysis.segmentation.labels
    return replace(
        analysis,
        views=take_views(scan.volume, labels),
        projections=project(scan.volume, labels),
        surfaces=render(scan.volume, labels),
        statements=draft(analysis.measured, analysis.references, analysis.changes),
    )


def results(
    analysis: Analysis,
    progress: Progress = no_progress,
    *,
    dicom: bool = False,
    language: str = "en",
    paper: str = "a4",
    started: str | None = None,
    apart: "DicomApart | None" = None,
) -> dict[str, bytes]:
    """Turn an analysis into the files of its result folder: file name to content.

    Parameters
    ----------
    analysis : Analysis
    progress : callable
    dicom : bool
        Also make the DICOM objects that join the study, in a folder ``dicom``.
    language, paper : str
        As in `qct.report.build`.
    started : str, optional
        When the run began (ISO 8601), for ``analysis.json``.
    apart : DicomApart, optional
        The second process that `analyze` was given; the files are the same without.

    Raises
    ------
    OptionError
        If DICOM objects are asked for and the package that makes them is missing.
    ReadError
        If they are asked for and the scan did not come as DICOM slices, or these are gone.
    """
    from qct.export import airways_csv, analysis_json, measurements_csv, nifti_bytes
    from qct.kernels.compiled import n_threads
    from qct.report import build, document_json

    created = datetime.now().astimezone()
    if dicom and apart is not None:
        apart.make(analysis, created)
    with ThreadPoolExecutor(n_threads()) as pool:
        where = analysis.scan.volume, analysis.segmentation.labels
        begun = {"labels.nii.gz": pool.submit(nifti_bytes, *where)}
        document = build(analysis, language=language, paper=paper)
        makers: dict[str, Callable[[], bytes]] = {
            "report.json": lambda: document_json(document),
            **_reports(document),
            "measurements.csv": lambda: measurements_csv(analysis).encode(),
            "airways.csv": lambda: airways_csv(analysis).encode(),
            "analysis.json": lambda: analysis_json(analysis, started=started).encode(),
        }
        begun |= {name: pool.submit(make) for name, make in makers.items()}
        files = {}
        for done, (name, content) in enumerate(begun.items()):
            progress(f"writing {name}", done / len(begun))
            files[name] = content.result()
    if dicom:
        from qct.export.dicom_apart import usual_objects

        progress("writing DICOM objects", 0.9)
        objects = usual_objects(analysis, files, created, apart)
        files |= {f"dicom/{name}": content for name, content in objects.items()}
    progress("written", 1.0)
    return files


def sign(
    folder: Path, signature: Signature, accepted: Mapping[str, str | None] | None = None
) -> dict[str, bytes]:
    """Bind an interpretation to a result folder, and set its report anew with it.

    Parameters
    ----------
    folder : Path
        As `results` made it.
    signature : Signature
        Words and signer; digests and statements are filled in here.
    accepted : mapping, optional
        Drafted statements that the signer takes over: key to new words, or to None for the drafted words.

    Returns
    -------
    dict
        All files of the folder as it shall be.

    Raises
    ------
    SignedError
        If it is signed already.
    OptionError
        If a key of `accepted` is none of the drafted statements.
    ReadError
        If the folder is no whole result.
    """
    from qct.errors import OptionError, SignedError
    from qct.export.signed import all_files, digests, read_signature

    if read_signature(folder) is not None:
        raise SignedError(
            f"{folder.name} is signed and cannot be signed again",
            hint="Append what has to be said with --addendum.",
        )
    files = all_files(folder)
    drafted = {one.key: one.text for one in _document(folder, files).statements}
    unknown = sorted((accepted or {}).keys() - drafted.keys())
    if unknown:
        raise OptionError(
            f"{unknown[0]!r} is no statement of this draft",
            hint=f"Known: {', '.join(drafted) or 'none'}.",
        )
    statements = tuple(
        SignedStatement(key=key, drafted=drafted[key], text=text or drafted[key])
        for key, text in (accepted or {}).items()
    )
    signature = replace(signature, digests=digests(folder), statements=statements)
    return files | _signed_files(folder, files, signature)


def drafted(folder: Path) -> "tuple[Drafted, ...]":
    """Return the statements that a result folder offers to its signer."""
    from qct.export.signed import all_files

    return _document(folder, all_files(folder)).statements


def append(
    folder: Path, text: str, *, author: str, credentials: str, written_at: datetime
) -> dict[str, bytes]:
    """Append words to a signed result folder, and set its report anew with them.

    Returns
    -------
    dict
        All files of the folder as it shall be.

    Raises
    ------
    SignedError
        If it is not signed.
    ReadError
        If what was signed is no longer what it was.
    """
    from qct.errors import SignedError
    from qct.export.signed import all_files, read_signature

    signature = read_signature(folder)
    if signature is None:
        raise SignedError(
            f"{folder.name} is not signed, so nothing can be appended",
            hint="Sign it first, with --interpretation.",
        )
    signature = signature.with_addendum(
        text, author=author, credentials=credentials, written_at=written_at
    )
    files = all_files(folder)
    return files | _signed_files(folder, files, signature)


def _document(folder: Path, files: Mapping[str, bytes]) -> "Document":
    from qct.errors import ReadError
    from qct.report import document_from

    try:
        return document_from(files["report.json"], files["report.html"])
    except (KeyError, ValueError) as error:
        raise ReadError(
            f"{folder.name} holds no report.json and report.html that can be read together",
            hint="Analyze the scan again with this version.",
        ) from error


def _signed_files(
    folder: Path, files: Mapping[str, bytes], signature: Signature
) -> dict[str, bytes]:
    from qct.export.signed import SIGNATURE, signature_json
    from qct.report import signed

    document = signed(_document(folder, files), signature)
    reports = {name: make() for name, make in _reports(document).items()}
    return {**reports, SIGNATURE: signature_json(signature, reports)}


def _reports(document: "Document") -> dict[str, Callable[[], bytes]]:
    """Return what people read: file name to its maker."""
    from qct.report import write_html, write_pdf, write_text

    return {
        "report.html": lambda: write_html(document),
        "report.pdf": lambda: write_pdf(document),
        "report.txt": lambda: write_text(document),
    }


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


def _software() -> dict[str, str]:
    """Versions of what may change a number."""
    from importlib.metadata import version

    names = {"skimage": "scikit-image"}
    return {
        "qct": __version__,
        "code": code_digest(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
    } | {names.get(name, name): version(names.get(name, name)) for name in SOFTWARE}
