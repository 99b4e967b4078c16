"""Make the image of a model that a scanner would: blur, slice profile, noise, floor, field of view.

In the slice plane the blur is a Gaussian (for the sharp kernel with a boost of edges), along z the mean
over the slice's thickness. Noise is correlated as by filtered back-projection (little at low and at high
frequencies), stronger behind dense tissue, and goes with the inverse root of exposure and thickness.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, zoom

from qct.acquisition import KernelFamily
from qct.phantom.artefacts import drift, leaned, starved
from qct.phantom.model import Model
from qct.phantom.space import Field, Stream, every_slice, stream
from qct.phantom.spec import Breath, ChestSpec
from qct.volume import PADDING_HU, Volume

NOISE_OF_NEXT_SCAN = 100_000
"""Distance of the random streams of a person's scans."""

FLOOR_HU = -1024
"""Lowest value that can be stored."""

MIDDLE_MM = 24.0
"""y of the middle of the image, reference mm."""


@dataclass(frozen=True, slots=True)
class Recon:
    """A reconstruction kernel.

    Attributes
    ----------
    blur_mm : float
        Standard deviation of the point spread.
    boost : float
        Share of the edge signal (image less `boost_mm` blur) that is added.
    noise_hu : float
        Noise in the mediastinum at 100 mAs and 1 mm.
    grain : (float, float)
        Standard deviations, in pixels, between which the noise has its power.
    """

    name: str
    blur_mm: float
    boost: float
    boost_mm: float
    noise_hu: float
    grain: tuple[float, float]


RECONS: Mapping[KernelFamily, Recon] = {
    KernelFamily.SOFT: Recon("SOFT", 0.68, 0.0, 1.0, 15.0, (0.95, 3.0)),
    KernelFamily.STANDARD: Recon("STANDARD", 0.52, 0.0, 1.0, 21.0, (0.70, 2.2)),
    KernelFamily.SHARP: Recon("LUNG", 0.38, 0.9, 1.1, 62.0, (0.45, 1.2)),
}
"""Blur after the 50 % points of the transfer functions of common kernels (about 3 to 6 per cm)."""


@dataclass(frozen=True)
class Image:
    """What the scanner sees of a model.

    Attributes
    ----------
    volume : Volume
    clean : (Z, Y, X) int16
        The same without noise.
    labels, airway, vessel : (Z, Y, X) uint8
        Those of the model, on the scanner's grid.
    """

    volume: Volume
    clean: npt.NDArray[np.int16]
    labels: npt.NDArray[np.uint8]
    airway: npt.NDArray[np.uint8]
    vessel: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _View:
    """Where the pixels of every slice lie in a (leaned) model."""

    z_mm: Field
    """Height of the slices over the model's lowest, mm."""
    rows: Field
    columns: Field
    """Where rows and columns of pixels lie, in voxels of the model."""
    axes_mm: npt.NDArray[np.float64]
    origin_mm: npt.NDArray[np.float64]
    """As in `Volume`."""


def take_image(model: Model, spec: ChestSpec) -> Image:
    """Scan a model."""
    if spec.tilt_deg:
        model = leaned(model, float(np.tan(np.radians(spec.tilt_deg))), MIDDLE_MM)
    view = _view(model, spec)
    shape = (len(view.z_mm), spec.size, spec.size)
    noisy, clean = np.empty(shape, np.int16), np.empty(shape, np.int16)
    marks = np.empty((3, *shape), np.uint8)
    outside = _outside_circle(spec)
    near = _nearest(view.rows, model.hu.shape[1]), _nearest(view.columns, model.hu.shape[2])
    thick_mm = spec.slice_mm / float(np.cos(np.radians(spec.tilt_deg)))

    def scan(k: int) -> None:
        z = float(view.z_mm[k])
        blurred = _blurred(_slab(model, z, thick_mm), model, spec)
        image = _resample(blurred, view.rows, view.columns)
        if spec.drift_hu:
            image = image + drift(spec, k / len(view.z_mm))
        clean[k] = _store(image, outside, spec.floor_hu)
        if spec.noise:
            image = image + _noise(image, spec, k)
        if spec.streaks_hu:
            image = image + starved(
                image, spec, stream(spec.seed, Stream.STREAKS, _noise_index(spec, k))
            )
        noisy[k] = _store(image, outside, spec.floor_hu)
        level = round(z / model.step_mm)
        for mark, one in zip(marks, (model.labels, model.airway, model.vessel), strict=True):
            mark[k] = _pick(one[level], near)

    every_slice(scan, shape[0])
    return Image(Volume(noisy, view.axes_mm, view.origin_mm), clean, *marks)


