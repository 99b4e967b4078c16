"""A digital chest: a volume, its labels, and everything it is known to measure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.phantom.artefacts import beating
from qct.phantom.breathing import Displacement, breathe_out
from qct.phantom.disease import add_disease
from qct.phantom.imaging import take_image
from qct.phantom.model import build_model
from qct.phantom.spec import Breath, ChestSpec
from qct.phantom.trees import Trees
from qct.phantom.truth import (
    add_patterns,
    by_airway_generation,
    describe_airways,
    measure,
    smallest_airway_mm,
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
        `qct.regions.Label` (and `DENSE`) on its grid; airways of `truth.smallest_airway_mm` or more
        are `Label.AIRWAY`.
    clean_hu : (Z, Y, X) int16
        The image without noise.
    airway : (Z, Y, X) uint8
        1 + generation of the airway (lumen and wall) at a voxel, plus `truth.SMALL_AIRWAY` if it is a small
        one; 0 elsewhere.
    trees : Trees
        Airways, arteries, veins in LPS mm: segments are (z, y, x) pairs and two radii.
    displacement : Displacement or None
        From expiration to inspiration; None in inspiration.
    truth : mapping
        ``model``, ``sampled`` and ``imaged`` (region key, quantity key, value and unit), in inspiration
        ``airways``; see `qct.phantom.truth` for what to compare with what.
    """

    spec: ChestSpec
    volume: Volume
    labels: npt.NDArray[np.uint8]
    clean_hu: npt.NDArray[np.int16]
    airway: npt.NDArray[np.uint8]
    trees: Trees
    displacement: Displacement | None
    truth: Mapping[str, Any]


def make_chest(spec: ChestSpec) -> Chest:
    """Build a chest, scan it, and write down what it measures.

    The same spec gives the same bits.
    """
    model = build_model(spec)
    add_disease(model, spec)
    if spec.motion_mm > 0:
        model = beating(model, spec.motion_mm)
    displacement = None
    if spec.breath is Breath.EXPIRATION:
        model, displacement = breathe_out(model, spec.exhale_mm)
    image = take_image(model, spec)
    voxel_ml = model.step_mm**3 / 1000
    image_ml = image.volume.voxel_ml
    labels = without_airways(image)
    trees = model.trees.scaled(model.scale)
    truth = {
        "spec": {key: None if value is None else value for key, value in asdict(spec).items()},
        "airways_taken_out_from_mm": smallest_airway_mm(spec.voxel_mm),
        "model": {
            "regions": add_patterns(
                measure(model.hu, without_airways(model), voxel_ml), model.hu, model, voxel_ml
            )
        },
        "sampled": {
            "regions": add_patterns(
                measure(image.clean, labels, image_ml), image.clean, image, image_ml
            ),
            "by_airway_generation": by_airway_generation(image.clean, image, image_ml),
        },
        "imaged": {"regions": measure(image.volume.hu, labels, image_ml)},
    }
    if displacement is None:  # breathing out flattens the bronchi
        truth["airways"] = describe_airways(trees.airways, spec.wall)
    return Chest(
        spec=spec,
        volume=image.volume,
        labels=labels,
        clean_hu=image.clean,
        airway=image.airway,
        trees=trees,
        displacement=displacement,
        truth=truth,
    )
