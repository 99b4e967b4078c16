"""Lesions and holes, put into a healthy model in place."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from qct.kernels.draw import draw_capsules, fill_blobs
from qct.phantom.emphysema import PARENCHYMA_HU, add_holes, surface_texture
from qct.phantom.model import FLUID_HU, MEDIASTINAL_FAT_HU, Model
from qct.phantom.space import Stream, stream
from qct.phantom.spec import ChestSpec
from qct.regions import DENSE, Label

Array = npt.NDArray[np.float64]

NODULE_HU, CONSOLIDATION_HU, TUMOUR_HU = 35.0, 38.0, 42.0
GROUND_GLASS_HU = 330.0
"""What ground glass adds."""

CYST_HU, CYST_WALL_HU = -930.0, -180.0
CYST_MM = (2.0, 4.5)
"""Radii of the cysts of a honeycomb."""


def add_disease(model: Model, spec: ChestSpec) -> None:
    """Put everything a spec asks for into a model."""
    if spec.reticulation > 0:
        _add_reticulation(model, spec)
    if spec.ground_glass_ml > 0:
        _add_ground_glass(model, spec)
    if spec.consolidation_ml > 0:
        _add_consolidation(model, spec)
    if spec.tumour_mm > 0:
        _add_tumour(model, spec)
    if spec.n_nodules > 0:
        _add_nodules(model, spec)
    if spec.effusion_ml > 0:
        _add_effusion(model, spec)
    add_holes(model, spec)


def _add_nodules(model: Model, spec: ChestSpec) -> None:
    """Put in solid balls, every other one at the pleura."""
    rng = stream(spec.seed, Stream.NODULES)
    fields = model.fields
    depth_mm = -np.minimum(fields.right, fields.left) * model.scale
    shift = np.array(fields.grid.origin) - model.grid.origin
    radius = rng.uniform(4, 10, spec.n_nodules)
    rows = []
    for k in range(spec.n_nodules):
        low, high = (0.0, 4.0) if k % 2 else (12.0, 60.0)
        there = np.argwhere((depth_mm > low) & (depth_mm < high))
        at = (there[rng.integers(len(there))] * fields.grid.step + shift) * model.scale
        rows.append([*at, *at, radius[k], radius[k]])
    spacing = np.full(3, model.step_mm)
    draw_capsules(model.hu, np.array(rows), NODULE_HU, spacing, model.step_mm)


def _nearest_part(
    model: Model,
    lobe: Label,
    volume_ml: float,
    middle: Array,
    rough_mm: float,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.intp], ...]:
    """Return the voxels of a lobe nearest to a point, with a rough border."""
    inside = np.argwhere(model.labels == lobe)
    n_wanted = min(len(inside), round(volume_ml * 1000 / model.step_mm**3))
    away = np.linalg.norm((inside - middle) * model.step_mm, axis=1)
    rough = gaussian_filter(rng.standard_normal(model.hu.shape, np.float32), 4 / model.step_mm)
    away += rough_mm / rough.std() * rough[tuple(inside.T)]
    return tuple(inside[np.argsort(away, kind="stable")[:n_wanted]].T)


def _behind(model: Model, lobe: Label) -> Array:
    """Return the middle of the back of a lobe, in voxels."""
    inside = np.argwhere(model.labels == lobe)
    return np.asarray(inside[inside[:, 1] > np.quantile(inside[:, 1], 0.9)].mean(0))


def _add_ground_glass(model: Model, spec: ChestSpec) -> None:
    """Make part of the left lower lobe hazy; vessels stay visible in it."""
    lobe = Label.LEFT_LOWER_LOBE
    if not (model.labels == lobe).any():
        return
    rng = stream(spec.seed, Stream.LESIONS, 1)
    where = _nearest_part(model, lobe, spec.ground_glass_ml, _behind(model, lobe), 9, rng)
    low, high = PARENCHYMA_HU
    hu = model.hu[where]
    model.hu[where] = np.where((hu > low) & (hu < high), hu + GROUND_GLASS_HU, hu)


def _add_consolidation(model: Model, spec: ChestSpec) -> None:
    """Make the part of the right lower lobe nearest to a point at its back airless."""
    lobe = Label.RIGHT_LOWER_LOBE
    if not (model.labels == lobe).any():
        return
    rng = stream(spec.seed, Stream.CONSOLIDATION)
    where = _nearest_part(model, lobe, spec.consolidation_ml, _behind(model, lobe), 5, rng)
    solid = model.hu[where]
    lumen = solid < PARENCHYMA_HU[0]  # air bronchograms
    model.hu[where] = np.where(lumen, solid, np.maximum(solid, CONSOLIDATION_HU))
    model.labels[where] += np.uint8(DENSE)


def _add_tumour(model: Model, spec: ChestSpec) -> None:
    """Put a solid, lobulated mass beside the hilum into the right upper lobe."""
    lobe = Label.RIGHT_UPPER_LOBE
    inside = np.argwhere(model.labels == lobe)
    if not len(inside):
        return
    rng = stream(spec.seed, Stream.LESIONS)
    volume_ml = np.pi / 6 * spec.tumour_mm**3 / 1000
    where = _nearest_part(model, lobe, float(volume_ml), inside.mean(0), 2.5, rng)
    model.hu[where] = TUMOUR_HU
    model.labels[where] += np.uint8(DENSE)


def _add_effusion(model: Model, spec: ChestSpec) -> None:
    """Fill the back of the right pleural space up to a level; that is no longer lung."""
    right = np.isin(model.labels % DENSE, (3, 4, 5))
    per_row = np.count_nonzero(right, axis=(0, 2))[::-1].cumsum()[::-1]
    wanted = spec.effusion_ml * 1000 / model.step_mm**3
    level = int(np.argmin(np.abs(per_row - wanted)))
    fluid = right
    fluid[:, :level] = False
    beside = gaussian_filter(fluid.astype(np.float32), 1.0) > 0.1
    beside[:, :level] = False
    model.hu[fluid | (beside & (model.labels == 0) & (model.hu < MEDIASTINAL_FAT_HU - 30))] = (
        FLUID_HU
    )
    model.labels[fluid] = 0
    model.airway[fluid] = model.vessel[fluid] = 0


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
    if spec.honeycomb > 0:
        _add_honeycomb(model, spec, there & (near > 0.45))


def _add_honeycomb(model: Model, spec: ChestSpec, zone: npt.NDArray[np.bool_]) -> None:
    """Turn the most reticulated lung into cysts with shared walls."""
    state = zone.astype(np.uint8)
    n_zone = int(np.count_nonzero(zone))
    if not n_zone:
        return
    rng = stream(spec.seed, Stream.RETICULATION, 1)
    places = np.argwhere(zone)
    wanted = round(spec.honeycomb * n_zone)
    at = places[rng.integers(len(places), size=6000)] * model.step_mm
    balls = np.column_stack([at, rng.uniform(*CYST_MM, len(at)) / 1.5])
    rough = surface_texture(spec.seed)
    fill_blobs(state, balls, rough, np.full(3, model.step_mm), (wanted, 0.0))
    cyst = state == 2
    around = gaussian_filter(cyst.astype(np.float32), 1.0 / model.step_mm)
    wall = zone & ~cyst & (around > 0.08)
    model.hu[wall] = np.maximum(model.hu[wall], CYST_WALL_HU)
    model.hu[cyst] = CYST_HU
