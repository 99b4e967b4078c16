"""Dice and volume error of the lobes on digital chests, whose lobes are known.

    python benchmarks/lobes_phantom.py [--quick | --some] [--table FILE]

The chests are those of `qct.phantom`: their fissures are heights over a plane with random shifts, tilts, bows
and waves, of which the shipped prior knows nothing. ``found lungs`` is the whole of `qct.segment.segment`, as
`qct analyze` does it; ``true lungs`` divides the lungs that were drawn, to tell the two apart.

A voxel is in a lobe if its centre is: truth is read from the distance fields that the chest was painted from,
at the very centres of the scanner's voxels. (`Chest.labels` takes the nearest voxel of the painted model, up to
0.9 mm away; that is unbiased for volumes, but costs 0.01 of Dice along every border.) Airways with a lumen of 2
mm, or of two voxels, are not lung, as `qct.phantom.truth` says.
"""

import argparse
import itertools
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qct.phantom import thorax
from qct.phantom.disease import add_disease
from qct.phantom.imaging import take_image
from qct.phantom.model import build_model
from qct.phantom.spec import ChestSpec
from qct.phantom.truth import SMALL_AIRWAY
from qct.regions import DENSE, Label
from qct.segment import segment
from qct.segment.lobes import divide_lobes

LOBES = {"LUL": 1, "LLL": 2, "RUL": 3, "RML": 4, "RLL": 5}

INCOMPLETE = (0.2, 0.6)
EXPOSURE_MAS = (100.0, 18.0)
"""About 21 and 50 HU of noise in the mediastinum at 1 mm."""

LAA = (0.0, 30.0)
SLICE_MM = (0.6, 1.0, 3.0)

QUICK = ((1.0, 0.2, 100.0, 0.0), (1.0, 0.6, 18.0, 30.0), (3.0, 0.4, 40.0, 10.0))
FIRST_SEED = 101


@dataclass(frozen=True)
class Case:
    """A chest to divide: what it is, its image and its true lobes."""

    name: str
    volume: object
    lobes: np.ndarray


def chests(conditions):
    """Yield a digital chest per condition, each with another anatomy."""
    for seed, (slice_mm, incomplete, mas, laa) in enumerate(conditions, FIRST_SEED):
        spec = ChestSpec(
            seed=seed, slice_mm=slice_mm, incomplete=incomplete, exposure_mas=mas, laa=laa,
            size=320, fov_mm=340.0, model_mm=1.0,
        )  # fmt: skip
        model = build_model(spec)
        add_disease(model, spec)
        image = take_image(model, spec)
        lobes = lobes_at_centres(model, image.volume)
        lobes[(image.airway > 0) & (image.airway < SMALL_AIRWAY)] = Label.AIRWAY
        name = f"{slice_mm} mm, {100 * incomplete:.0f} % incomplete, {mas:.0f} mAs, LAA {laa:.0f} %"
        yield Case(name, image.volume, lobes)


def lobes_at_centres(model, volume):
    """Return the true lobe at the centre of every voxel, from the distance fields of the model."""
    fields, grid = model.fields, model.fields.grid
    drawn = (fields.right, fields.left, fields.left_oblique, fields.right_oblique, fields.minor)
    at = [
        ((volume.origin_mm[2 - k] + volume.spacing_mm[k] * np.arange(n)) / model.scale - start)
        / grid.step
        for k, (n, start) in enumerate(zip(volume.shape, grid.origin, strict=True))
    ]
    lobes = np.empty(volume.shape, np.uint8)
    for z in range(len(lobes)):
        levels = (between(field, at[0][z : z + 1], 0)[0] for field in drawn)
        lobes[z] = thorax.lobes_of(*(between(between(f, at[1], 0), at[2], 1) for f in levels))
    return lobes


