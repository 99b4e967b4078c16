"""Every stage on one scan: ``QCT_BENCH_SCAN=FOLDER pytest benchmarks/bench_stages.py`` (pytest-benchmark)."""

from benchmarks.conftest import SCAN

ROUNDS = {"rounds": 3, "warmup_rounds": 1}


def bench_read(benchmark):
    """Headers, choice, pixels."""
    from qct.read import read_scan

    benchmark.pedantic(read_scan, (SCAN,), **ROUNDS)


def bench_lungs(analysis, benchmark):
    """Lungs and central airway."""
    from qct.segment import find_lungs

    benchmark.pedantic(find_lungs, (analysis.scan.volume,), **ROUNDS)


def bench_segment(analysis, benchmark):
    """Lungs, airways, lobes."""
    from qct.options import Options
    from qct.segment import segment

    benchmark.pedantic(segment, (analysis.scan.volume,), {"options": Options()}, **ROUNDS)


def bench_measure(analysis, benchmark):
    """Every number of every region."""
    from qct.measure import measure

    labels = analysis.segmentation.labels
    benchmark.pedantic(measure, (analysis.scan.volume, labels), **ROUNDS)


def bench_views(analysis, benchmark):
    """Key images and projections."""
    from qct.measure.views import project, take_views

    def views():
        labels = analysis.segmentation.labels
        return take_views(analysis.scan.volume, labels), project(analysis.scan.volume, labels)

    benchmark.pedantic(views, **ROUNDS)


def bench_labels_file(analysis, benchmark):
    """labels.nii.gz."""
    from qct.export import nifti_bytes

    arguments = (analysis.scan.volume, analysis.segmentation.labels)
    benchmark.pedantic(nifti_bytes, arguments, **ROUNDS)


def bench_report(analysis, benchmark):
    """Document and its figures."""
    from qct.report import build

    benchmark.pedantic(build, (analysis,), **ROUNDS)


def bench_pdf(analysis, benchmark):
    """report.pdf of a built document."""
    from qct.report import build, write_pdf

    benchmark.pedantic(write_pdf, (build(analysis),), **ROUNDS)


def bench_html(analysis, benchmark):
    """report.html of a built document."""
    from qct.report import build, write_html

    benchmark.pedantic(write_html, (build(analysis),), **ROUNDS)


def bench_dicom_objects(analysis, benchmark):
    """SEG, SR, key images and PDF as DICOM."""
    from qct.export.dicom import dicom_objects
    from qct.pipeline import results

    files = results(analysis)
    benchmark.pedantic(dicom_objects, (analysis, files), **ROUNDS)
