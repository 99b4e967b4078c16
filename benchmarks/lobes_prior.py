"""Dice and border errors of lobes divided by the prior alone: nothing is seen but the outline of the lungs.

    python -m benchmarks.lobes_prior LUNA16_LABELS
    python -m benchmarks.lobes_prior TOTALSEGMENTATOR_V1 --held-out

Labels 4 to 8 of the former are the right upper, middle, lower and the left upper and lower lobe; those of the
latter are ours. With ``--held-out`` every map is divided by a prior that was learned from the other four fifths
of the folder; every second map is used.

The distance of a border is what lies on its wrong side, by its area; the net offset is what lies wrongly above
it less what lies wrongly below, by its area (root mean square over the maps).
"""

import argparse
from pathlib import Path

import numpy as np
import SimpleITK

from qct.regions import Fissure, Label
from qct.segment import lobes as segment_lobes
from qct.segment.training import SIDES_OF_FISSURE, describe_case, learn, read_label_map
from qct.volume import Volume

LOBES = {4: 3, 5: 4, 6: 5, 7: 1, 8: 2}
STEP_MM = 2.5
N_FOLDS = 5
EVERY = 2


def read_lobes(path):
    """Return (Z, Y, X) lobe labels at about `STEP_MM`, and the spacing."""
    image = SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(path)), "LPS")
    spacing = np.array(image.GetSpacing()[::-1])
    step = np.maximum(1, np.rint(STEP_MM / spacing).astype(int))
    stored = SimpleITK.GetArrayFromImage(image)[:: step[0], :: step[1], :: step[2]]
    table = np.zeros(int(stored.max()) + 1, np.uint8)
    for number, lobe in LOBES.items():
        table[number] = lobe
    return table[stored], tuple(float(s) for s in spacing * step)


def divide(lobes, spacing, prior=None):
    """Divide empty lungs, which show nothing but their outline."""
    lungs = np.zeros_like(lobes)
    lungs[np.isin(lobes, (1, 2))] = Label.LEFT_LUNG
    lungs[np.isin(lobes, (3, 4, 5))] = Label.RIGHT_LUNG
    hu = np.full(lobes.shape, -860, np.int16)
    return segment_lobes.divide_lobes(Volume.from_spacing(hu, spacing), lungs, prior=prior)


def dice(found, lobes):
    """Return the Dice of the five lobes."""
    return [
        2
        * np.count_nonzero((found == k) & (lobes == k))
        / (np.count_nonzero(found == k) + np.count_nonzero(lobes == k))
        for k in (1, 2, 3, 4, 5)
    ]


def border_errors(result, lobes, voxel_ml):
    """Return distance and net offset (mm) of every fissure."""
    area_cm2 = {fit.fissure: fit.area_cm2 for fit in result.fissures}
    errors = []
    for fissure in Fissure:
        above, below = SIDES_OF_FISSURE[fissure]
        raised = np.isin(lobes, above) & np.isin(result.labels, below)
        lowered = np.isin(lobes, below) & np.isin(result.labels, above)
        per_ml = 10 * voxel_ml / area_cm2[fissure]
        errors.append([(raised.sum() + s * lowered.sum()) * per_ml for s in (1, -1)])
    return errors


def maps_and_priors(folder, held_out):
    """Yield name, labels, spacing and prior (None: the shipped one)."""
    if not held_out:
        for path in sorted(folder.glob("*.nrrd")):
            yield path.name[-40:-22], *read_lobes(path), None
        return
    paths = sorted(folder.glob("*.nii.gz"))
    cases = [describe_case(*read_label_map(path), name=path.name) for path in paths]
    for fold in range(N_FOLDS):
        prior = learn([case for number, case in enumerate(cases) if number % N_FOLDS != fold])
        for path in paths[fold::N_FOLDS][::EVERY]:
            yield path.name.split(".")[0], *read_label_map(path), prior


def main():
    """Print the Dice of every map, their mean, and how far the borders are off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--held-out", action="store_true", help="learn the prior from the rest")
    args = parser.parse_args()
    rows, errors = [], []
    segment_lobes.THICKEST_MM = 0.0  # no evidence is looked for: there is none
    for name, lobes, spacing, prior in maps_and_priors(args.folder, args.held_out):
        result = divide(lobes, spacing, prior)
        rows.append(dice(result.labels, lobes))
        errors.append(border_errors(result, lobes, float(np.prod(spacing)) / 1000))
        print(name, *(f"{value:.3f}" for value in rows[-1]), flush=True)
    print(len(rows), "maps, mean LUL LLL RUL RML RLL", *(f"{v:.3f}" for v in np.mean(rows, axis=0)))
    for fissure, (distance, offset) in zip(Fissure, np.moveaxis(errors, 0, -1), strict=True):
        net = np.sqrt(np.mean(offset**2))
        print(f"{fissure}: distance {np.mean(distance):.1f} mm, net offset {net:.1f} mm")


if __name__ == "__main__":
    main()