def between(field, at, axis):
    """Read a field at fractional indices along one axis, linearly."""
    at = np.clip(at, 0, field.shape[axis] - 1)
    low = np.minimum(np.floor(at).astype(int), field.shape[axis] - 2)
    share = np.expand_dims((at - low).astype(np.float32), tuple(range(1, field.ndim - axis)))
    return np.take(field, low, axis) * (1 - share) + np.take(field, low + 1, axis) * share


def compare(found, true):
    """Return Dice and relative volume error of every lobe."""
    dice, error = [], []
    for lobe in LOBES.values():
        a, b = (found % DENSE) == lobe, (true % DENSE) == lobe
        dice.append(2 * np.count_nonzero(a & b) / (a.sum() + b.sum()))
        error.append(100 * (a.sum() / b.sum() - 1))
    return dice, error


def lungs_of(lobes):
    """Return the lungs that lobes make up, with the airways."""
    lungs = np.where(lobes == Label.AIRWAY, lobes, 0).astype(np.uint8)
    lungs[np.isin(lobes % DENSE, (1, 2))] = Label.LEFT_LUNG
    lungs[np.isin(lobes % DENSE, (3, 4, 5))] = Label.RIGHT_LUNG
    return lungs


def row(case, kind, result, cpu_s):
    """Return a line of the table, Dice and volume errors."""
    dice, error = compare(result.labels, case.lobes)
    fits = ", ".join(f"{f.support} {f.completeness_percent}" for f in result.fissures)
    line = (
        f"{case.name} | {kind} | {' '.join(f'{d:.3f}' for d in dice)} | "
        f"{' '.join(f'{e:+.1f}' for e in error)} | {cpu_s:.1f} | {fits}"
    )
    return line, dice, error


def summary(kind, found):
    """Return one line about all chests."""
    dice, error = (np.array(part) for part in zip(*found, strict=True))
    lobes = " ".join(f"{n} {d:.3f}" for n, d in zip(LOBES, dice.mean(axis=0), strict=True))
    return (
        f"{kind}: {len(dice)} chests, mean Dice {dice.mean():.4f}, worst lobe {dice.min():.3f}, "
        f"volume error mean {np.abs(error).mean():.1f} %, max {np.abs(error).max():.1f} %; {lobes}"
    )


def markdown(head, lines, ends):
    """Return the lines as a Markdown table, the summaries below it."""
    rule = " | ".join("---" for _ in head.split(" | "))
    rows = "\n".join(f"| {line} |" for line in (head, rule, *lines))
    told = "\n".join(f"- {end}" for end in ends)
    return f"Written by `python benchmarks/lobes_phantom.py --table FILE`.\n\n{rows}\n\n{told}\n"


def main():
    """Divide every chest and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three chests only")
    parser.add_argument("--some", action="store_true", help="every third of the 24 chests")
    parser.add_argument("--table", type=Path, help="also write a Markdown table to this file")
    args = parser.parse_args()
    conditions = list(itertools.product(SLICE_MM, INCOMPLETE, EXPOSURE_MAS, LAA))
    conditions = QUICK if args.quick else conditions[:: 3 if args.some else 1]
    kinds = {
        "found lungs": lambda case: segment(case.volume),
        "true lungs": lambda case: divide_lobes(case.volume, lungs_of(case.lobes)),
    }
    figures, lines = {kind: [] for kind in kinds}, []
    head = (
        f"chest | lungs | Dice {' '.join(LOBES)} | volume error % | CPU s | support, completeness %"
    )
    print(head)
    for case in chests(conditions):
        for kind, divide in kinds.items():
            start = time.process_time()
            result = divide(case)
            line, *both = row(case, kind, result, time.process_time() - start)
            figures[kind].append(both)
            lines.append(line)
            print(line, flush=True)
    ends = [summary(kind, found) for kind, found in figures.items()]
    print(*ends, sep="\n")
    if args.table:
        args.table.write_text(markdown(head, lines, ends), "utf-8")


if __name__ == "__main__":
    main()
