"""Compare the standard error that one scan tells with the spread of repeats of a phantom with other noise.

    python -m benchmarks.noise_error [repeats]

A slice in five is made, for the time's sake: noise of slices is independent here, and errors grow alike. Of n
repeats a spread is known to 70 / sqrt(n) %.
"""

import argparse
from dataclasses import replace

import numpy as np

from qct.acquisition import KernelFamily
from qct.findings import Histogram
from qct.measure.noise import measure_noise, standard_errors
from qct.phantom.disease import add_disease
from qct.phantom.imaging import take_image
from qct.phantom.model import build_model
from qct.phantom.spec import preset
from qct.phantom.truth import without_airways

BELOW_HU = {"laa950_percent": -950, "laa910_percent": -910}

LOWEST_HU = -2048


def fine_percentile(counts, percent):
    """15th percentile and the like between whole HU: a bin's voxels lie evenly within half a HU of it."""
    below = np.concatenate([[0], np.cumsum(counts)])
    edges = LOWEST_HU - 0.5 + np.arange(below.size)
    return float(np.interp(percent / 100 * below[-1], below, edges))


def main():
    """Print, for each kernel and share, spread and told error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repeats", type=int, nargs="?", default=40)
    repeats = parser.parse_args().repeats
    if repeats < 2:
        parser.error("a spread needs two repeats or more")
    spec = preset(
        "mild",
        model_mm=1.2,
        size=384,
        slice_mm=1.25,
        step_mm=6.25,
        lung_ml=3800.0,
        fov_mm=340.0,
    )
    model = build_model(spec)
    add_disease(model, spec)
    print("| kernel | quantity | spread of repeats | standard error told | ratio |")
    print("| --- | --- | ---: | ---: | ---: |")
    for kernel in (KernelFamily.SOFT, KernelFamily.STANDARD, KernelFamily.SHARP):
        found = {key: [] for key in (*BELOW_HU, "perc15_hu")}
        for seed in range(repeats):
            image = take_image(model, replace(spec, kernel=kernel, seed=seed))
            labels = without_airways(image)
            hu = image.volume.hu[(labels > 0) & (labels < 8)]
            for key, below in BELOW_HU.items():
                found[key].append(100 * (hu < below).mean())
            counts = np.bincount(hu.astype(int) - LOWEST_HU, minlength=6144)
            found["perc15_hu"].append(fine_percentile(counts, 15))
        noise = measure_noise(image.volume, labels)
        whole = Histogram("whole_lung", LOWEST_HU, counts)
        errors = standard_errors(image.volume, labels, [whole], noise)
        for error in errors:
            if error.quantity in found:
                spread = np.std(found[error.quantity], ddof=1)
                ratio = error.amount / spread
                print(
                    f"| {kernel} | {error.quantity} | {spread:.4f} | {error.amount:.4f} | {ratio:.2f} |"
                )


if __name__ == "__main__":
    main()