def _view(model: Model, spec: ChestSpec) -> _View:
    """Lay the slices through a model."""
    step_z = spec.step_mm or spec.slice_mm
    pixel = spec.fov_mm / spec.size
    tilt = np.radians(spec.tilt_deg)
    height = (model.grid.shape[0] - 1) * model.step_mm - spec.slice_mm
    z_mm = spec.slice_mm / 2 + step_z * np.arange(int(height / step_z))
    if spec.cut_base_mm:
        lowest = int(np.flatnonzero(model.labels.any((1, 2)))[0]) * model.step_mm
        z_mm = z_mm[z_mm >= lowest + spec.cut_base_mm]
    origin = np.array(model.grid.origin) * model.scale
    middle_yx = np.array([MIDDLE_MM * model.scale + spec.off_y_mm, spec.off_x_mm])
    pixels_yx = np.array([pixel * np.cos(tilt), pixel])
    first_yx = middle_yx - pixels_yx * (spec.size - 1) / 2
    rows, columns = (
        (first_yx[k] + pixels_yx[k] * np.arange(spec.size) - origin[k + 1]) / model.step_mm
        for k in (0, 1)
    )
    lean = (first_yx[0] - MIDDLE_MM * model.scale) * np.tan(tilt)
    lps = np.array([first_yx[1], first_yx[0], origin[0] + z_mm[0] + lean])
    axes = np.array(
        [[0, 0, step_z], [0, pixels_yx[0], pixel * np.sin(tilt)], [pixel, 0, 0]], np.float64
    )
    return _View(z_mm, rows, columns, axes, np.round(lps, 3))


def _slab(model: Model, z_mm: float, thick_mm: float) -> Field:
    """Mean of the model over the thickness of a slice (linear between the model's slices)."""
    at = np.arange(model.hu.shape[0]) * model.step_mm
    n_samples = max(4, int(np.ceil(4 * thick_mm / model.step_mm)))
    samples = z_mm + thick_mm * ((np.arange(n_samples) + 0.5) / n_samples - 0.5)
    index = np.clip(samples / model.step_mm, 0, len(at) - 1.001)
    weights = np.zeros(len(at), np.float32)
    np.add.at(weights, index.astype(np.int64), 1 - index % 1)
    np.add.at(weights, index.astype(np.int64) + 1, index % 1)
    used = np.flatnonzero(weights)
    image = sum((weights[z] / n_samples) * model.hu[z] for z in used)
    return np.asarray(image, np.float32)


def _blurred(image: Field, model: Model, spec: ChestSpec) -> Field:
    recon = RECONS[spec.kernel]
    sharp = gaussian_filter(image, recon.blur_mm / model.step_mm, mode="nearest", truncate=3)
    if recon.boost:
        broad = gaussian_filter(image, recon.boost_mm / model.step_mm, mode="nearest", truncate=3)
        sharp = sharp + np.float32(recon.boost) * (sharp - broad)
    return np.asarray(sharp, np.float32)


def _resample(image: Field, rows: Field, columns: Field) -> Field:
    """Read an image at fractional rows and columns; air beyond its edge."""
    return np.asarray(_lerp(_lerp(image, rows).T, columns).T, np.float32)


def _lerp(image: Field, at: Field) -> Field:
    low = np.clip(np.floor(at).astype(np.int64), 0, image.shape[0] - 2)
    share = (at - low).astype(np.float32)[:, None]
    beyond = (share < 0) | (share > 1)
    mixed = image[low] * (1 - share) + image[low + 1] * share
    return np.where(beyond, np.float32(-1000), mixed)


def _nearest(at: Field, n: int) -> npt.NDArray[np.int64]:
    index = np.rint(at).astype(np.int64)
    return np.where((index < 0) | (index >= n), -1, index)


def _pick(
    marks: npt.NDArray[np.uint8], near: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
) -> npt.NDArray[np.uint8]:
    picked = marks[np.ix_(*near)]
    picked[near[0] < 0] = 0
    picked[:, near[1] < 0] = 0
    return picked


def _noise(image: Field, spec: ChestSpec, index: int) -> Field:
    """Draw the noise of one slice."""
    recon = RECONS[spec.kernel]
    rng = stream(spec.seed, Stream.NOISE, _noise_index(spec, index))
    white = rng.standard_normal(image.shape, np.float32)
    narrow, wide = (gaussian_filter(white, one, mode="wrap", truncate=3) for one in recon.grain)
    grain = narrow - 0.8 * wide
    grain /= grain.std()
    sigma = recon.noise_hu * np.sqrt(100 / spec.exposure_mas / spec.slice_mm)
    return np.asarray(np.float32(sigma) * grain * _attenuation(image, spec), np.float32)


def _noise_index(spec: ChestSpec, index: int) -> int:
    """Return the number of a slice among all of a person's scans: no two have the same noise."""
    scan = 2 * (spec.date - 1) + (spec.breath is Breath.EXPIRATION)
    return index + NOISE_OF_NEXT_SCAN * scan


def _attenuation(image: Field, spec: ChestSpec) -> Field:
    """How much more or less noise there is than in the mediastinum: less in lungs, least in air."""
    every = max(1, spec.size // 64)
    dense = np.clip(image[::every, ::every] / 1000 + 1, 0, 1.2)
    broad = gaussian_filter(dense, 26.0 / (every * spec.fov_mm / spec.size), mode="nearest")
    factor = 0.45 + 0.6 * broad
    full = zoom(factor, np.array(image.shape) / np.array(factor.shape), order=1, grid_mode=False)
    return np.asarray(full, np.float32)


def _outside_circle(spec: ChestSpec) -> npt.NDArray[np.bool_]:
    off = np.arange(spec.size) - (spec.size - 1) / 2
    away = np.hypot(off[:, None], off[None])
    return np.asarray((away > spec.size / 2) & spec.circle)


def _store(image: Field, outside: npt.NDArray[np.bool_], floor_hu: int) -> npt.NDArray[np.int16]:
    """Round to what the scanner stores."""
    stored = np.clip(np.rint(image), floor_hu, 3071).astype(np.int16)
    stored[outside] = PADDING_HU
    return stored
