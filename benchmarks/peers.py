"""The same step done by qct and by others that install from PyPI, in turn, as ratios from one run.

    python -m benchmarks.peers SCAN [--rounds 3] [--lungmask-weights FILE]

Each way runs once to warm up, then round after round in turn; medians are compared. A peer that is not
installed, or needs weights that were not given, is named as not run.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cc3d
import numpy as np
import SimpleITK
from scipy import ndimage

from qct.findings import Analysis

Way = Callable[[], object]


@dataclass(frozen=True)
class Step:
    """One step, done in several ways; the first way is ours."""

    name: str
    ways: dict[str, Way]


@dataclass(frozen=True)
class Timed:
    """Median seconds of every way of a step."""

    name: str
    seconds: dict[str, float]
    not_run: tuple[str, ...] = ()


def steps(scan: Path, analysis: Analysis, weights: Path | None) -> list[Step]:
    """Return every step that is compared."""
    return [
        _reading(scan, analysis),
        _lungs(analysis, weights),
        _sheets(analysis),
        _density(analysis),
        _clusters(analysis),
        _label_file(analysis),
    ]


def _reading(scan: Path, analysis: Analysis) -> Step:
    files = [str(one.path) for one in analysis.scan.slices]

    def qct() -> object:
        from qct.read import read_scan

        return read_scan(scan)

    def gdcm() -> object:
        reader = SimpleITK.ImageSeriesReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileNames(files)
        return reader.Execute()

    def pydicom_alone() -> object:
        import pydicom

        return [pydicom.dcmread(name).pixel_array for name in files]

    ways = {
        "qct (headers, choice, checks, HU)": qct,
        "SimpleITK / GDCM": gdcm,
        "pydicom": pydicom_alone,
    }
    return Step(f"read {len(files)} slices", ways)


def _lungs(analysis: Analysis, weights: Path | None) -> Step:
    volume = analysis.scan.volume

    def qct() -> object:
        from qct.segment import find_lungs

        return find_lungs(volume)

    def classic() -> object:
        """Threshold, clear the border, two largest pieces, closing: the usual recipe, at full resolution."""
        air = volume.hu < -400
        numbers, n = ndimage.label(air)
        sizes = np.bincount(numbers.ravel(), minlength=n + 1)
        sizes[0] = 0
        edge = np.concatenate([numbers[:, face].ravel() for face in (0, -1)])
        sizes[np.unique(edge)] = 0
        lungs = np.isin(numbers, np.argsort(sizes)[-2:])
        ball = ndimage.generate_binary_structure(3, 1)
        return ndimage.binary_closing(lungs, ball, iterations=5)

    def lungmask() -> object:
        if weights is None:
            raise ImportError("lungmask: no --lungmask-weights")
        from lungmask import LMInferer

        image = SimpleITK.GetImageFromArray(volume.hu)
        image.SetSpacing(volume.spacing_mm[::-1])
        return LMInferer(modelpath=str(weights), force_cpu=True).apply(image)

    ways = {"qct": qct, "scipy: threshold and closing": classic, "lungmask R231 (CPU)": lungmask}
    return Step("find both lungs", ways)


def _sheets(analysis: Analysis) -> Step:
    labels = analysis.segmentation.labels
    mask = (labels > 0) & (labels < 6)
    box = tuple(slice(int(i.min()), int(i.max()) + 1) for i in np.nonzero(mask))
    half = tuple(slice(s.start, s.start + (s.stop - s.start) // 2) for s in box)
    hu = np.ascontiguousarray(analysis.scan.volume.hu[half], np.float32)
    inside = np.ascontiguousarray(mask[half])

    def qct() -> object:
        from qct.kernels.sheetness import find_sheets
        from qct.segment.fissures import derivative_taps

        return find_sheets(hu, inside, derivative_taps(1.0), 4.0)

    def skimage() -> object:
        from skimage.feature import hessian_matrix, hessian_matrix_eigvals

        return hessian_matrix_eigvals(hessian_matrix(hu, sigma=1.0, use_gaussian_derivatives=False))

    def itk() -> object:
        image = SimpleITK.GetImageFromArray(hu)
        smooth = SimpleITK.SmoothingRecursiveGaussian(image, 1.0)
        return SimpleITK.ObjectnessMeasure(smooth, objectDimension=2)

    mb = hu.nbytes / 1e6
    return Step(
        f"sheets in {mb:.0f} MB of lung (values and normals; the others: values only)",
        {"qct": qct, "scikit-image": skimage, "SimpleITK": itk},
    )


def _density(analysis: Analysis) -> Step:
    hu, labels = analysis.scan.volume.hu, analysis.segmentation.labels & 15
    present = [r for r in range(1, 6) if (labels == r).any()]

    def qct() -> object:
        from qct.measure import measure

        return measure(analysis.scan.volume, analysis.segmentation.labels)

    def masks() -> object:
        return [_summary(hu[labels == r]) for r in present]

    def itk() -> object:
        measured = SimpleITK.LabelStatisticsImageFilter()
        measured.UseHistogramsOn()
        measured.Execute(SimpleITK.GetImageFromArray(hu), SimpleITK.GetImageFromArray(labels))
        return measured.GetMean(present[0])

    ways = {
        "qct (every number of every region)": qct,
        "numpy masks (5 numbers of 5 lobes)": masks,
        "SimpleITK LabelStatistics": itk,
    }
    return Step("density", ways)


def _summary(hu: np.ndarray) -> tuple[float, ...]:
    low = 100 * np.mean(hu < -950)
    return hu.mean(), hu.std(), np.median(hu), np.percentile(hu, 15), float(low)


def _clusters(analysis: Analysis) -> Step:
    labels = analysis.segmentation.labels
    low = (analysis.scan.volume.hu < -910) & (labels > 0) & (labels < 8)

    def qct() -> object:
        from qct.measure.clusters import cluster_voxels

        return cluster_voxels(low)

    def scipy() -> object:
        numbers, n = ndimage.label(low, np.ones((3, 3, 3)))
        return np.bincount(numbers.ravel(), minlength=n + 1)

    def whole() -> object:
        return cc3d.statistics(cc3d.connected_components(low, connectivity=26))["voxel_counts"]

    return Step(
        "clusters of low attenuation", {"qct": qct, "scipy": scipy, "cc3d, uncropped": whole}
    )


def _label_file(analysis: Analysis) -> Step:
    volume, labels = analysis.scan.volume, analysis.segmentation.labels

    def qct() -> object:
        from qct.export import nifti_bytes

        return nifti_bytes(volume, labels)

    def itk() -> object:
        image = SimpleITK.GetImageFromArray(labels)
        with tempfile.TemporaryDirectory() as folder:
            SimpleITK.WriteImage(image, f"{folder}/labels.nii.gz", useCompression=True)

    def nibabel_alone() -> object:
        import nibabel

        with tempfile.TemporaryDirectory() as folder:
            nibabel.Nifti1Image(labels.T, np.eye(4)).to_filename(f"{folder}/labels.nii.gz")

    return Step("write labels.nii.gz", {"qct": qct, "SimpleITK": itk, "nibabel": nibabel_alone})


def timed(step: Step, rounds: int) -> Timed:
    """Run every way once, then `rounds` times in turn."""
    ways, not_run = dict(step.ways), []
    for name, way in step.ways.items():
        try:
            way()
        except ImportError as missing:
            not_run.append(f"{name} ({missing})")
            del ways[name]
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - begin)
    medians = {name: statistics.median(took) for name, took in seconds.items()}
    return Timed(step.name, medians, tuple(not_run))


def table(compared: Sequence[Timed]) -> str:
    """Lay the figures out as a Markdown table."""
    lines = ["| step | way | seconds | x qct |", "| --- | --- | ---: | ---: |"]
    for one in compared:
        ours = next(iter(one.seconds.values()))
        for name, took in one.seconds.items():
            lines.append(f"| {one.name} | {name} | {took:.3f} | {took / ours:.1f} |")
        lines += [f"| {one.name} | {name} | not run | |" for name in one.not_run]
    return "\n".join(lines)


def compare(scan: Path, rounds: int, weights: Path | None = None) -> list[Timed]:
    """Analyse the scan once and time every step in every way."""
    from qct.pipeline import analyze

    analysis = analyze(scan)
    return [timed(step, rounds) for step in steps(scan, analysis, weights)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lungmask-weights", type=Path)
    args = parser.parse_args()
    print(table(compare(args.scan, args.rounds, args.lungmask_weights)))


if __name__ == "__main__":
    main()
