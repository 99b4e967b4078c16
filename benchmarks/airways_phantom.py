"""Lumen and wall area of bronchi in digital chests, against what was drawn: by the model and at half maximum.

    python -m benchmarks.airways_phantom [--seeds 1 2 3] [--kernel standard]

About 30 s of CPU and 3 GB of memory per chest.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qct.acquisition import KernelFamily
from qct.measure.airways import LEAST_PLACES, cut_branches
from qct.phantom import Chest, make_chest, preset
from qct.phantom.truth import airway_at
from qct.segment.airway_tree import follow_airways
from qct.segment.lungs import find_lungs

Array = npt.NDArray[np.float64]

CLASSES_MM = ((2, 3), (3, 4), (4, 6), (6, 10), (10, 20))
"""Drawn diameter of the lumen."""


def areas(lumen_mm: float, wall: float) -> tuple[float, float]:
    """Area of a lumen and of the wall around it, mm2."""
    return np.pi / 4 * lumen_mm**2, np.pi * wall * (lumen_mm + wall)


def compare(chest: Chest) -> list[list[float]]:
    """Return drawn lumen (mm), and errors (%) of lumen and wall area by both methods, by branch.

    What was drawn is looked up at the places that were measured: a branch that was followed may be several.
    """
    followed = follow_airways(chest.volume, find_lungs(chest.volume).labels)
    if followed is None:
        return []
    cuts, _ = cut_branches(chest.volume, followed[0], chest.spec.slice_mm)
    measured = np.isfinite(cuts.lumen_mm) & np.isfinite(cuts.wall_mm)
    rows = []
    for number in np.unique(cuts.branch[measured]):
        here = np.flatnonzero(measured & (cuts.branch == number))
        if here.size < LEAST_PLACES:
            continue
        errors, lumens = [], []
        for place in here:
            drawn = airway_at(chest.trees.airways, chest.spec.wall, cuts.point_mm[place])
            found = areas(cuts.lumen_mm[place], cuts.wall_mm[place])
            half = areas(cuts.lumen_fwhm_mm[place], cuts.wall_fwhm_mm[place])
            errors.append(100 * (np.array([*found, *half]) / np.tile(areas(*drawn), 2) - 1))
            lumens.append(drawn[0])
        rows.append([float(np.median(lumens)), *np.median(errors, axis=0)])
    return rows


def table(rows: Sequence[Sequence[float]]) -> str:
    """Return medians by class of diameter."""
    all_rows = np.array(rows)
    lines = ["| lumen, mm | bronchi | lumen area | wall area | at half maximum: lumen | wall |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for low, high in CLASSES_MM:
        some = all_rows[(all_rows[:, 0] >= low) & (all_rows[:, 0] < high), 1:]
        if len(some):
            cells = " | ".join(f"{value:+.1f} %" for value in np.median(some, axis=0))
            lines.append(f"| {low} to {high} | {len(some)} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Measure chests and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--kernel", type=KernelFamily, default=KernelFamily.STANDARD)
    parser.add_argument("--preset", default="healthy")
    args = parser.parse_args()
    rows = []
    for seed in args.seeds:
        spec = preset(args.preset, seed=seed, kernel=args.kernel)
        rows += compare(make_chest(spec))
    print(table(rows))


if __name__ == "__main__":
    main()
