"""What lungs usually look like: statistical models of the fissure surfaces.

A fissure is the zero level of a scalar field over a lung's own frame (see `qct.segment.lung_frame`): positive
towards the head, the signed distance to the border in units of the lung's size. A model is a mean field, the
main ways in which people differ from it (modes of a principal component analysis), a linear prediction of the
mode coefficients from the shape of the lungs, and the covariance of what the prediction misses.

Two models ship: the learned one, statistics of public lobe label maps (see `qct.segment.training`), and the
geometric one, textbook planes with polynomial deformations, which needs no data.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from qct.errors import OptionError
from qct.regions import Fissure, Side
from qct.segment.lung_frame import FRAME_SPAN, SHAPE_GRID, LungFrame

FIELD_GRID = 28
"""Nodes per axis of a fissure field: 9 to 14 mm apart in an adult lung."""

FORMAT: Final = "qct fissure prior 2"
"""Stands in the metadata of a prior file."""

FEATURE_LIMIT_SD = 4.0
"""A feature of the lung shape counts as at most this unusual; the prediction is linear only so far."""

N_SIZE_FEATURES = 12
"""Log spread (3), distance of the lungs (3), spread of the right and of the left lung (3 + 3)."""

FISSURES_OF = {
    Side.RIGHT: (Fissure.RIGHT_OBLIQUE, Fissure.RIGHT_HORIZONTAL),
    Side.LEFT: (Fissure.LEFT_OBLIQUE,),
}
"""The fissures of a lung, in the order in which they are fitted."""


@dataclass(frozen=True)
class SurfacePrior:
    """Model of one fissure. G = `FIELD_GRID`, K modes, P predictors.

    Attributes
    ----------
    mean : (G, G, G) float32
    modes : (K, G, G, G) float32
        One unit of a coefficient adds one mode to the mean.
    prediction : (P, K) float64
        Coefficients per predictor: the lung's features, a constant 1, then (for a fissure that ends on
        another) how far that other fissure was from its own prediction, in its coefficients.
    covariance : (K, K) float64
        Of the coefficients about their prediction.
    """

    mean: npt.NDArray[np.float32]
    modes: npt.NDArray[np.float32]
    prediction: npt.NDArray[np.float64]
    covariance: npt.NDArray[np.float64]

    def field_of(self, coefficients: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Return the (G, G, G) field with these mode coefficients."""
        mixed = np.einsum("k,kabc->abc", coefficients, self.modes)
        total: npt.NDArray[np.float32] = (self.mean + mixed).astype(np.float32)
        return total


