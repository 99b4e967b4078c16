"""Measure one phantom with three kernels, natively and normalised, to see how far a kernel moves LAA-950.

    python -m benchmarks.kernel_gap [--preset mild] [--write]

Prints the energies of the soft kernel's bands, too; ``--write`` makes them those that a scan is normalised to
(src/qct/measure/kernel_energies.toml).
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from qct.acquisition import KernelFamily
from qct.measure import normalised as measure
from qct.measure.normalised import band_energies_hu
from qct.phantom.disease import add_disease
from qct.phantom.imaging import take_image
from qct.phantom.model import build_model
from qct.phantom.spec import preset
from qct.phantom.truth import without_airways

ENERGIES = Path(__file__).parents[1] / "src" / "qct" / "measure" / "kernel_energies.toml"

HEAD = """\
# Energy of each band of qct.measure.normalised.EDGES_MM with a soft kernel, HU: the level of sharper ones.
# Written by python -m benchmarks.kernel_gap --write: digital chest {preset}, 1.25 mm, 100 mAs, pixels of
# {pixel_mm:.2f} mm.
"""


def main() -> None:
    """Print LAA-950 and 15th percentile of both lungs for each kernel."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="mild")
    parser.add_argument("--write", action="store_true", help="make the soft kernel the level")
    args = parser.parse_args()
    spec = preset(args.preset, model_mm=1.2, size=384, slice_mm=1.25, lung_ml=3800.0, fov_mm=340.0)
    model = build_model(spec)
    add_disease(model, spec)
    print("| kernel | LAA-950, % | normalised, % | Perc15, HU | normalised, HU | energies, HU |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    for kernel in (KernelFamily.SOFT, KernelFamily.STANDARD, KernelFamily.SHARP):
        image = take_image(model, replace(spec, kernel=kernel))
        labels = without_airways(image)
        energies = band_energies_hu(image.volume, labels)
        if args.write and kernel is KernelFamily.SOFT:
            pixel_mm = spec.fov_mm / spec.size
            text = HEAD.format(preset=args.preset, pixel_mm=pixel_mm)
            text += f"soft_hu = {[round(one, 1) for one in energies]}\n"
            ENERGIES.write_text(text, encoding="utf-8")
        lung = image.volume.hu[(labels > 0) & (labels < 8)]
        laa, perc15 = measure(image.volume, labels)[:2]
        shown = " / ".join(f"{one:.1f}" for one in energies)
        native = f"{100 * (lung < -950).mean():.2f} | {laa.value:.2f}"
        print(
            f"| {kernel} | {native} | {np.percentile(lung, 15):.0f} | {perc15.value:.0f} | {shown} |"
        )


if __name__ == "__main__":
    main()
