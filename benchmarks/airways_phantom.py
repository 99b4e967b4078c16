"""Lumen and wall area of bronchi in digital chests, against what was drawn: by the model and at half maximum.

    python -m benchmarks.airways_phantom [--seeds 1 2 3] [--kernel standard]

About 30 s of CPU and 3 GB of memory per chest.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qct.acquisition import KernelFamily
from qct.measure.airways import cut_branches
from qct.measure.bronchi import LEAST_PLACES, branch_size, told
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
    """Return drawn lumen (mm), errors (%) of lumen and wall area by both methods, and those told, by branch.

    What was drawn is looked up at the places that were measured, and its median taken: a branch that was
    followed may be several. NaN where a number is withheld.
    """
    followed = follow_airways(chest.volume, find_lungs(chest.volume).labels)
    if followed is None:
        return []
    cuts, blur_mm = cut_branches(chest.volume, followed[0], chest.spec.slice_mm)
    rows = []
    for number in range(1, len(followed[0].branches)):
        here = cuts.of(number)
        measured = np.isfinite(here.lumen_mm) & np.isfinite(here.wall_mm)
        if np.count_nonzero(measured) < LEAST_PLACES:
            continue
        trees, wall = chest.trees.airways, chest.spec.wall
        lumen_mm, wall_mm = np.median(
            [airway_at(trees, wall, point) for point in here.point_mm[measured]], axis=0
        )
        size = branch_size(here, blur_mm)
        sizes = size.lumen_mm, size.wall_mm, size.lumen_fwhm_mm, size.wall_fwhm_mm
        found = np.array([areas(*sizes[:2]), areas(*sizes[2:])])
        errors = 100 * (found / np.array(areas(lumen_mm, wall_mm)) - 1)
        sure = told(size)
        errors[0, [sure.lumen_mm is None, sure.wall_mm is None]] = np.nan
        said = size.lumen_error_percent, size.wall_error_percent
        rows.append([lumen_mm, *errors.ravel(), *said])
    return rows


def table(rows: Sequence[Sequence[float]]) -> str:
    """Return, by class of diameter: how many are told, median error, share within 10 %, 80th percentile.

    Beside the errors, the share of branches that err by less than the standard error they were given.
    """
    all_rows = np.array(rows)
    head = "| lumen, mm | bronchi | area of | told | median | within 10 % | 4 of 5 within |"
    lines = [head + " within told error | at half maximum |", "|" + " --- |" * 9]
    for low, high in CLASSES_MM:
        some = all_rows[(all_rows[:, 0] >= low) & (all_rows[:, 0] < high)]
        for name, k in (("lumen", 1), ("wall", 2)) if len(some) else ():
            sure = some[np.isfinite(some[:, k])]
            if not len(sure):
                continue
            off = np.abs(sure[:, k])
            cells = (
                f"{low} to {high}",
                f"{len(some)}",
                name,
                f"{100 * len(sure) / len(some):.0f} %",
                f"{np.median(sure[:, k]):+.1f} %",
                f"{100 * (off < 10).mean():.0f} %",
                f"{np.percentile(off, 80):.0f} %",
                f"{100 * (off < sure[:, k + 4]).mean():.0f} %",
                f"{np.median(some[:, k + 2]):+.0f} %",
            )
            lines.append("| " + " | ".join(cells) + " |")
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
