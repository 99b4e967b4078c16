"""What can be said of the two labelled slices of the Chest Imaging Platform's test data.

    python -m benchmarks.lobes_crop CIP_FOLDER

``crop_ct_2slices.nrrd`` is slices 60 and 61 of 96 that ``crop_ct_interactiveLobeSegmentation.nrrd`` labels
(4 to 8: right upper, middle, lower, left upper, left lower lobe; 512 to 520: airways). Two slices of 0.5 mm
show no surface, so no lobe can be fitted to them. Shown are

- what `find_lungs` says to them;
- the five lobes measured by the labels, as `qct analyze --labels` does;
- how far the drawn borders lie from the brightest line beside them: how well they were drawn;
- the lobes of the 96 slices by the prior alone, though it knows whole lungs only, and these are 48 mm of them.
"""

import argparse
from pathlib import Path

import numpy as np
import SimpleITK
from benchmarks.lobes_prior import LOBES
from scipy.ndimage import gaussian_filter, map_coordinates

from qct.errors import NoLungsError
from qct.measure import measure
from qct.regions import LOBES as REGIONS
from qct.regions import Label
from qct.segment.lobes import divide_lobes
from qct.segment.lungs import find_lungs
from qct.volume import Volume

FIRST_SLICE = 60
REACH_MM = 6.0
SHOWN = ("volume_ml", "mean_hu", "perc15_hu", "laa950_percent")
BORDERS = {
    "right oblique": ({3, 4}, {5}),
    "right horizontal": ({3}, {4}),
    "left oblique": ({1}, {2}),
}


def read(path):
    """Return an array (z towards the head) and its (z, y, x) spacing in mm."""
    image = SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(path)), "LPS")
    return SimpleITK.GetArrayFromImage(image), tuple(float(s) for s in image.GetSpacing()[::-1])


def as_lobes(stored):
    """Return our lobe numbers."""
    table = np.zeros(int(stored.max()) + 1, np.uint8)
    for number, lobe in LOBES.items():
        table[number] = lobe
    table[512:] = Label.AIRWAY
    return table[stored]


def off_the_line(hu, lobes, sides, pixel_mm):
    """Return signed distances (mm) of drawn border pixels from the brightest line within `REACH_MM`."""
    above = np.isin(lobes, list(sides[0])).astype(np.float32)
    below = np.isin(lobes, list(sides[1])).astype(np.float32)
    border = [(above[:, :-1] * below[:, 1:] + below[:, :-1] * above[:, 1:]) > 0]
    rows, columns = np.nonzero(border[0])
    points = np.stack([rows, columns + 0.5]).astype(np.float64)
    slope = np.gradient(gaussian_filter(above - below, 3.0))
    normal = np.stack([map_coordinates(part, points, order=1) for part in slope])
    normal /= np.linalg.norm(normal, axis=0) + 1e-9
    along = np.arange(-REACH_MM, REACH_MM + 0.1, pixel_mm / 2)
    lines = points[:, :, None] + normal[:, :, None] * along / pixel_mm
    smooth = gaussian_filter(np.minimum(hu, -500).astype(np.float32), 0.7)
    profile = map_coordinates(smooth, lines, order=1)
    return along[profile.argmax(axis=1)]


def main():
    """Print what can be said."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the two files")
    folder = parser.parse_args().folder
    names = ("crop_ct_2slices.nrrd", "crop_ct_interactiveLobeSegmentation.nrrd")
    for name in names:
        if not (folder / name).is_file():
            parser.error(f"{folder / name} is not there")
    (hu, spacing_mm), (stored, _) = (read(folder / name) for name in names)
    every = as_lobes(stored)
    lobes = every[FIRST_SLICE : FIRST_SLICE + len(hu)]
    volume = Volume.from_spacing(hu.astype(np.int16), spacing_mm)
    try:
        find_lungs(volume)
        print("find_lungs: found lungs in two slices")
    except NoLungsError as refusal:
        print("find_lungs refuses:", refusal)
    measured = {(m.region, m.quantity): m.value for m in measure(volume, lobes).measured}
    for region in REGIONS:
        print(region.key, *(f"{key} {measured[region.key, key]:.1f}" for key in SHOWN))
    for name, sides in BORDERS.items():
        off = [off_the_line(hu[z], lobes[z], sides, spacing_mm[1]) for z in range(len(hu))]
        off = np.abs(np.concatenate(off))
        print(
            f"{name}: drawn border off the brightest line, {len(off)} pixels, median "
            f"{np.median(off):.1f} mm, within 2 mm {100 * np.mean(off <= 2):.0f} %"
            if len(off)
            else f"{name}: not in these slices"
        )
    lungs = np.zeros_like(every)
    lungs[np.isin(every, (1, 2))] = Label.LEFT_LUNG
    lungs[np.isin(every, (3, 4, 5))] = Label.RIGHT_LUNG
    nothing = Volume.from_spacing(np.full(every.shape, -860, np.int16), spacing_mm)
    found = divide_lobes(nothing, lungs).labels
    for region in REGIONS:
        a, b = found == region.labels[0], every == region.labels[0]
        print(
            region.key,
            f"prior alone, 48 mm of lung: Dice {2 * (a & b).sum() / (a.sum() + b.sum()):.3f}",
        )


if __name__ == "__main__":
    main()
