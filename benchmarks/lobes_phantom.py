"""Dice and volume error of the lobes on digital chests, whose lobes are known.

    python benchmarks/lobes_phantom.py [--quick]

The chests are those of `qct.phantom`: their fissures are heights over a plane with random shifts, tilts, bows
and waves, of which the shipped prior knows nothing. Lungs are found in the image, as `qct analyze` does; ``with
true lungs`` divides the lungs that were drawn, to tell the two apart.
"""

import argparse
import itertools
import time
from dataclasses import dataclass

import numpy as np

from qct.phantom.chest import make_chest
from qct.phantom.spec import ChestSpec
from qct.regions import DENSE, Label
from qct.segment.lobes import divide_lobes
from qct.segment.lungs import find_lungs

LOBES = {"LUL": 1, "LLL": 2, "RUL": 3, "RML": 4, "RLL": 5}

INCOMPLETE = (0.2, 0.6)
EXPOSURE_MAS = (100.0, 18.0)
"""About 21 and 50 HU of noise in the mediastinum at 1 mm."""

LAA = (0.0, 30.0)
SLICE_MM = (0.6, 1.0, 3.0)


@dataclass(frozen=True)
class Case:
    """A chest to divide: what it is, its image and its true lobes."""

    name: str
    volume: object
    lobes: np.ndarray


def geometric(quick):
    """Yield digital chests: every combination of conditions, each with another anatomy."""
    conditions = list(itertools.product(SLICE_MM, INCOMPLETE, EXPOSURE_MAS, LAA))
    if quick:
        conditions = [(1.0, 0.2, 100.0, 0.0), (1.0, 0.6, 18.0, 30.0), (3.0, 0.4, 40.0, 10.0)]
    for seed, (slice_mm, incomplete, mas, laa) in enumerate(conditions, 101):
        spec = ChestSpec(
            seed=seed, slice_mm=slice_mm, incomplete=incomplete, exposure_mas=mas, laa=laa,
            size=320, fov_mm=340.0, model_mm=1.0,
        )  # fmt: skip
        chest = make_chest(spec)
        name = f"{slice_mm} mm, {100 * incomplete:.0f} % incomplete, {mas:.0f} mAs, LAA {laa:.0f} %"
        yield Case(name, chest.volume, chest.labels)


def compare(found, true, voxel_ml):
    """Return Dice and relative volume error of every lobe."""
    dice, error = [], []
    for lobe in LOBES.values():
        a, b = (found % DENSE) == lobe, (true % DENSE) == lobe
        dice.append(2 * np.count_nonzero(a & b) / (a.sum() + b.sum()))
        error.append(100 * (a.sum() / b.sum() - 1))
    return dice, error


def lungs_of(lobes):
    """Return the lungs that lobes make up."""
    lungs = np.where(np.isin(lobes % DENSE, (1, 2)), Label.LEFT_LUNG, 0).astype(np.uint8)
    lungs[np.isin(lobes % DENSE, (3, 4, 5))] = Label.RIGHT_LUNG
    return lungs


def main():
    """Divide every chest and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three chests only")
    args = parser.parse_args()
    rows = {"found lungs": [], "with true lungs": []}
    print("Dice", *LOBES, "| volume error %", *LOBES, "| CPU s | support, completeness %")
    for case in geometric(args.quick):
        for kind, lungs in (
            ("found lungs", find_lungs(case.volume).labels),
            ("with true lungs", lungs_of(case.lobes)),
        ):
            start = time.process_time()
            result = divide_lobes(case.volume, lungs)
            cpu = time.process_time() - start
            dice, error = compare(result.labels, case.lobes, case.volume.voxel_ml)
            rows[kind].append((dice, error))
            fits = ", ".join(f"{f.support} {f.completeness_percent}" for f in result.fissures)
            print(
                f"{case.name}; {kind}:", *(f"{d:.3f}" for d in dice), "|",
                *(f"{e:+.1f}" for e in error), f"| {cpu:.1f} | {fits}", flush=True,
            )  # fmt: skip
    for kind, found in rows.items():
        dice, error = (np.array(part) for part in zip(*found, strict=True))
        print(
            f"{kind}: mean Dice {dice.mean():.4f}, worst lobe {dice.min():.3f}, "
            f"volume error mean {np.abs(error).mean():.1f} %, max {np.abs(error).max():.1f} %; by lobe",
            *(f"{name} {d:.3f}" for name, d in zip(LOBES, dice.mean(axis=0), strict=True)),
        )


if __name__ == "__main__":
    main()
