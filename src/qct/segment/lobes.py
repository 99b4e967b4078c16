"""Divide each lung into its lobes along fitted fissure surfaces.

No network: a statistical model of the fissures (`qct.segment.prior`) is fitted to thin bright sheets in the
image (`qct.segment.fissures`). Where no fissure is seen the border is a population average, and says so. The
idea of fitting a shape model to sheet points is that of Ross et al. 2010; the fit here is linear least squares,
so it takes about a second per lung.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.boxes import Box
from qct.findings import FissureFit, Progress, no_progress
from qct.flags import Flag
from qct.kernels.compiled import side_by_side
from qct.kernels.fields import divide_by_fields
from qct.kernels.histogram import count_labels
from qct.regions import DENSE, N_LABELS, UPPER_AND_MIDDLE, Fissure, Label, Side
from qct.segment.borders import FittedBorder, LungImage, fit_borders, volume_errors_ml
from qct.segment.fissures import (
    BOX_STEP_MM,
    THICKEST_MM,
    Evidence,
    LungBox,
    cut_lung_box,
    find_evidence,
)
from qct.segment.lung_frame import LungFrame, describe_shape
from qct.segment.morphology import bounding_box, placed, widened, within
from qct.segment.parts import Parts
from qct.segment.prior import FISSURES_OF, Prior, SidePrior, default_prior, size_features
from qct.segment.surfaces import LATTICE_STEP_MM, Surface
from qct.segment.trust import FLAGS_OF_SUPPORT
from qct.segment.upright import stand_upright
from qct.volume import Volume

METHOD = "fissure surfaces 5"
"""Name and version of this way to find the lobes; raised when results change."""

LEAST_LUNG_ML = 100.0
"""A smaller lung is left undivided: the models know no such lung."""

LEAST_LOBE_SHARE = 0.02
"""A lobe smaller than this share of its lung means that the fit went astray; the prior is used instead."""

UNDIVIDED = {Side.RIGHT: Label.RIGHT_LUNG, Side.LEFT: Label.LEFT_LUNG}

LOBES_BY_CASE = {
    Side.RIGHT: (Label.RIGHT_LOWER_LOBE, Label.RIGHT_MIDDLE_LOBE, Label.RIGHT_UPPER_LOBE),
    Side.LEFT: (Label.LEFT_LOWER_LOBE, Label.LEFT_LOWER_LOBE, Label.LEFT_UPPER_LOBE),
}
"""The lobe below the oblique fissure; above it and below the horizontal one; above all."""

LOBE_KEYS = {
    Label.LEFT_UPPER_LOBE: "left_upper_lobe",
    Label.LEFT_LOWER_LOBE: "left_lower_lobe",
    Label.RIGHT_UPPER_LOBE: "right_upper_lobe",
    Label.RIGHT_MIDDLE_LOBE: "right_middle_lobe",
    Label.RIGHT_LOWER_LOBE: "right_lower_lobe",
}

LOBES_AT = {
    Fissure.LEFT_OBLIQUE: (Label.LEFT_UPPER_LOBE, Label.LEFT_LOWER_LOBE),
    Fissure.RIGHT_OBLIQUE: (
        Label.RIGHT_UPPER_LOBE,
        Label.RIGHT_MIDDLE_LOBE,
        Label.RIGHT_LOWER_LOBE,
    ),
    Fissure.RIGHT_HORIZONTAL: (Label.RIGHT_UPPER_LOBE, Label.RIGHT_MIDDLE_LOBE),
}
"""Lobes that a fissure borders."""

USUAL_SHARE = {
    Label.LEFT_UPPER_LOBE: (0.255, 0.046),
    Label.LEFT_LOWER_LOBE: (0.199, 0.046),
    Label.RIGHT_UPPER_LOBE: (0.220, 0.044),
    Label.RIGHT_MIDDLE_LOBE: (0.093, 0.025),
    Label.RIGHT_LOWER_LOBE: (0.232, 0.050),
}
"""Mean and standard deviation of a lobe's share of both lungs, in 337 public label maps."""

