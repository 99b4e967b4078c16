"""Holes in the lung: how much, how large, where, to the voxel.

Sizes follow a power law of the volume (number above v goes as v to the minus D, Mishima 1999). A hole keeps
off the holes before it, so that what is drawn is what is counted; where there is no more room, holes merge,
as they do in severe disease. Holes are drawn one after the other and the first so many are used: with more
emphysema the same person keeps the holes that there were.
"""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from qct.kernels.draw import fill_blobs
from qct.phantom.model import Model, lobes_on
from qct.phantom.space import Field, Stream, smooth_noise, stream
from qct.phantom.spec import ChestSpec, Emphysema
from qct.phantom.truth import LAA_BELOW_HU, without_airways
from qct.regions import Label, label_names

Array = npt.NDArray[np.float64]

HOLE_HU, HOLE_SPREAD_HU = -985.0, 5.0
"""Emphysema: mostly air, some blood and wall."""

PARENCHYMA_HU = (-925.0, -780.0)
"""What may become a hole: neither vessel nor wall nor lumen."""

LARGEST_HOLE_MM = 11.0
"""Largest radius of a hole, mm."""

GAP_MM = 1.2
"""Tissue that is left between holes while there is room."""

BATCH = 400
"""Holes drawn at a time."""

FULL_SHARE = 0.7
"""A batch of which more than this share found no room is the last that keeps its distance."""

ROUGH_VOXELS = 64
"""Edge of the periodic texture that makes holes irregular."""


def add_holes(model: Model, spec: ChestSpec) -> None:
    """Turn parenchyma into bullae, then into holes until the share is reached, to the voxel."""
    counted = without_airways(model)
    lung = (counted > 0) & (counted < Label.AIRWAY)
    low, high = PARENCHYMA_HU
    state = (lung & (model.hu > low) & (model.hu < high)).astype(np.uint8)
    rough = surface_texture(spec.seed)
    already = lung & (np.rint(model.hu) < LAA_BELOW_HU)
    _add_bullae(state, model, spec, rough)
    if spec.laa_lobes is None:
        _fill(state, _wanted(lung, already, state == 2, spec.laa), model, spec, rough)
    else:
        for key, percent in spec.laa_lobes.items():
            lobe = label_names()[key]
            part = counted == lobe
            elsewhere = (state == 1) & ~part
            state[elsewhere] = 3
            wanted = _wanted(part, already & part, (state == 2) & part, percent)
            _fill(state, wanted, model, spec, rough, lobe)
            state[state == 3] = 1
    holes = state == 2
    rng = stream(spec.seed, Stream.HOLE_DENSITY)
    density = rng.normal(HOLE_HU, HOLE_SPREAD_HU, np.count_nonzero(holes))
    model.hu[holes] = np.clip(density, -1000, -965)


def _wanted(
    part: npt.NDArray[np.bool_],
    already: npt.NDArray[np.bool_],
    bullae: npt.NDArray[np.bool_],
    percent: float,
) -> int:
    """Return how many voxels are still to be turned; bullae and lumens count."""
    there = np.count_nonzero(already) + np.count_nonzero(bullae)
    return round(percent / 100 * int(np.count_nonzero(part))) - int(there)


def surface_texture(seed: int) -> Field:
    """Return a periodic texture that makes balls irregular, for `fill_blobs`."""
    white = stream(seed, Stream.TEXTURE, 1).standard_normal((ROUGH_VOXELS,) * 3, np.float32)
    smooth = gaussian_filter(white, 3.0, mode="wrap")
    return np.asarray(smooth / (1.5 * smooth.std()), np.float32)


def _fill(
    state: npt.NDArray[np.uint8],
    wanted: int,
    model: Model,
    spec: ChestSpec,
    rough: Field,
    lobe: int | None = None,
) -> None:
    if wanted <= 0:
        return
    rng = stream(spec.seed, Stream.EMPHYSEMA, lobe or 0)
    places, weight = _places(model, spec, lobe)
    if not len(places):
        return
    spacing = np.full(3, model.step_mm)
    gap = GAP_MM
    while wanted > 0 and (state == 1).any():
        balls = _holes(places, weight, spec, model.step_mm, rng)
        turned, left_out = fill_blobs(state, balls, rough, spacing, (wanted, gap))
        wanted -= turned
        if left_out > FULL_SHARE * BATCH:
            gap = -1.0


