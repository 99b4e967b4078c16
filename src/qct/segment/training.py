"""Learn the fissure prior from label maps of five lobes.

For every case each lung is put into its own frame; the signed distance to each fissure becomes a field there.
Principal components of the fields give the modes, a ridge regression predicts their coefficients from the
shape of the lungs, and five-fold cross-validation measures what the prediction misses. Only these statistics
are kept. The idea of a statistical surface model for fissures is that of Ross et al., Med Image Comput Comput
Assist Interv 2010; implicit fields make the model linear in its coefficients.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edt
import numpy as np
import numpy.typing as npt

from qct.errors import NothingToReadError, ReadError
from qct.findings import Progress, no_progress
from qct.regions import Fissure, Label, Side
from qct.segment.lung_frame import LungFrame, describe_shape, sample_grid
from qct.segment.morphology import bounding_box
from qct.segment.prior import (
    FIELD_GRID,
    FISSURES_OF,
    FORMAT,
    Prior,
    SidePrior,
    SurfacePrior,
    size_features,
)

N_MODES = 20
"""Modes per fissure; with the field grid this keeps the file below 2 MB."""

N_SHAPE_MODES = 60
"""Modes of the lung shape that the prediction may use."""

RIDGE = 30.0
"""Strength of the ridge penalty, in cases; chosen by cross-validation among 10, 30 and 100."""

FIELD_LIMIT = 0.8
"""Fields are cut at this distance from the border (units of the lung's size, some 35 mm), so that the modes
describe the border and not the far corners of the lung."""

LEAST_CASES = 10
"""Fewer label maps give no statistics."""

_N_FOLDS = 5
_LEAST_VARIANCE = 1e-9
"""Modes with less variance than this are rounding errors."""

_SHRINKAGE = 0.01
"""Share of the mean variance that is added to every variance."""
_LEAST_WEIGHT = 0.02
"""Nodes that are lung in fewer cases than this share count as if they were in so many."""

LOBES_OF = {
    Side.RIGHT: (Label.RIGHT_UPPER_LOBE, Label.RIGHT_MIDDLE_LOBE, Label.RIGHT_LOWER_LOBE),
    Side.LEFT: (Label.LEFT_UPPER_LOBE, Label.LEFT_LOWER_LOBE),
}

SIDES_OF_FISSURE = {
    Fissure.LEFT_OBLIQUE: ((Label.LEFT_UPPER_LOBE,), (Label.LEFT_LOWER_LOBE,)),
    Fissure.RIGHT_OBLIQUE: (
        (Label.RIGHT_UPPER_LOBE, Label.RIGHT_MIDDLE_LOBE),
        (Label.RIGHT_LOWER_LOBE,),
    ),
    Fissure.RIGHT_HORIZONTAL: ((Label.RIGHT_UPPER_LOBE,), (Label.RIGHT_MIDDLE_LOBE,)),
}
"""The lobes above and below each fissure."""


@dataclass(frozen=True)
class LungCase:
    """One lung of one label map, in its frame."""

    frame: LungFrame
    shape: npt.NDArray[np.float32]
    occupancy: npt.NDArray[np.float32]
    fields: dict[Fissure, npt.NDArray[np.float32]]


LobeCase = dict[Side, LungCase]
"""Both lungs of one label map."""


def train_prior(folder: Path, *, progress: Progress = no_progress) -> Prior:
    """Learn the prior from every label map (``.nii.gz``, ``.nii``, ``.nrrd``) in a folder.

    The numbers in the maps are those of `qct.regions.Label`. A file ``SOURCE.json`` in the folder, if there is
    one, is not needed: origin and licence belong to the caller (see `qct.cli.train_prior`).

    Raises
    ------
    ReadError
        If a file cannot be read or lacks one of the five lobes.
    NothingToReadError
        If there are fewer than `LEAST_CASES` maps.
    """
    paths = sorted(
        path for path in folder.glob("*") if path.name.endswith((".nii.gz", ".nii", ".nrrd"))
    )
    if len(paths) < LEAST_CASES:
        raise NothingToReadError(
            f"{len(paths)} label maps in {folder}, at least {LEAST_CASES} are needed",
            hint="Name a folder with NIfTI or NRRD maps of the five lobes (labels 1 to 5).",
        )
    cases = []
    for done, path in enumerate(paths):
        progress(f"label map {path.name}", 0.9 * done / len(paths))
        cases.append(describe_case(*read_label_map(path), name=path.name))
    progress("statistics", 0.95)
    return learn(cases)


def read_label_map(path: Path) -> tuple[npt.NDArray[np.uint8], tuple[float, float, float]]:
    """Read a label map; return (Z, Y, X) labels, z towards the head, and the (z, y, x) spacing in mm.

    Raises
    ------
    ReadError
        If SimpleITK cannot read the file.
    """
    import SimpleITK

    try:
        image = SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(path)), "LPS")
    except RuntimeError as error:
        hint = "Remove the file or write it again."
        raise ReadError(f"{path} cannot be read as a label map", hint=hint) from error
    dx, dy, dz = image.GetSpacing()
    return np.rint(SimpleITK.GetArrayFromImage(image)).astype(np.uint8), (dz, dy, dx)


def describe_case(
    labels: npt.NDArray[np.uint8], spacing_mm: tuple[float, float, float], *, name: str = "the map"
) -> LobeCase:
    """Put both lungs of a five-lobe map into their frames.

    Raises
    ------
    ReadError
        If one of the five lobes is missing.
    """
    missing = [
        lobe.name for lobes in LOBES_OF.values() for lobe in lobes if not (labels == lobe).any()
    ]
    if missing:
        hint = "Use maps of complete lungs with labels 1 to 5, or remove this one."
        raise ReadError(f"{name} has no {', '.join(missing).lower()}", hint=hint)
    return {side: _describe_lung(labels, spacing_mm, side) for side in FISSURES_OF}


def _describe_lung(
    labels: npt.NDArray[np.uint8], spacing_mm: tuple[float, float, float], side: Side
) -> LungCase:
    everywhere = np.isin(labels, LOBES_OF[side])
    box = bounding_box(everywhere)
    first = [span.start for span in box]
    lobes, mask = labels[box], everywhere[box]
    frame = LungFrame.of(mask, spacing_mm, first)
    axes = frame.node_axes_mm(FIELD_GRID)
    fields = {}
    for fissure in FISSURES_OF[side]:
        distance = _distance_to_border(lobes, spacing_mm, fissure)
        in_frame = sample_grid(distance, axes, spacing_mm, first) / frame.scale_mm
        fields[fissure] = np.clip(in_frame, -FIELD_LIMIT, FIELD_LIMIT).astype(np.float32)
    return LungCase(
        frame=frame,
        shape=describe_shape(mask, frame, spacing_mm, first),
        occupancy=sample_grid(mask.astype(np.float32), axes, spacing_mm, first, mode="constant"),
        fields=fields,
    )


def _distance_to_border(
    lobes: npt.NDArray[np.uint8], spacing_mm: tuple[float, float, float], fissure: Fissure
) -> npt.NDArray[np.float32]:
    """Signed distance to a fissure in mm, positive above it.

    It grows to both sides of the middle between the nearest voxels of either side, and is defined outside the
    lobes too, where it continues the border.
    """
    above, below = SIDES_OF_FISSURE[fissure]
    to_above, to_below = (
        edt.edt(~np.isin(lobes, part), anisotropy=spacing_mm, parallel=1, black_border=False)
        for part in (above, below)
    )
    difference = to_below - to_above
    half_voxel = min(spacing_mm) / 2
    signed: npt.NDArray[np.float32] = np.sign(difference) * np.maximum(
        np.abs(difference) - half_voxel, 0
    )
    return signed.astype(np.float32)


# --- statistics -----------------------------------------------------------------------------------


def learn(cases: Sequence[LobeCase]) -> Prior:
    """Learn the prior from cases that `describe_case` prepared."""
    sides = {side: _learn_side(cases, side) for side in FISSURES_OF}
    metadata = {"format": FORMAT, "name": "learned from lobe label maps", "n_cases": len(cases)}
    return Prior(sides, metadata)


def _learn_side(cases: Sequence[LobeCase], side: Side) -> SidePrior:
    lungs = [case[side] for case in cases]
    shapes = np.stack([lung.shape.ravel() for lung in lungs]).astype(np.float64)
    n_modes = min(N_SHAPE_MODES, len(cases) - 1)
    shape_mean, directions, sd = _principal_components(shapes, n_modes)
    grid = lungs[0].shape.shape
    sizes = np.stack(
        [
            size_features(case[side].frame, case[Side.RIGHT].frame, case[Side.LEFT].frame)
            for case in cases
        ]
    )
    described = SidePrior(
        shape_mean=shape_mean.reshape(grid).astype(np.float32),
        shape_modes=(directions / sd[:, None]).reshape(-1, *grid).astype(np.float32),
        size_mean=sizes.mean(axis=0),
        size_sd=sizes.std(axis=0) + 1e-9,
        surfaces={},
    )
    features = np.stack(
        [described.features(lung.shape, size) for lung, size in zip(lungs, sizes, strict=True)]
    )
    surfaces = _learn_surfaces(lungs, features, side)
    return SidePrior(
        described.shape_mean,
        described.shape_modes,
        described.size_mean,
        described.size_sd,
        surfaces,
    )


def _learn_surfaces(
    lungs: Sequence[LungCase], features: npt.NDArray[np.float64], side: Side
) -> dict[Fissure, SurfacePrior]:
    """Learn the fissures of one lung; each later one also from the surprise of the first."""
    occupancy = np.mean([lung.occupancy.ravel() for lung in lungs], axis=0, dtype=np.float64)
    weight = np.sqrt(np.maximum(occupancy, _LEAST_WEIGHT))
    surfaces: dict[Fissure, SurfacePrior] = {}
    predictors = features
    for fissure in FISSURES_OF[side]:
        fields = np.stack([lung.fields[fissure].ravel() for lung in lungs]).astype(np.float64)
        n_modes = min(N_MODES, len(lungs) - 1)
        mean, directions, _ = _principal_components(fields * weight, n_modes)
        coefficients = (fields * weight - mean) @ directions.T
        missed = coefficients - _cross_validate(predictors, coefficients)
        grid = lungs[0].fields[fissure].shape
        surfaces[fissure] = SurfacePrior(
            mean=(mean / weight).reshape(grid).astype(np.float32),
            modes=(directions / weight).reshape(-1, *grid).astype(np.float32),
            prediction=_ridge(predictors, coefficients, features.shape[1]),
            covariance=_covariance(missed),
        )
        predictors = np.concatenate([features, missed], axis=1)
    return surfaces


def _covariance(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the covariance of the columns, shrunk a little so that it can be inverted after rounding."""
    covariance = np.atleast_2d(np.cov(rows.T))
    mean_variance = np.trace(covariance) / len(covariance)
    shrunk: npt.NDArray[np.float64] = covariance + _SHRINKAGE * mean_variance * np.eye(
        len(covariance)
    )
    return shrunk


def _principal_components(
    rows: npt.NDArray[np.float64], n_modes: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return mean, (K, D) orthonormal directions and (K,) standard deviations, largest first.

    The largest entry of a direction is positive, so that its sign does not depend on the solver.
    """
    mean = rows.mean(axis=0)
    deviation = rows - mean
    variances, vectors = np.linalg.eigh(deviation @ deviation.T / len(rows))
    chosen = np.argsort(-variances, kind="stable")[:n_modes]
    chosen = chosen[variances[chosen] > _LEAST_VARIANCE]
    directions = vectors[:, chosen].T @ deviation
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(chosen)), largest])[:, None]
    return mean, directions * signs / lengths, np.sqrt(variances[chosen])


def _ridge(
    predictors: npt.NDArray[np.float64], targets: npt.NDArray[np.float64], n_features: int
) -> npt.NDArray[np.float64]:
    """Fit targets by predictors; the constant (the last of the `n_features`) goes unpenalised."""
    penalty = np.full(predictors.shape[1], RIDGE)
    # Surprises are already deviations in the targets' own units: scale the penalty to their variance.
    penalty[n_features:] *= predictors[:, n_features:].var(axis=0)
    penalty[n_features - 1] = 1e-9
    gram = predictors.T @ predictors + np.diag(penalty)
    return np.asarray(np.linalg.solve(gram, predictors.T @ targets), np.float64)


def _cross_validate(
    predictors: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Predict every case from the cases outside its fold."""
    fold = np.arange(len(targets)) % _N_FOLDS
    constant = int(np.flatnonzero((predictors == 1).all(axis=0))[0])
    predicted: npt.NDArray[np.float64] = np.empty_like(targets)
    for held_out in range(_N_FOLDS):
        inside = fold != held_out
        weights = _ridge(predictors[inside], targets[inside], constant + 1)
        predicted[~inside] = predictors[~inside] @ weights
    return predicted


def with_source(prior: Prior, source: dict[str, Any]) -> Prior:
    """Return the prior with origin, licence and attribution of its data in the metadata."""
    return Prior(prior.sides, {**prior.metadata, **source})