@dataclass(frozen=True)
class SidePrior:
    """Models of the fissures of one lung, and how to describe that lung. S = `SHAPE_GRID`.

    Attributes
    ----------
    shape_mean : (S, S, S) float32
    shape_modes : (M, S, S, S) float32
        The inner product of one with a lung's deviation from the mean is a feature of unit variance.
    size_mean, size_sd : (N_SIZE_FEATURES,) float64
    surfaces : mapping
    """

    shape_mean: npt.NDArray[np.float32]
    shape_modes: npt.NDArray[np.float32]
    size_mean: npt.NDArray[np.float64]
    size_sd: npt.NDArray[np.float64]
    surfaces: Mapping[Fissure, SurfacePrior]

    def features(
        self, shape: npt.NDArray[np.float32], sizes: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Describe a lung by its coarse shape and `size_features`; unknown (NaN) sizes count as average."""
        deviation = shape.astype(np.float64) - self.shape_mean
        scores = np.einsum("mabc,abc->m", self.shape_modes, deviation)
        standard = np.nan_to_num((sizes - self.size_mean) / self.size_sd)
        limited = np.clip(np.concatenate([scores, standard]), -FEATURE_LIMIT_SD, FEATURE_LIMIT_SD)
        return np.append(limited, 1.0)

    def predict(
        self,
        fissure: Fissure,
        features: npt.NDArray[np.float64],
        surprise: npt.NDArray[np.float64] | None = None,
    ) -> npt.NDArray[np.float64]:
        """Return the expected mode coefficients of a fissure.

        `surprise` is how far the fissure it ends on was from its own prediction.
        """
        prediction = self.surfaces[fissure].prediction
        expected: npt.NDArray[np.float64] = features @ prediction[: features.size]
        rest = prediction[features.size :]
        if surprise is not None and rest.size:
            expected = expected + surprise @ rest
        return expected


@dataclass(frozen=True)
class Prior:
    """Models of all fissures.

    Attributes
    ----------
    sides : mapping
        One `SidePrior` per `Side`.
    metadata : mapping
        Name, origin, licence and attribution of what it was learned from.
    """

    sides: Mapping[Side, SidePrior]
    metadata: Mapping[str, Any] = field(default_factory=dict)


def size_features(
    own: LungFrame, right: LungFrame | None, left: LungFrame | None
) -> npt.NDArray[np.float64]:
    """Return the (N_SIZE_FEATURES,) sizes of a lung and its partner; NaN where the partner is missing."""
    missing = np.full(3, np.nan)
    between = right.centre_mm - left.centre_mm if right and left else missing
    spreads = [lung.spread_mm if lung and right and left else missing for lung in (right, left)]
    return np.concatenate([np.log(own.spread_mm), between, *spreads])


# --- the geometric prior --------------------------------------------------------------------------

_PLANES = {
    Fissure.LEFT_OBLIQUE: ((0.95, 1.7), (-1.6, -0.9)),
    Fissure.RIGHT_OBLIQUE: ((0.95, 1.7), (-1.6, -0.9)),
    Fissure.RIGHT_HORIZONTAL: ((0.15, 0.5), (0.0, -1.8)),
}
"""Two (z, y) points of each fissure's plane in frame units. The oblique fissures fall from the back of the
upper third to the front of the base; the horizontal one runs forward from the middle (any textbook)."""

_ORDER_SD = (0.40, 0.30, 0.18, 0.08)
"""Standard deviation of a polynomial deformation by its order, in frame units; set by hand."""

_FIELD_LIMIT = 1.2
"""Fields of the geometric prior are cut at this distance from the border, in frame units."""

_POLYNOMIAL_REACH = 1.6
"""Frame units in which the polynomials' variables are counted, so that they stay about within ±1."""


def geometric_prior() -> Prior:
    """Return the prior that needs no data: a plane per fissure, and cubic deformations of it."""
    sides = {}
    for side, fissures in FISSURES_OF.items():
        empty = np.zeros((SHAPE_GRID,) * 3, np.float32)
        sides[side] = SidePrior(
            shape_mean=empty,
            shape_modes=empty[None][:0],
            size_mean=np.zeros(N_SIZE_FEATURES),
            size_sd=np.ones(N_SIZE_FEATURES),
            surfaces={fissure: _plane_model(fissure) for fissure in fissures},
        )
    return Prior(sides, {"format": FORMAT, "name": "geometric planes"})


def _plane_model(fissure: Fissure) -> SurfacePrior:
    (z0, y0), (z1, y1) = _PLANES[fissure]
    length = float(np.hypot(z1 - z0, y1 - y0))
    down_z, down_y = (z1 - z0) / length, (y1 - y0) / length
    units = np.linspace(-FRAME_SPAN, FRAME_SPAN, FIELD_GRID)
    z, y, x = np.meshgrid(units, units, units, indexing="ij")
    # The fissures fall forward, so this normal points to the head and the front.
    height = (z - z0) * -down_y + (y - y0) * down_z
    along, across = (z * down_z + y * down_y) / _POLYNOMIAL_REACH, x / _POLYNOMIAL_REACH
    powers = [(i, order - i) for order in range(len(_ORDER_SD)) for i in range(order + 1)]
    near = np.abs(height) < _FIELD_LIMIT
    modes = [across**i * along**j * near for i, j in powers]
    variances = np.array([_ORDER_SD[i + j] for i, j in powers]) ** 2
    return SurfacePrior(
        mean=np.clip(height, -_FIELD_LIMIT, _FIELD_LIMIT).astype(np.float32),
        modes=np.stack(modes).astype(np.float32),
        prediction=np.zeros((N_SIZE_FEATURES + 1, len(powers))),
        covariance=np.diag(variances),
    )


# --- files ----------------------------------------------------------------------------------------


def save_prior(prior: Prior, path: Path) -> None:
    """Write a prior as an uncompressed ``.npz``; the same prior gives the same bytes.

    Fields are stored as int8 with one scale each: 0.4 % of their range is far below what they mean.
    """
    arrays: dict[str, npt.NDArray[Any]] = {"metadata": _as_bytes(prior.metadata)}
    for side, model in prior.sides.items():
        arrays |= _packed(f"{side}/shape_mean", model.shape_mean[None])
        arrays |= _packed(f"{side}/shape_modes", model.shape_modes)
        arrays[f"{side}/sizes"] = _rounded(np.stack([model.size_mean, model.size_sd]))
        for fissure, surface in model.surfaces.items():
            arrays |= _packed(f"{fissure}/mean", surface.mean[None])
            arrays |= _packed(f"{fissure}/modes", surface.modes)
            arrays[f"{fissure}/prediction"] = _rounded(surface.prediction)
            arrays[f"{fissure}/covariance"] = _rounded(surface.covariance)
    with path.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def load_prior(path: Path) -> Prior:
    """Read a prior that `save_prior` wrote.

    Raises
    ------
    OptionError
        If the file is missing or is no prior.
    """
    try:
        with path.open("rb") as stream:
            return _read(stream)
    except (OSError, ValueError, KeyError) as error:
        msg = f"{path} is not a fissure prior ({type(error).__name__})"
        raise OptionError(msg, hint="Make one with `qct train-prior`.") from error


@cache
def default_prior() -> Prior:
    """Return the learned prior that ships with the package."""
    with files("qct.segment").joinpath("data/fissure_prior.npz").open("rb") as stream:
        return _read(stream)


def _read(stream: BinaryIO | Any) -> Prior:
    with np.load(stream, allow_pickle=False) as arrays:
        metadata = json.loads(arrays["metadata"].tobytes())
        if metadata.get("format") != FORMAT:
            raise ValueError("unknown format")
        sides = {side: _read_side(arrays, side) for side in FISSURES_OF}
    return Prior(sides, metadata)


def _read_side(arrays: Mapping[str, npt.NDArray[Any]], side: Side) -> SidePrior:
    surfaces = {
        fissure: SurfacePrior(
            mean=_unpacked(arrays, f"{fissure}/mean")[0],
            modes=_unpacked(arrays, f"{fissure}/modes"),
            prediction=arrays[f"{fissure}/prediction"].astype(np.float64),
            covariance=arrays[f"{fissure}/covariance"].astype(np.float64),
        )
        for fissure in FISSURES_OF[side]
    }
    size_mean, size_sd = arrays[f"{side}/sizes"].astype(np.float64)
    return SidePrior(
        shape_mean=_unpacked(arrays, f"{side}/shape_mean")[0],
        shape_modes=_unpacked(arrays, f"{side}/shape_modes"),
        size_mean=size_mean,
        size_sd=size_sd,
        surfaces=surfaces,
    )


def _as_bytes(metadata: Mapping[str, Any]) -> npt.NDArray[np.uint8]:
    text = json.dumps(dict(metadata), indent=1, sort_keys=True, ensure_ascii=False)
    return np.frombuffer(text.encode(), np.uint8)


def _packed(name: str, fields: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[Any]]:
    largest = np.abs(fields).max(axis=(1, 2, 3), initial=0.0).astype(np.float64)
    scale = np.where(largest > 0, largest, 1.0) / 127
    whole = np.rint(fields / scale[:, None, None, None]).astype(np.int8)
    return {name: whole, f"{name}_scale": _rounded(scale)}


def _unpacked(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> npt.NDArray[np.float32]:
    scale = arrays[f"{name}_scale"][:, None, None, None]
    fields: npt.NDArray[np.float32] = (arrays[name] * scale).astype(np.float32)
    return fields


def _rounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Keep four digits, so that the last bits of a machine's linear algebra do not reach the file."""
    with np.errstate(divide="ignore"):
        exponent = np.floor(np.log10(np.abs(values)))
    digit = 10.0 ** np.where(np.isfinite(exponent), exponent - 3, 0)
    rounded: npt.NDArray[np.float64] = np.rint(values / digit) * digit
    return rounded.astype(np.float32)