UNUSUAL_SHARE_SD = 3.0
"""A share further than this from the mean, in standard deviations, is unusual."""


@dataclass(frozen=True, kw_only=True)
class Lobes:
    """Lobe labels on the native grid, and how far to trust them.

    Attributes
    ----------
    labels : (Z, Y, X) uint8
        `Label` numbers (plus `DENSE`); what was no lung is as it came.
    fissures : tuple of FissureFit
    region_flags : mapping
        Region key to doubts about that lobe.
    flags : frozenset of Flag
    method : mapping
    volume_errors_ml : mapping
        Region key to the standard deviation of that lobe's volume, and of the right upper and middle lobe
        together.
    """

    labels: npt.NDArray[np.uint8]
    fissures: tuple[FissureFit, ...] = ()
    region_flags: Mapping[str, frozenset[Flag]] = field(default_factory=dict)
    flags: frozenset[Flag] = frozenset()
    method: Mapping[str, Any] = field(default_factory=dict)
    volume_errors_ml: Mapping[str, float] = field(default_factory=dict)


def divide_lobes(
    volume: Volume,
    lungs: npt.NDArray[np.uint8],
    *,
    prior: Prior | None = None,
    progress: Progress = no_progress,
) -> Lobes:
    """Divide both lungs into lobes.

    Parameters
    ----------
    volume : Volume
    lungs : (Z, Y, X) uint8
        `Label.RIGHT_LUNG`, `Label.LEFT_LUNG` (plus `DENSE`) and `Label.AIRWAY` on the grid of `volume`. It is
        not changed.
    prior : Prior or None
        None takes the one that ships with the package.
    progress : Progress

    Returns
    -------
    lobes : Lobes
        A lung that is too small keeps its label, with `Flag.LOBES_UNDIVIDED`; an absent one gives no flag here.

    Raises
    ------
    ValueError
        If `lungs` is on another grid than `volume`.
    """
    volume.check_grid(lungs, "lungs")
    prior = default_prior() if prior is None else prior

    upright = stand_upright(volume, lungs)
    if upright is not None:
        lobes = divide_lobes(upright.volume, upright.labels, prior=prior, progress=progress)
        return replace(lobes, labels=upright.back(lobes.labels, lungs))

    labels = lungs.copy()
    found = _find_lungs(volume, lungs)
    divisible = {s: lung for s, lung in found.items() if lung.volume_ml >= LEAST_LUNG_ML}
    frames = {side: lung.frame for side, lung in divisible.items()}
    fits: list[FissureFit] = []
    errors_ml: dict[Label, float] = {}
    progress("finding the fissures", 0.0)
    divided = side_by_side(
        *(
            partial(_divide_lung, labels[lung.native], lung, prior.sides[side], frames)
            for side, lung in divisible.items()
        )
    )
    for lung, (lobes, borders, lung_errors_ml) in zip(divisible.values(), divided, strict=True):
        own = lobes != lungs[lung.native]  # the boxes of two lungs overlap
        np.copyto(labels[lung.native], lobes, where=own)
        fits += [border.fit for border in borders]
        errors_ml |= lung_errors_ml
    return Lobes(
        labels=labels,
        fissures=tuple(fits),
        region_flags=_region_flags(labels, fits, both=len(divisible) == 2),
        flags=frozenset() if len(divisible) == len(found) else frozenset({Flag.LOBES_UNDIVIDED}),
        method={"name": METHOD, "prior": dict(prior.metadata)},
        volume_errors_ml=_by_region(errors_ml),
    )


def _by_region(errors_ml: Mapping[Label, float]) -> dict[str, float]:
    """Name the lobes; upper and middle lobe together share but the lower lobe's border."""
    named = {LOBE_KEYS[lobe]: round(error, 1) for lobe, error in errors_ml.items()}
    if Label.RIGHT_LOWER_LOBE in errors_ml:
        named[UPPER_AND_MIDDLE.key] = named[LOBE_KEYS[Label.RIGHT_LOWER_LOBE]]
    return named


