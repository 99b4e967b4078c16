"""How well lobes can be known from the shape of the lungs: ceilings, on the label maps of another annotator.

    python -m benchmarks.lobes_ceiling LUNA16_LABELS

For every map, mean Dice of its lobes divided by

- the shipped prior alone;
- the best that its 20 modes can do: least squares on the map's own fissures;
- the shipped prediction, moved by the mean error that it makes on the *other* maps: if the annotators drew
  differently, or the masks were cut differently, this would mend it;
- a prediction learned on the other maps alone, from the same features: what that annotator's own prior gives;
- the shipped prior, told for every bronchus inside a lung in which lobe it lies: the maps hold bronchi, too. So
  much could an airway tree that is named without a fault add to the shape of the lungs.

The last four look at the maps they are judged on or at their kind. Nothing of them ships. Voxels of about 2.5
mm inside the lobes are compared, so that differences of the masks play no part.
"""

import argparse
from pathlib import Path

import numpy as np
import SimpleITK
from benchmarks.lobes_prior import LOBES as STORED
from benchmarks.lobes_prior import read_lobes

from qct.kernels.fields import sample_fields
from qct.regions import Side
from qct.segment.prior import FIELD_GRID, FISSURES_OF, default_prior, size_features
from qct.segment.training import SIDES_OF_FISSURE, describe_case

LOBES = {"LUL": 1, "LLL": 2, "RUL": 3, "RML": 4, "RLL": 5}
LOBES_OF = {Side.LEFT: (1, 2), Side.RIGHT: (3, 4, 5)}
N_VOXELS = 20_000
RIDGE = 10.0
FIRST = 20
BRONCHUS = 512
"""A voxel of a bronchus inside a lobe holds this and the lobe's own number."""
BRONCHUS_BIN_MM = 4.0
BRONCHUS_SD = 0.2
"""How far a bronchus may lie on the wrong side of its border (frame units): the best of 0.06, 0.1 and 0.2."""


def describe(path, prior):
    """Return, for both lungs of a map: features, voxels, and of each fissure its basis and best modes."""
    lobes, spacing_mm = read_lobes(path)
    case = describe_case(lobes, spacing_mm, name=path.name)
    frames = {side: case[side].frame for side in case}
    bronchi = read_bronchi(path)
    return {
        side: describe_lung(lobes, spacing_mm, case[side], frames, prior, side, bronchi)
        for side in case
    }


def read_bronchi(path):
    """Return the places (mm, z y x) of bronchi inside lobes, one per bin, and their lobes."""
    image = SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(path)), "LPS")
    stored = SimpleITK.GetArrayFromImage(image)
    numbers = [BRONCHUS + number for number in STORED]
    voxels = np.argwhere(np.isin(stored, numbers))
    lobes = np.array([STORED[n - BRONCHUS] for n in stored[tuple(voxels.T)]])
    places_mm = voxels * np.array(image.GetSpacing()[::-1])
    bins = np.floor(places_mm / BRONCHUS_BIN_MM).astype(int)
    first = np.unique(bins, axis=0, return_index=True)[1]
    return places_mm[first], lobes[first]


