"""The inner face of the rib cage and the border of the mediastinum, along rays from the middle of the chest.

A map of rays has one row per slice and one column per direction, from the front over the patient's left, the
back and the right. On it a rib is a slanting stripe, the gaps between ribs are narrow, and a smooth face is
found by closing them. Where lung should lie and does not, the map has a dent, and the dent has a depth.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from qct.kernels.rays import march_rays, paint_rays
from qct.segment.body import Blocks
from qct.segment.morphology import Mask
from qct.segment.sides import LEFT, RIGHT

N_RAYS = 720
"""Rays per slice: neighbours are 2 mm apart at the widest chest."""

STEP_MM = 1.4
"""Step along a ray."""

LONGEST_MM = 280.0
"""Length of a ray: half the widest chest, and some."""

BONE_ABOVE_HU = 110
"""Ribs and their cartilage, averaged over a coarse block; enhanced vessels lie inside the lungs' outer face."""

RIB_PITCH_MM = 45.0
"""Less than this from one rib to the next, along the body."""

RIB_PITCH_RAYS = 31
"""The same around the front of the chest, where ribs run steeply: 15 degrees."""

FEW_RAYS = 11
"""Rays that are looked at together where the look goes along the body: 5 degrees."""

CALM_MM = 15.0
"""Unevenness of the ribs that is smoothed, along the body."""

NEAR_MM = 5.0
"""Bone this close to the smooth face is the rib that it rests on."""

RIB_SHARE = 0.25
"""Where fewer of the rays around meet a rib at the face, it is cartilage, or shoulder: no face is told."""

PLEURA_MM = 3.0
"""From the face of the ribs to the pleura: fascia, fat and the innermost muscles."""

BULGE_MM = 60.0
"""What dents the inner border of a lung over less than this, both ways, is not heart, aorta or arch."""

BULGE_RAYS = 121
"""The same around the middle, where the border is about 60 mm away."""


DENT_MM = 5.0
"""A dent in the outer face of aerated lung is deeper; a rib that bulges into it is not."""


FLANK_DEG = (60.0, 150.0)
"""Directions in which a lung reaches down to its base along the ribs."""

AT_RIBS_MM = 25.0
"""Aerated lung that ends so near to the ribs lies along them."""


@dataclass(frozen=True)
class ChestWall:
    """The space of each lung along rays.

    Attributes
    ----------
    first, last : (K, A) int16
        Steps at which a ray meets aerated lung of its own side first and last.
    mediastinum : (K, A) int16
        Step at which the space of the lung begins: `first` where nothing narrow dents it.
    pleura : (K, A) int16
        Step at which the chest wall begins; -1 where no ribs tell.
    dented : (K, A) bool
        Whether aerated lung ends deeper than around.
    centres : (K, 2) float64
        Start of the rays, (y, x) in blocks.
    directions : (A, 2) float64
        One step of each ray, (y, x) in blocks.
    own : (A,) uint8
        `RIGHT` or `LEFT`.
    """

    first: npt.NDArray[np.int16]
    last: npt.NDArray[np.int16]
    mediastinum: npt.NDArray[np.int16]
    pleura: npt.NDArray[np.int16]
    dented: npt.NDArray[np.bool_]
    centres: npt.NDArray[np.float64]
    directions: npt.NDArray[np.float64]
    own: npt.NDArray[np.uint8]

    @property
    def from_front_deg(self) -> npt.NDArray[np.float64]:
        """(A,) angle between each ray and straight ahead, 0 to 180 degrees."""
        turn = (np.arange(N_RAYS) + 0.5) * 360 / N_RAYS
        return np.asarray(np.minimum(turn, 360 - turn))

    def base(self, side: int) -> float | None:
        """Slice at which aerated lung along the ribs of the back and the flank begins; the median of the rays.

        None where no ray sees lung at the ribs.
        """
        turn = self.from_front_deg
        seen = (self.own == side) & (turn > FLANK_DEG[0]) & (turn < FLANK_DEG[1])
        at_ribs = (self.last >= 0) & ((self.pleura - self.last) * STEP_MM < AT_RIBS_MM)
        at_ribs = (at_ribs & (self.pleura >= 0))[:, seen]
        there = at_ribs.any(axis=0)
        return float(np.median(at_ribs.argmax(axis=0)[there])) if there.any() else None

    def between(
        self, inner: npt.NDArray[np.int16], outer: npt.NDArray[np.int16], shape: tuple[int, ...]
    ) -> Mask:
        """Blocks between two depths, of all rays."""
        mask = np.zeros(shape, bool)
        paint_rays(mask, inner, outer, self.centres, self.directions)
        return mask