# --- one lung -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Lung:
    """One lung, on the native grid and at 1 mm."""

    side: Side
    native: tuple[slice, ...]
    spacing_mm: npt.NDArray[np.float64]
    volume_ml: float
    box: LungBox

    def image(self, evidence: Evidence | None) -> LungImage:
        """Return the lung with what it shows."""
        return LungImage(self.side, self.box, self.frame, evidence)

    @property
    def frame(self) -> LungFrame:
        first = self.box.origin_mm / BOX_STEP_MM
        return LungFrame.of(self.box.mask, (BOX_STEP_MM,) * 3, first)


def _find_lungs(volume: Volume, lungs: npt.NDArray[np.uint8]) -> dict[Side, _Lung]:
    """Cut out the lungs that are there, the right one first."""
    sizes, around = _sizes(lungs), bounding_box(lungs)
    there = [side for side in FISSURES_OF if sizes[UNDIVIDED[side]]]
    cut = side_by_side(
        *(
            partial(_cut_lung, volume, lungs[around], around, side, sizes[UNDIVIDED[side]])
            for side in there
        )
    )
    return dict(zip(there, cut, strict=True))


def _cut_lung(
    volume: Volume, labelled: npt.NDArray[np.uint8], around: Box, side: Side, n_voxels: int
) -> _Lung:
    """Cut a lung of so many voxels out of the box `around` all that is labelled."""
    mask = labelled & (DENSE - 1) == UNDIVIDED[side]
    inside = bounding_box(mask)
    native = placed(inside, around)
    return _Lung(
        side=side,
        native=native,
        spacing_mm=np.array(volume.spacing_mm),
        volume_ml=int(n_voxels) * volume.voxel_ml,
        box=cut_lung_box(volume, mask[inside], tuple(span.start for span in native)),
    )


def _divide_lung(
    part: npt.NDArray[np.uint8], lung: _Lung, model: SidePrior, frames: Mapping[Side, LungFrame]
) -> tuple[npt.NDArray[np.uint8], list[FittedBorder], dict[Label, float]]:
    """Return the labels of a lung's native box with its lobes; their borders; errors of their volumes, mL."""
    features = _describe(lung, model, frames)
    evidence = find_evidence(lung.box) if lung.spacing_mm.max() <= THICKEST_MM else None
    borders = fit_borders(lung.image(evidence), model, features)
    lobes = _apply(part, lung, [border.surface for border in borders])
    if _smallest_share(lobes, lung.side) < LEAST_LOBE_SHARE:
        borders = fit_borders(lung.image(None), model, features)
        lobes = _apply(part, lung, [border.surface for border in borders])
    _absorb_islands(lobes, lung.side)
    return lobes, borders, volume_errors_ml(borders, lung.box)


def _describe(
    lung: _Lung, model: SidePrior, frames: Mapping[Side, LungFrame]
) -> npt.NDArray[np.float64]:
    frame = frames[lung.side]
    first = lung.box.origin_mm / BOX_STEP_MM
    shape = describe_shape(lung.box.mask, frame, (BOX_STEP_MM,) * 3, first)
    sizes = size_features(frame, frames.get(Side.RIGHT), frames.get(Side.LEFT))
    return model.features(shape, sizes)


def _apply(
    part: npt.NDArray[np.uint8], lung: _Lung, surfaces: list[Surface]
) -> npt.NDArray[np.uint8]:
    """Return the labels of a lung's native box with its lobes."""
    lobes = part.copy()
    first = np.array([span.start for span in lung.native]) * lung.spacing_mm
    divide_by_fields(
        lobes,
        np.stack([surface.field_mm for surface in surfaces]),
        (first - surfaces[0].lattice.origin_mm) / LATTICE_STEP_MM,
        lung.spacing_mm / LATTICE_STEP_MM,
        _renumber(lung.side),
    )
    return lobes


