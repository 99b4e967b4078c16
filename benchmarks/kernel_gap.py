"""Measure one phantom with three kernels, natively and normalised, to see how far a kernel moves LAA-950.

python benchmarks/kernel_gap.py
"""

from dataclasses import replace

from qct.acquisition import KernelFamily
from qct.measure.normalised import normalised
from qct.phantom.disease import add_disease
from qct.phantom.imaging import take_image
from qct.phantom.model import build_model
from qct.phantom.spec import preset
from qct.phantom.truth import without_airways


def main():
    """Print LAA-950 and 15th percentile of both lungs for each kernel."""
    spec = preset("mild", model_mm=1.2, size=384, slice_mm=1.25, lung_ml=3800.0, fov_mm=340.0)
    model = build_model(spec)
    add_disease(model, spec)
    print("| kernel | LAA-950, % | normalised, % | Perc15 normalised, HU |")
    print("| --- | ---: | ---: | ---: |")
    for kernel in (KernelFamily.SOFT, KernelFamily.STANDARD, KernelFamily.SHARP):
        image = take_image(model, replace(spec, kernel=kernel))
        labels = without_airways(image)
        native = 100 * (image.volume.hu[(labels > 0) & (labels < 8)] < -950).mean()
        laa, perc15 = normalised(image.volume, labels)[:2]
        print(f"| {kernel} | {native:.2f} | {laa.value:.2f} | {perc15.value:.0f} |")


if __name__ == "__main__":
    main()