def _places(model: Model, spec: ChestSpec, lobe: int | None) -> tuple[Array, Array]:
    """Return where holes may have their middle (voxels of the model) and how likely each place is."""
    fields = model.fields
    lobes = lobes_on(fields)
    inside = np.argwhere(lobes == lobe if lobe else lobes > 0)
    if not len(inside):
        return np.empty((0, 3)), np.empty(0)
    at = tuple(inside.T)
    depth_mm = -np.minimum(fields.right, fields.left)[at] * model.scale
    z = inside[:, 0].astype(np.float64)
    rank = (z - z.min()) / max(1.0, float(np.ptp(z)))
    patchy = smooth_noise(fields.grid, 11, stream(spec.seed, Stream.EMPHYSEMA, 9))[at]
    weight = _preference(spec, depth_mm, rank, patchy.astype(np.float64))
    places = (
        np.array(fields.grid.origin) - model.grid.origin + inside * fields.grid.step
    ) / model.grid.step
    return places, weight / weight.sum()


def _preference(spec: ChestSpec, depth_mm: Field, rank: Array, patchy: Array) -> Array:
    """Say how likely a hole is, by pattern: depth under the pleura, height (0 base to 1 apex), patches."""
    towards = 1 - rank if spec.emphysema is Emphysema.PANLOBULAR else rank
    weight = np.exp(7 * spec.upper**1.5 * towards)
    if spec.emphysema is Emphysema.PARASEPTAL:
        layer = (depth_mm > 1.5) & (depth_mm < 6)
        weight *= np.where(layer, 1.0, 1e-6) * np.exp(0.7 * patchy)
    elif spec.emphysema is Emphysema.CENTRILOBULAR:
        weight *= np.where(depth_mm > 4, 1.0, 0.08) * np.exp(1.3 * patchy)
    return np.asarray(weight, np.float64)


def _holes(
    places: Array, weight: Array, spec: ChestSpec, step_mm: float, rng: np.random.Generator
) -> Array:
    """Draw a batch of balls; volumes by a power law cut at both ends."""
    chosen = places[rng.choice(len(places), BATCH, p=weight)]
    at = (chosen + rng.uniform(-1.5, 1.5, chosen.shape)) * step_mm
    ratio = (LARGEST_HOLE_MM / spec.hole_mm) ** 3
    share = rng.uniform(0, 1, BATCH) * (1 - ratio**-spec.cluster_d)
    volume = (1 - share) ** (-1 / spec.cluster_d)  # of the smallest
    return np.ascontiguousarray(np.column_stack([at, spec.hole_mm * np.cbrt(volume)]))


def _add_bullae(state: npt.NDArray[np.uint8], model: Model, spec: ChestSpec, rough: Field) -> None:
    """Put thin-walled bullae under the pleura of the upper half."""
    if not spec.n_bullae:
        return
    fields = model.fields
    depth_mm = -np.minimum(fields.right, fields.left) * model.scale
    near = np.argwhere((depth_mm > 0.3 * spec.bulla_mm) & (depth_mm < 0.6 * spec.bulla_mm))
    near = near[near[:, 0] > np.median(near[:, 0])]
    if not len(near):
        return
    rng = stream(spec.seed, Stream.BULLAE)
    chosen = near[rng.integers(len(near), size=spec.n_bullae)]
    shift = np.array(fields.grid.origin) - model.grid.origin
    at = (chosen * fields.grid.step + shift) * model.scale
    balls = np.column_stack([at, np.full(len(at), spec.bulla_mm / 2)])
    limits = (state.size, -1.0)
    fill_blobs(state, balls, 0.2 * rough, np.full(3, model.step_mm), limits)
