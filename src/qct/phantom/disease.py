"""Holes, nodules and airless lung, put into a healthy model in place."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from qct.kernels.draw import draw_capsules, fill_spheres
from qct.phantom.model import Model
from qct.phantom.space import Stream, stream
from qct.phantom.spec import ChestSpec
from qct.phantom.truth import LAA_BELOW_HU, without_airways
from qct.regions import DENSE, Label

Array = npt.NDArray[np.float64]

HOLE_HU, HOLE_SPREAD_HU = -985.0, 5.0
"""Emphysema: mostly air, some blood and wall."""

PARENCHYMA_HU = (-925.0, -780.0)
"""What may become a hole: neither vessel nor wall nor lumen."""

HOLE_POWER = 1.9
"""Exponent of the power law of the holes' radii (number above r goes as r to the minus this)."""

LARGEST_HOLE_MM = 11.0
HOLES_PER_CLUSTER = 40
CLUSTER_MM = 13.0
"""Holes lie in clusters: how many, and how far (standard deviation) from the middle."""

NODULE_HU, CONSOLIDATION_HU = 35.0, 38.0


def add_disease(model: Model, spec: ChestSpec) -> None:
    """Put everything a spec asks for into a model: reticulation, consolidation, nodules, holes."""
    if spec.reticulation > 0:
        _add_reticulation(model, spec)
    if spec.consolidation_ml > 0:
        _add_consolidation(model, spec)
    if spec.n_nodules > 0:
        _add_nodules(model, spec)
    _add_holes(model, spec)


def _add_holes(model: Model, spec: ChestSpec) -> None:
    """Turn parenchyma into holes until the share is reached, to the voxel."""
    counted = without_airways(model)
    lung = (counted > 0) & (counted < Label.AIRWAY)
    hu = model.hu
    already = np.count_nonzero(lung & (np.rint(hu) < LAA_BELOW_HU))
    wanted = round(spec.laa / 100 * int(np.count_nonzero(lung))) - int(already)
    if wanted <= 0:
        return
    low, high = PARENCHYMA_HU
    state = (lung & (hu > low) & (hu < high)).astype(np.uint8)
    rng = stream(spec.seed, Stream.EMPHYSEMA)
    spacing = np.full(3, model.step_mm)
    while wanted > 0 and (state == 1).any():
        wanted -= fill_spheres(state, _holes(state, spec, model.step_mm, rng), spacing, wanted)
    n_turned = np.count_nonzero(state == 2)
    hu[state == 2] = np.clip(rng.normal(HOLE_HU, HOLE_SPREAD_HU, n_turned), -1000, -965)


def _holes(
    state: npt.NDArray[np.uint8], spec: ChestSpec, step_mm: float, rng: np.random.Generator
) -> Array:
    """Draw 20 clusters of spheres."""
    heights = np.count_nonzero(state, axis=(1, 2)).astype(np.float64)
    inside = np.flatnonzero(heights)
    rank = (np.arange(len(heights)) - inside[0]) / max(1, inside[-1] - inside[0])
    weight = heights * np.exp(7 * spec.upper**1.5 * rank)
    slices = rng.choice(len(heights), 20, p=weight / weight.sum())
    centres = []
    for z in slices:
        there = np.argwhere(state[z])
        y, x = there[rng.integers(len(there))]
        centres.append(np.array([z, y, x]) * step_mm)
    middle = np.repeat(centres, HOLES_PER_CLUSTER, axis=0)
    at = middle + rng.normal(0, CLUSTER_MM, middle.shape)
    radius = spec.hole_mm * (1 + rng.pareto(HOLE_POWER, len(at)))
    spheres = np.column_stack([at, np.minimum(radius, LARGEST_HOLE_MM)])
    return np.ascontiguousarray(spheres[rng.permutation(len(spheres))])


def _add_nodules(model: Model, spec: ChestSpec) -> None:
    rng = stream(spec.seed, Stream.NODULES)
    inside = np.argwhere(model.labels > 0)
    at = inside[rng.integers(len(inside), size=spec.n_nodules)] * model.step_mm
    radius = rng.uniform(4, 10, spec.n_nodules)
    balls = np.column_stack([at, at, radius, radius])
    draw_capsules(model.hu, balls, NODULE_HU, np.full(3, model.step_mm), model.step_mm)


def _add_consolidation(model: Model, spec: ChestSpec) -> None:
    """Make the part of the right lower lobe nearest to a point at its back airless."""
    lobe = np.argwhere(model.labels == Label.RIGHT_LOWER_LOBE)
    if not len(lobe):
        return
    rng = stream(spec.seed, Stream.CONSOLIDATION)
    n_wanted = min(len(lobe), round(spec.consolidation_ml * 1000 / model.step_mm**3))
    middle = lobe[lobe[:, 1] > np.quantile(lobe[:, 1], 0.9)].mean(0)
    away = np.linalg.norm((lobe - middle) * model.step_mm, axis=1)
    rough = gaussian_filter(rng.standard_normal(model.hu.shape, np.float32), 4 / model.step_mm)
    away += 5 / rough.std() * rough[tuple(lobe.T)]
    airless = lobe[np.argsort(away, kind="stable")[:n_wanted]]
    where = tuple(airless.T)
    solid = model.hu[where]
    lumen = solid < PARENCHYMA_HU[0]  # air bronchograms
    model.hu[where] = np.where(lumen, solid, np.maximum(solid, CONSOLIDATION_HU))
    model.labels[where] += np.uint8(DENSE)


def _add_reticulation(model: Model, spec: ChestSpec) -> None:
    """Thicken the outer lung of the lower half: ground glass, with a net of denser septa."""
    lung = model.labels > 0
    edge = gaussian_filter(lung.astype(np.float32), 8 / model.step_mm)
    rng = stream(spec.seed, Stream.RETICULATION)
    net = gaussian_filter(rng.standard_normal(model.hu.shape, np.float32), 2.2 / model.step_mm)
    net = np.abs(net / net.std())
    z = np.arange(lung.shape[0])
    inside = np.flatnonzero(lung.any((1, 2)))
    base = np.clip(1.4 - 2 * (z - inside[0]) / len(inside), 0, 1)[:, None, None]
    near = np.clip((0.95 - edge) / 0.25, 0, 1) * base * spec.reticulation
    added = near * (170 + 330 * np.clip(1 - net / 0.35, 0, 1))
    low, high = PARENCHYMA_HU
    there = lung & (model.hu > low) & (model.hu < high + 60)
    model.hu[there] += added[there].astype(np.float32)
