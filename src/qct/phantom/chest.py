"""A digital chest: a volume, its labels, and everything it is known to measure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.phantom.disease import add_disease
from qct.phantom.imaging import take_image
from qct.phantom.model import build_model
from qct.phantom.spec import ChestSpec
from qct.phantom.trees import Trees
from qct.phantom.truth import (
    AIRWAY_GENERATIONS,
    by_airway_generation,
    measure,
    without_airways,
)
from qct.volume import Volume


@dataclass(frozen=True, kw_only=True)
class Chest:
    """A chest with known answers.

    Attributes
    ----------
    spec : ChestSpec
    volume : Volume
        What the scanner gives.
    labels : (Z, Y, X) uint8
        `qct.regions.Label` (and `DENSE`) on its grid; airways up to generation
        `truth.AIRWAY_GENERATIONS` are `Label.AIRWAY`.
    clean_hu : (Z, Y, X) int16
        The image without noise.
    airway : (Z, Y, X) uint8
        1 + generation of the airway (lumen and wall) at a voxel, 0 elsewhere; all generations drawn.
    trees : Trees
        Airways, arteries, veins in LPS mm: segments are (z, y, x) pairs and two radii.
    truth : mapping
        ``model`` and ``sampled`` (region key, quantity key, value and unit), and both again by how far
        airways are taken out; see `qct.phantom.truth` for what to compare with what.
    """

    spec: ChestSpec
    volume: Volume
    labels: npt.NDArray[np.uint8]
    clean_hu: npt.NDArray[np.int16]
    airway: npt.NDArray[np.uint8]
    trees: Trees
    truth: Mapping[str, Any]


def make_chest(spec: ChestSpec) -> Chest:
    """Build a chest, scan it, and write down what it measures.

    The same spec gives the same bits.
    """
    model = build_model(spec)
    add_disease(model, spec)
    image = take_image(model, spec)
    voxel_ml = model.step_mm**3 / 1000
    labels = without_airways(image)
    truth = {
        "spec": {key: None if value is None else value for key, value in asdict(spec).items()},
        "airway_generations_taken_out": AIRWAY_GENERATIONS,
        "model": {"regions": measure(model.hu, without_airways(model), voxel_ml)},
        "sampled": {
            "regions": measure(image.clean, labels, image.volume.voxel_ml),
            "by_airway_generation": by_airway_generation(image.clean, image, image.volume.voxel_ml),
        },
    }
    return Chest(
        spec=spec,
        volume=image.volume,
        labels=labels,
        clean_hu=image.clean,
        airway=image.airway,
        trees=model.trees.scaled(model.scale),
        truth=truth,
    )
