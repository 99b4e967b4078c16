"""What goes wrong during a scan: a beating heart, a tilted gantry, hardened beams, starved detectors."""

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, zoom

from qct.phantom.model import Model
from qct.phantom.space import Field, Resampler, every_slice
from qct.phantom.spec import ChestSpec

HEART_YX_MM = (-40.0, 12.0)
"""What the heart beats about, reference mm."""

BEAT_REACH_MM = 18.0
"""How far around the heart lung moves with it, reference mm."""

STARVED_MM = (260.0, 420.0)
"""Water in a beam from side to side: below the first no streaks, above the second the strongest."""

STREAK_LENGTH = 24
"""Streaks change this many times across the image."""


def beating(model: Model, motion_mm: float) -> Model:
    """Blur heart and what lies beside it over the two ends of a beat; the labels are those of the middle."""
    read = Resampler(model.fields.grid, model.grid)
    _, y, x = model.grid.open()
    plane = model.hu.shape[1:]
    dy = np.broadcast_to(y[0] - np.float32(HEART_YX_MM[0]), plane)
    dx = np.broadcast_to(x[0] - np.float32(HEART_YX_MM[1]), plane)
    half = motion_mm / 2 / model.step_mm
    hu = model.hu.copy()

    def beat(z: int) -> None:
        moves = np.exp(-np.maximum(read.slice(model.fields.heart, z), 0) / BEAT_REACH_MM)
        near = np.nonzero(moves > 0.05)
        if not len(near[0]):
            return
        outwards = np.stack([dy[near], dx[near]])
        outwards *= half * moves[near] / np.maximum(np.hypot(*outwards), 1.0)
        ends = (
            map_coordinates(model.hu[z], near + sign * outwards, order=1, mode="nearest")
            for sign in (-1, 1)
        )
        hu[z][near] = sum(ends) / 2

    every_slice(beat, hu.shape[0])
    return replace(model, hu=hu)


def leaned(model: Model, slope: float, still: float) -> Model:
    """Shear a model so that planes of a tilted gantry become its slices.

    A plane rises by `slope` per length towards the back; where y is `still` (reference mm) it stays.
    """
    n = model.hu.shape[0]
    shift = (model.grid.axis(1) - still) * slope / model.grid.step
    hu, marks = np.empty_like(model.hu), (model.labels, model.airway, model.vessel)
    leaning = [np.empty_like(mark) for mark in marks]
    for row, by in enumerate(shift):
        at = np.clip(np.arange(n) + float(by), 0, n - 1.001)
        low, share = at.astype(np.int64), (at % 1).astype(np.float32)[:, None]
        hu[:, row] = model.hu[low, row] * (1 - share) + model.hu[low + 1, row] * share
        nearest = np.rint(at).astype(np.int64)
        for new, mark in zip(leaning, marks, strict=True):
            new[:, row] = mark[nearest, row]
    labels, airway, vessel = leaning
    return replace(model, hu=hu, labels=labels, airway=airway, vessel=vessel)


def drift(spec: ChestSpec, height: float) -> Field:
    """Return what hardened beams and a warming tube add to a slice; `height` is 0 at the base, 1 on top."""
    off = np.linspace(-1, 1, spec.size, dtype=np.float32)
    cup = 1 - np.minimum(off[:, None] ** 2 + off[None] ** 2, 1)
    return np.asarray(spec.drift_hu * (height - 0.5 - cup), np.float32)


def starved(image: Field, spec: ChestSpec, rng: np.random.Generator) -> Field:
    """Return streaks from side to side where little light comes through (shoulders, arms, fat)."""
    pixel = spec.fov_mm / spec.size
    water = np.clip(image / 1000 + 1, 0, 1.8).sum(1) * np.float32(pixel)
    low, high = STARVED_MM
    strength = gaussian_filter(np.clip((water - low) / (high - low), 0, 1), 3)
    rough = rng.standard_normal((image.shape[0], STREAK_LENGTH)).astype(np.float32)
    rough = gaussian_filter(rough, (0.8, 2.0))
    lines = zoom(rough / rough.std(), (1, image.shape[1] / STREAK_LENGTH), order=1)
    return np.asarray(spec.streaks_hu * strength[:, None] * lines, np.float32)
