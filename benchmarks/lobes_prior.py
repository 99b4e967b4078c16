"""Dice of lobes divided by the prior alone, on the label maps of another annotator.

    python benchmarks/lobes_prior.py LUNA16_LABELS

Labels 4 to 8 of the maps are the right upper, middle, lower and the left upper and lower lobe.
"""

import sys
from pathlib import Path

import numpy as np
import SimpleITK

from qct.regions import Label
from qct.segment.lobes import divide_lobes
from qct.volume import Volume

LOBES = {4: 3, 5: 4, 6: 5, 7: 1, 8: 2}
STEP_MM = 2.5


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


def prior_dice(path):
    """Divide empty lungs (nothing to see but their outline) and compare."""
    lobes, spacing = read_lobes(path)
    lungs = np.zeros_like(lobes)
    lungs[np.isin(lobes, (1, 2))] = Label.LEFT_LUNG
    lungs[np.isin(lobes, (3, 4, 5))] = Label.RIGHT_LUNG
    hu = np.full(lobes.shape, -860, np.int16)
    found = divide_lobes(Volume.from_spacing(hu, spacing), lungs).labels
    return [
        2
        * np.count_nonzero((found == k) & (lobes == k))
        / (np.count_nonzero(found == k) + np.count_nonzero(lobes == k))
        for k in (1, 2, 3, 4, 5)
    ]


def main():
    """Print the Dice of every map and their mean."""
    dice = []
    for path in sorted(Path(sys.argv[1]).glob("*.nrrd")):
        dice.append(prior_dice(path))
        print(path.name[-40:-22], *(f"{value:.3f}" for value in dice[-1]), flush=True)
    print("mean LUL LLL RUL RML RLL", *(f"{value:.3f}" for value in np.mean(dice, axis=0)))


if __name__ == "__main__":
    main()