def describe_lung(lobes, spacing_mm, lung, frames, prior, side, bronchi):
    """Return what is needed to divide the voxels of one lung by any modes."""
    voxels = np.argwhere(np.isin(lobes, LOBES_OF[side]))
    voxels = voxels[:: max(1, len(voxels) // N_VOXELS)]
    nodes = lung.frame.to_nodes(voxels * np.array(spacing_mm), FIELD_GRID)
    model = prior.sides[side]
    sizes = size_features(lung.frame, frames[Side.RIGHT], frames[Side.LEFT])
    features = model.features(lung.shape, sizes)
    fissures = {}
    places_mm, bronchus_lobes = bronchi
    for fissure in FISSURES_OF[side]:
        surface = model.surfaces[fissure]
        above, below = SIDES_OF_FISSURE[fissure]
        used = np.isin(bronchus_lobes, above + below)
        of_bronchi = lung.frame.to_nodes(places_mm[used], FIELD_GRID)
        basis = sample_fields(np.concatenate([surface.mean[None], surface.modes]), of_bronchi)
        expected = model.predict(fissure, features)
        sign = np.where(np.isin(bronchus_lobes[used], above), 1.0, -1.0)
        fissures[fissure] = {
            "told": told_bronchi(expected, surface.covariance, basis.astype(float), sign),
            "basis": sample_fields(np.concatenate([surface.mean[None], surface.modes]), nodes),
            "best": best_modes(surface, lung.fields[fissure], lung.occupancy),
            "expected": expected,
        }
    return {"labels": lobes[tuple(voxels.T)], "features": features, "fissures": fissures}


def told_bronchi(expected, covariance, basis, sign):
    """Return the likeliest modes when bronchi lie above (+1) or below (-1) the border; Newton's method."""
    certain, modes = np.linalg.inv(covariance), expected
    for _ in range(30):
        short = -sign * (basis[:, 0] + basis[:, 1:] @ modes)
        wrong = basis[short > 0, 1:]
        pull = wrong.T @ (sign * short)[short > 0] / BRONCHUS_SD**2
        gradient = certain @ (expected - modes) + pull
        curvature = certain + wrong.T @ wrong / BRONCHUS_SD**2
        modes = modes + 0.7 * np.linalg.solve(curvature, gradient)
    return modes


def best_modes(surface, field, occupancy):
    """Return the coefficients that come closest to a field inside the lung."""
    weight = np.sqrt(np.maximum(occupancy.ravel(), 0.02))
    modes = surface.modes.reshape(len(surface.modes), -1).T * weight[:, None]
    return np.linalg.lstsq(modes, (field - surface.mean).ravel() * weight, rcond=None)[0]


def dice_of(lung, side, modes):
    """Return the Dice of every lobe of a lung that is divided by these modes."""
    heights = [f["basis"] @ np.append(1.0, modes[key]) for key, f in lung["fissures"].items()]
    if side is Side.LEFT:
        found = np.where(heights[0] > 0, 1, 2)
    else:
        found = np.where(heights[0] <= 0, 5, np.where(heights[1] > 0, 3, 4))
    true = lung["labels"]
    return {
        k: 2 * np.sum((found == k) & (true == k)) / (np.sum(found == k) + np.sum(true == k))
        for k in LOBES_OF[side]
    }


def ridge(features, targets, one):
    """Predict `one` from rows of features; the last of them is the constant."""
    penalty = np.diag(np.append(np.full(features.shape[1] - 1, RIDGE), 1e-9))
    return one @ np.linalg.solve(features.T @ features + penalty, features.T @ targets)


def ways(lung, others):
    """Return the modes of every fissure by each way to know them."""
    found = {}
    features = np.stack([other["features"] for other in others])
    for key, fissure in lung["fissures"].items():
        best = np.stack([other["fissures"][key]["best"] for other in others])
        errors = best - np.stack([other["fissures"][key]["expected"] for other in others])
        found[key] = {
            "shipped prior": fissure["expected"],
            "best 20 modes": fissure["best"],
            "shipped prior, moved by the others' mean error": fissure["expected"] + errors.mean(0),
            "told the lobe of every bronchus": fissure["told"],
            "learned on the others alone": ridge(features, best, lung["features"]),
        }
    return found


def main():
    """Print the mean Dice by each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of label maps (.nrrd)")
    maps = sorted(parser.parse_args().folder.glob("*.nrrd"))
    if len(maps) < 2:
        parser.error("the folder holds fewer than two label maps (.nrrd)")
    prior = default_prior()
    cases = [describe(path, prior) for path in maps]
    dice = {}
    for number, case in enumerate(cases):
        row = {}
        for side, lung in case.items():
            others = [other[side] for other in cases[:number] + cases[number + 1 :]]
            by_fissure = ways(lung, others)
            for way in next(iter(by_fissure.values())):
                modes = {key: found[way] for key, found in by_fissure.items()}
                row.setdefault(way, {}).update(dice_of(lung, side, modes))
        for way, lobes in row.items():
            dice.setdefault(way, []).append([lobes[k] for k in LOBES.values()])
    print(len(cases), "maps;", *LOBES)
    for way, rows in dice.items():
        table = np.array(rows)
        error = table.std(axis=0, ddof=1) / np.sqrt(len(table))
        for name, values in (
            ("mean", table.mean(axis=0)),
            ("its standard error", error),
            ("median", np.median(table, axis=0)),
            (f"mean of the first {FIRST}", table[:FIRST].mean(axis=0)),
        ):
            print(f"{way}, {name}:", *(f"{value:.3f}" for value in values))


if __name__ == "__main__":
    main()