def find_chest_wall(blocks: Blocks, sides: npt.NDArray[np.uint8], middle: float) -> ChestWall:
    """Find the faces between which the lungs lie.

    Parameters
    ----------
    blocks : Blocks
        About 3 mm: ribs are averaged with their marrow, noise is calmed.
    sides : (K, J, I) uint8
        Aerated lungs, `RIGHT` and `LEFT`.
    middle : float
        Index along x that the lungs lie to either side of.
    """
    turn = (np.arange(N_RAYS) + 0.5) * (2 * np.pi / N_RAYS)
    _, sy, sx = blocks.spacing_mm
    directions = STEP_MM * np.column_stack([-np.cos(turn) / sy, np.sin(turn) / sx])
    own = np.where(directions[:, 1] > 0, LEFT, RIGHT).astype(np.uint8)
    centres = _centres(sides, middle)
    n_steps = int(LONGEST_MM / STEP_MM)
    bone = (blocks.hu > BONE_ABOVE_HU).astype(np.uint8)
    first, last, wall = march_rays(sides, bone, centres, directions, own, n_steps)
    face = _rib_face(wall, blocks.spacing_mm[0], n_steps)
    _keep_out_of_shoulders(face, sides, blocks.spacing_mm[0], n_steps)
    pleura = np.where(face < n_steps, face - round(PLEURA_MM / STEP_MM), -1).astype(np.int16)
    border = _smoothed(first, ndimage.grey_opening, blocks.spacing_mm[0])
    outer = _closed(last, blocks.spacing_mm[0])
    dented = (outer - last) * STEP_MM >= DENT_MM
    return ChestWall(first, last, border, pleura, dented, centres, directions, own)


def _centres(sides: npt.NDArray[np.uint8], middle: float) -> npt.NDArray[np.float64]:
    """Return the middle of each slice, (y, x): halfway from front to back of the lungs, on a straight line."""
    rows = np.arange(sides.shape[1])
    across = np.logical_or.reduce(sides > 0, axis=2)
    hit = np.flatnonzero(across.any(axis=1))
    ends = [rows[across[z]][[0, -1]].mean() for z in hit]
    slope, start = np.polyfit(hit, ends, 1) if hit.size > 1 else (0.0, float(np.mean(ends)))
    z = np.arange(sides.shape[0])
    return np.column_stack([slope * z + start, np.full(z.size, middle)])


def _rib_face(wall: npt.NDArray[np.int16], slice_mm: float, nothing: int) -> npt.NDArray[np.int16]:
    """Bridge the gaps between ribs: an opening takes away what lies further out and is narrow."""
    along, around = (_odd(RIB_PITCH_MM / slice_mm), FEW_RAYS), (3, RIB_PITCH_RAYS)
    bridged = ndimage.grey_opening(wall, along, mode="nearest")
    steep = ndimage.grey_opening(wall, around, mode="nearest")
    front = np.abs(np.arange(N_RAYS) + 0.5 - N_RAYS / 2) > N_RAYS / 4
    bridged[:, front] = np.minimum(bridged, steep)[:, front]
    face = ndimage.median_filter(bridged, (_odd(CALM_MM / slice_mm), 15))
    hits = np.abs(wall - face) * STEP_MM < NEAR_MM
    rests = ndimage.uniform_filter(hits.astype(np.float32), along, mode="nearest") > RIB_SHARE
    return np.where(rests, face, nothing).astype(np.int16)


def _keep_out_of_shoulders(
    face: npt.NDArray[np.int16], sides: npt.NDArray[np.uint8], slice_mm: float, nothing: int
) -> None:
    """Let the cage only narrow from half the height of the lungs up, in place.

    Beside the apices rays pass between the ribs and meet shoulder blade, collar bone and arm, further out.
    """
    rows = np.flatnonzero(sides.any(axis=(1, 2)))
    half = int(rows[0] + rows[-1]) // 2
    upper = face[half:]
    calm = ndimage.median_filter(upper, (_odd(RIB_PITCH_MM / slice_mm), 1), mode="nearest")
    widest = np.minimum.accumulate(calm, axis=0) + np.int16(NEAR_MM / STEP_MM)
    upper[(upper > widest) & (upper < nothing)] = nothing


def _smoothed(
    depth: npt.NDArray[np.int16], smooth: Callable[..., Any], slice_mm: float
) -> npt.NDArray[np.int16]:
    """Smooth depths along the body and around it, each side by itself, and take the deeper.

    So an opening takes away what is narrow both ways, and leaves aorta and arch, which are long in one; a
    closing fills what is narrow in one way.
    """
    smoothed = np.empty_like(depth)
    half = N_RAYS // 2
    for side in (slice(0, half), slice(half, None)):
        along = smooth(depth[:, side], (_odd(BULGE_MM / slice_mm), 1), mode="nearest")
        around = smooth(depth[:, side], (1, BULGE_RAYS), mode="nearest")
        smoothed[:, side] = np.maximum(along, around)
    return smoothed


def _closed(last: npt.NDArray[np.int16], slice_mm: float) -> npt.NDArray[np.int16]:
    """Close the outer face of aerated lung over narrow dents; beyond the image there is no lung."""
    room = _odd(BULGE_MM / slice_mm)
    padded = np.pad(last, ((room, room), (0, 0)), constant_values=-1)
    return _smoothed(padded, ndimage.grey_closing, slice_mm)[room:-room]


def _odd(size: float) -> int:
    return max(3, 2 * round((size - 1) / 2) + 1)