def _renumber(side: Side) -> npt.NDArray[np.uint8]:
    table = np.repeat(np.arange(N_LABELS, dtype=np.uint8)[:, None], 3, axis=1)
    for dense in (0, DENSE):
        table[UNDIVIDED[side] + dense] = np.array(LOBES_BY_CASE[side]) + dense
    return table


def _smallest_share(lobes: npt.NDArray[np.uint8], side: Side) -> float:
    sizes = _sizes(lobes)[list(set(LOBES_BY_CASE[side]))]
    return float(sizes.min() / max(sizes.sum(), 1))


def _sizes(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Count the voxels of every region, airless ones too: (`DENSE`,)."""
    counts = count_labels(labels.reshape(len(labels), -1)).sum(axis=1)
    with_airless: npt.NDArray[np.int64] = counts[:DENSE] + counts[DENSE : 2 * DENSE]
    return with_airless


# --- topology -------------------------------------------------------------------------------------


def _absorb_islands(lobes: npt.NDArray[np.uint8], side: Side) -> None:
    """Give every piece of a lobe that is apart from its main piece to the lobe it touches most, in place.

    A piece that touches no other lobe (the lung itself is in pieces there) stays.
    """
    plain = lobes & np.uint8(DENSE - 1)
    plain *= np.any([plain == lobe for lobe in set(LOBES_BY_CASE[side])], axis=0)
    pieces = Parts.of(plain)
    main = {
        int(lobe): max(np.flatnonzero(pieces.values == lobe), key=lambda p: pieces.sizes[p])
        for lobe in set(pieces.values[1:].tolist())
    }
    for piece, lobe in enumerate(pieces.values.tolist()):
        if piece == 0 or main[lobe] == piece:
            continue
        own = pieces.box(piece)
        box = widened(own, 1.0, (1.0, 1.0, 1.0))
        inside = np.zeros(plain[box].shape, bool)
        inside[within(own, box)] = pieces.cut(piece)
        neighbour = _touched_most(plain[box], inside, lobe)
        if neighbour:
            dense = lobes[box][inside] & DENSE
            lobes[box][inside] = neighbour | dense
            plain[box][inside] = neighbour


def _touched_most(plain: npt.NDArray[np.uint8], inside: npt.NDArray[np.bool_], own: int) -> int:
    """Return the other lobe that shares most faces with a piece; 0 if there is none."""
    faces = np.zeros(N_LABELS, np.int64)
    for axis in range(3):
        here, there = np.moveaxis(inside, axis, 0), np.moveaxis(plain, axis, 0)
        for a, b in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
            faces += np.bincount(there[b][here[a] & ~here[b]].ravel(), minlength=N_LABELS)
    faces[[0, own]] = 0
    return int(faces.argmax()) if faces.any() else 0


# --- flags ----------------------------------------------------------------------------------------


def _region_flags(
    labels: npt.NDArray[np.uint8], fits: list[FissureFit], *, both: bool
) -> dict[str, frozenset[Flag]]:
    flags: dict[str, frozenset[Flag]] = {}
    for fit in fits:
        for lobe in LOBES_AT[fit.fissure]:
            key = LOBE_KEYS[lobe]
            flags[key] = flags.get(key, frozenset()) | FLAGS_OF_SUPPORT[fit.support]
    if both:
        for lobe in _unusual_lobes(labels):
            key = LOBE_KEYS[lobe]
            flags[key] = flags.get(key, frozenset()) | {Flag.LOBE_SIZE_UNUSUAL}
    return {key: value for key, value in flags.items() if value}


def _unusual_lobes(labels: npt.NDArray[np.uint8]) -> list[Label]:
    counts = _sizes(labels)
    sizes = {lobe: int(counts[lobe]) for lobe in USUAL_SHARE}
    total = sum(sizes.values())
    return [
        lobe
        for lobe, (mean, sd) in USUAL_SHARE.items()
        if abs(sizes[lobe] / total - mean) > UNUSUAL_SHARE_SD * sd
    ]
