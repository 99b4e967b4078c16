"""The airway tree: a front walks down from the trachea, branch by branch, and draws back where it leaks.

After van Ginneken B, Baggerman W, van Rikxoort EM. Robust segmentation and anatomical labeling of the airway
tree from thoracic CT scans. MICCAI 2008; LNCS 5241:219-226: every branch grows by the most liberal rule that
does not make its front larger than a tube allows. Their rule is a threshold; here it is how deep a voxel lies
below what surrounds it: most rays from it have to meet a wall that is brighter by some depth. In lung, however
dark, the rays find no wall, and where inflamed lung looks like one the front falls apart at once.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from qct.boxes import Box
from qct.findings import AirwayBranch, AirwayTree
from qct.kernels.draw import mark_capsules
from qct.kernels.histogram import count_labels
from qct.kernels.wavefront import ENDED, FREE, LEAKED, SPLIT, TAKEN, smooth_slices, walk_branch
from qct.regions import Label
from qct.segment.airway_names import Sketch, name_branches
from qct.segment.morphology import Spacing, box_around
from qct.volume import Volume

Voxels = npt.NDArray[np.int64]

ABOVE_LUNGS_MM = 15.0
"""How far above the lungs the tree begins."""

APEX_SHARE = 0.02
"""The lungs begin where a slice holds this share of what the fullest slice holds."""

TRACHEA_MM2 = (40.0, 900.0)
"""Lumen of a trachea on a slice, children to tracheomegaly."""

TRACHEA_BELOW_HU = -800
"""Air of the trachea that the tree begins with."""

LUMEN_BELOW_HU = -600
"""Air brighter than this is never lumen."""

DEPTHS_HU = (95, 110, 130, 150, 175, 200, 240, 300, 360, 420)
"""Depths below the wall that a branch is tried with, the most liberal first."""

NOISE_FACTOR = 6.0
"""The depth is at least so many standard deviations of the noise (of the smoothed slices)."""

WIDE_DEPTH_HU = (90.0, 110.0, 360.0)
"""Least depth of a lumen of 2 mm radius, what every further mm adds, and the most: thick walls are bright."""

WALLED_SHARE = 0.72
"""Share of the rays from a voxel that have to meet the wall; the others look along the tube."""

N_RAYS = 42

REACH = (1.5, 2.0)
"""A ray reaches so many radii of the branch before, and so many mm, to the far side of a lumen and its wall."""

NEAR_MM = 4.0
"""A narrow lumen has its wall so close by."""

NARROW_MM2 = 16.0
"""Where a wider branch ends, what goes on from there is looked for as a branch of half the area."""

GROWTH = 1.9
"""A layer of so many times the area that a branch may have counts as leaked."""

CARINA_GROWTH = 2.6
"""The same of the trachea: it has no lung around it to leak into, and its front swells before a wide carina."""

SPARE_MM2 = 5.0
"""And so much more, because small fronts are counted in few voxels."""

CHILD_SHARE = 1.6
"""How much larger a branch may be than the part of the front that it begins with."""

MOST_PARTS = 3
"""A front that falls into more parts at once is no airway."""

BLUR_MM = 0.8
"""Standard deviation of the blur of scanner and smoothing, about: what it leaves of the air in a lumen."""

BRIGHT_HU = (120.0, 650.0)
"""How much brighter than tracheal air the darkest voxels of a branch may be, and what blur may add to that."""

SHORT_MM = 4.5
"""A narrow branch that divides again sooner is a leak."""

NARROW_MM = 3.0
"""Radius below which that is asked."""

SHORTEST_END_MM = 4.0
"""An end that is shorter, or shorter than the branch before is wide, is a bulge of that branch."""

LONGEST_WALK = 400
"""Layers; no branch is longer."""

MOST_WALKS = 5000
"""Branches, false ones too; a scan that asks for more shows no airway tree."""

EDGE_VOXELS = 0.8
"""The front leaves out so much of the lumen's rim, which partial volume brightens."""

WALL_MM = (0.5, 0.2, 1.5)
"""Wall that is taken out of the lung with a lumen: at radius 0, what every mm of radius adds, and the most."""


@dataclass
class _Walk:
    """One branch while the tree grows."""

    parent: int
    seeds: Voxels
    limit_mm2: float
    voxels: Voxels = field(default_factory=lambda: np.zeros(0, np.int64))
    layer: Voxels = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def n_layers(self) -> int:
        return int(self.layer[-1]) + 1 if self.layer.size else 0


@dataclass(frozen=True)
class _Reached:
    """What one walk with one depth came to."""

    voxels: Voxels
    layer: Voxels
    part: Voxels
    outcome: int

    @property
    def n_layers(self) -> int:
        return int(self.layer[-1]) + 1 if self.layer.size else 0


class _Tracker:
    """Grows the tree in one box of the scan."""

    def __init__(
        self, hu: npt.NDArray[np.int16], state: npt.NDArray[np.uint8], spacing_mm: Spacing
    ):
        self.hu, self.state = hu, state
        self.spacing_mm = np.array(spacing_mm)
        self.step_mm = (round(10 * float(np.linalg.norm(spacing_mm))) + 1) / 10
        self.voxel_mm2 = float(np.prod(spacing_mm)) / self.step_mm
        self.rim_mm = EDGE_VOXELS * float(np.sqrt(spacing_mm[1] * spacing_mm[2]))
        self.least_depth_hu = 0.0
        self.air_hu = -1000.0
        self._rays: dict[float, npt.NDArray[np.int64]] = {}

    def grow(self, seeds: Voxels, area_mm2: float) -> list[_Walk]:
        """Follow everything that can be reached from the seeds; parents come before their children."""
        walks = [_Walk(-1, seeds, area_mm2)]
        queue = deque([0])
        while queue and len(walks) < MOST_WALKS:
            index = queue.popleft()
            for child in self._walk(walks[index], index):
                queue.append(len(walks))
                walks.append(child)
        return walks

    def _walk(self, walk: _Walk, index: int) -> list[_Walk]:
        """Follow one branch; return those that it divides into."""
        growth = CARINA_GROWTH if walk.parent < 0 else GROWTH
        reached = self._best(walk.seeds, walk.limit_mm2, growth)
        walk.voxels, walk.layer = reached.voxels, reached.layer
        self.state.reshape(-1)[walk.voxels] = TAKEN
        self._seal(walk.voxels[walk.layer < walk.n_layers - 1])
        if reached.outcome == ENDED and walk.n_layers and walk.limit_mm2 > NARROW_MM2:
            return [_Walk(index, walk.voxels[walk.layer >= walk.n_layers - 2], walk.limit_mm2 / 2)]
        if reached.outcome != SPLIT:
            return []
        limit = walk.limit_mm2
        if walk.n_layers > 3:
            limit = min(limit, float(np.median(np.bincount(walk.layer)[:-1])) * self.voxel_mm2)
        parts = [walk.voxels[reached.part == n] for n in range(1, int(reached.part.max()) + 1)]
        return [
            _Walk(
                index,
                part,
                min(limit, CHILD_SHARE * part.size * self.voxel_mm2 + SPARE_MM2),
            )
            for part in parts
        ]

    def _seal(self, voxels: Voxels) -> None:
        """Take the rim of a lumen too, which was too bright to enter: a child must not flow back along it."""
        _, ny, nx = self.hu.shape
        steps = np.arange(-1, 2)
        around = (steps[:, None, None] * ny + steps[:, None]) * nx + steps
        rim = np.clip(voxels[:, None] + around.reshape(-1), 0, self.hu.size - 1)
        self.state.reshape(-1)[rim] = TAKEN

    def _best(self, seeds: Voxels, limit_mm2: float, growth: float) -> _Reached:
        """Walk with the most liberal depth that does not leak; the farthest of the leaking ones otherwise."""
        radius = float(np.sqrt(limit_mm2 / np.pi))
        rays = self._rays_of(REACH[0] * radius + REACH[1])
        most = (growth * limit_mm2 + SPARE_MM2) / self.voxel_mm2
        at_2mm, per_mm, deepest = WIDE_DEPTH_HU
        wide = min(at_2mm + per_mm * (radius - 2), deepest)
        depths = [depth for depth in DEPTHS_HU if depth >= self.least_depth_hu]
        best = None
        for depth in depths or DEPTHS_HU[-1:]:
            reached = self._try(seeds, limit_mm2, most, rays, (depth, max(depth, wide)))
            short = radius < NARROW_MM and reached.n_layers * self.step_mm < SHORT_MM
            leaked = reached.outcome == LEAKED or (reached.outcome == SPLIT and short)
            if not leaked and self._holds_air(reached):
                return reached
            if best is None or reached.n_layers > best.n_layers:
                best = _Reached(reached.voxels, reached.layer, reached.part, LEAKED)
        assert best is not None
        return best if self._holds_air(best) else _Reached(*(best.voxels[:0],) * 3, LEAKED)

    def _holds_air(self, reached: _Reached) -> bool:
        """Tell whether the middle of a branch is as dark as a lumen of its size has to be."""
        if not reached.n_layers:
            return True
        first = np.flatnonzero(np.diff(reached.layer, prepend=-1))
        darkest = np.minimum.reduceat(self.hu.reshape(-1)[reached.voxels], first)
        radius = float(np.median(self.radius_mm(np.bincount(reached.layer))))
        taken = float(np.exp(-(radius**2) / (2 * BLUR_MM**2)))
        return float(np.median(darkest)) <= self.air_hu + BRIGHT_HU[0] + BRIGHT_HU[1] * taken

    def radius_mm(self, n_voxels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Radius of the lumen whose layer has so many voxels."""
        return np.asarray(np.sqrt(n_voxels * self.voxel_mm2 / np.pi) + self.rim_mm)

    def _try(
        self,
        seeds: Voxels,
        limit_mm2: float,
        most: float,
        rays: npt.NDArray[np.int64],
        depths_hu: tuple[float, float],
    ) -> _Reached:
        """Walk once, `most` voxels to a layer; the depths are those of walls close by, and along whole rays."""
        walls = (depths_hu[1], WALLED_SHARE * N_RAYS)
        near = (depths_hu[0], np.ceil(NEAR_MM / min(self.spacing_mm)))
        rules = np.array(
            [LUMEN_BELOW_HU, *walls, most, MOST_PARTS, LONGEST_WALK, *near], np.float64
        )
        voxels, layer, part, outcome = walk_branch(
            self.hu, self.state, seeds, self.spacing_mm, rays, rules
        )
        self.state.reshape(-1)[voxels] = FREE
        if outcome == LEAKED:
            sound = layer < self._sound_layers(layer, limit_mm2)
            voxels, layer, part = voxels[sound], layer[sound], part[sound]
        return _Reached(voxels, layer, part, outcome)

    def _sound_layers(self, layer: Voxels, limit_mm2: float) -> int:
        """Layers before the front began to swell."""
        areas = np.bincount(layer) * self.voxel_mm2
        over = np.flatnonzero(areas > 1.2 * limit_mm2 + 0.5 * SPARE_MM2)
        return int(over[0]) if over.size else max(areas.size - 2, 0)

    def _rays_of(self, reach_mm: float) -> npt.NDArray[np.int64]:
        """Rays of one of few lengths, so that they are made once."""
        reach = float(np.ceil(reach_mm) if reach_mm < 4 else 2 * np.ceil(reach_mm / 2))
        if reach not in self._rays:
            self._rays[reach] = ray_offsets(reach, tuple(self.spacing_mm))
        return self._rays[reach]


def ray_offsets(reach_mm: float, spacing_mm: Spacing) -> npt.NDArray[np.int64]:
    """Return voxel offsets along `N_RAYS` rays spread evenly over the sphere, (D, S, 3)."""
    n = np.arange(N_RAYS) + 0.5
    up = 1 - 2 * n / N_RAYS
    turn = np.pi * (3 - np.sqrt(5)) * n
    flat = np.sqrt(1 - up * up)
    directions = np.column_stack([up, flat * np.sin(turn), flat * np.cos(turn)])
    step = min(spacing_mm)
    along = np.arange(1, int(np.ceil(reach_mm / step)) + 1) * step
    offsets = np.rint(directions[:, None] * along[:, None] / np.array(spacing_mm))
    return np.asarray(offsets, np.int64)


# --- the tree -----------------------------------------------------------------------------------


def follow_airways(
    volume: Volume, labels: npt.NDArray[np.uint8]
) -> tuple[AirwayTree, npt.NDArray[np.uint8]] | None:
    """Follow the bronchi as far as the scan shows them, and take them out of the lungs.

    Parameters
    ----------
    volume : Volume
    labels : (Z, Y, X) uint8
        Lungs, and the trachea as `Label.AIRWAY`.

    Returns
    -------
    tree : AirwayTree
    labels : (Z, Y, X) uint8
        With `Label.AIRWAY` at the lumen and wall of every branch that was followed.
    None
        Where no slice shows a trachea to begin with, or nothing can be followed from it.
    """
    start = _trachea(volume, labels)
    if start is None:
        return None
    box = box_around(labels, 5.0, volume.spacing_mm)
    z, lumen = start[0] - box[0].start, start[1][box[1:]]
    smooth = smooth_slices(volume.hu[box])
    state = np.zeros(smooth.shape, np.uint8)  # FREE
    state[z:] = TAKEN
    tracker = _Tracker(smooth, state, volume.spacing_mm)
    tracker.least_depth_hu = NOISE_FACTOR * _noise_hu(smooth[z][lumen])
    tracker.air_hu = float(np.median(smooth[z][lumen]))
    _, dy, dx = volume.spacing_mm
    walks = tracker.grow(np.flatnonzero(lumen) + z * lumen.size, float(lumen.sum()) * dy * dx)
    sketches = _tidied(walks, tracker)
    if len(sketches[0].line) < 2:
        return None
    tree = _tree(sketches, volume, box)
    return tree, _with_airways(labels, sketches, volume, box, walks)


def _trachea(
    volume: Volume, labels: npt.NDArray[np.uint8]
) -> tuple[int, npt.NDArray[np.bool_]] | None:
    """Return the slice that the tree begins on, and the lumen there."""
    counts = count_labels(labels.reshape(len(labels), -1))
    lung = counts[1:].sum(axis=0) - counts[Label.AIRWAY]
    if not lung.any():
        return None
    apex = int(np.flatnonzero(lung > APEX_SHARE * lung.max())[-1])
    dz, dy, dx = volume.spacing_mm
    top = min(apex + int(ABOVE_LUNGS_MM / dz), labels.shape[0] - 1)
    for z in range(top, 0, -1):
        parts, n_parts = ndimage.label(
            (labels[z] == Label.AIRWAY) & (volume.hu[z] < TRACHEA_BELOW_HU)
        )
        sizes = np.bincount(parts.ravel(), minlength=2)[1:]
        if n_parts and TRACHEA_MM2[0] < sizes.max() * dy * dx < TRACHEA_MM2[1]:
            return z, parts == 1 + int(np.argmax(sizes))
    return None


def _noise_hu(air: npt.NDArray[np.int16]) -> float:
    """Return the noise in the darker half, which partial volume does not reach."""
    return float(np.subtract(*np.percentile(air, [50, 10]))) / 1.2816


def _tidied(walks: list[_Walk], tracker: _Tracker) -> list[Sketch]:
    """Drop short ends, join what then no longer divides, and draw the centre lines."""
    layers = [_layers(walk, tracker) for walk in walks]
    children: list[list[int]] = [[] for _ in walks]
    dropped = set()
    for index in range(len(walks) - 1, -1, -1):  # children before their parents
        alive = [child for child in children[index] if child not in dropped]
        children[index] = alive
        if len(alive) == 1:
            layers[index] = np.concatenate([layers[index], layers[alive[0]]])
            children[index] = children[alive[0]]
            dropped.add(alive[0])
        parent = walks[index].parent
        if parent < 0:
            continue
        wide = float(np.sqrt(walks[parent].limit_mm2 / np.pi))
        length = len(layers[index]) * tracker.step_mm
        if not children[index] and length < max(SHORTEST_END_MM, wide):
            dropped.add(index)
        else:
            children[parent].insert(0, index)
    return _sketches(layers, children)


def _layers(walk: _Walk, tracker: _Tracker) -> npt.NDArray[np.float64]:
    """Return the middle (z, y, x; mm in the box) and the radius of every layer, (N, 4)."""
    if not walk.n_layers:
        return np.zeros((0, 4))
    counts = np.bincount(walk.layer)
    at = np.unravel_index(walk.voxels, tracker.hu.shape)
    middle = [
        np.bincount(walk.layer, weights=axis) / counts * step_mm
        for axis, step_mm in zip(at, tracker.spacing_mm, strict=True)
    ]
    return np.column_stack([*middle, tracker.radius_mm(counts)])


def _sketches(layers: list[npt.NDArray[np.float64]], children: list[list[int]]) -> list[Sketch]:
    """Put the branches in order, parents first, with smooth lines that begin where the parent ends."""
    sketches: list[Sketch] = []
    queue = deque([(0, -1)])
    while queue:
        index, parent = queue.popleft()
        line = layers[index]
        if children[index]:
            line = _before_division(line)
        if parent >= 0:
            line = np.concatenate([sketches[parent].line[-1:], line])
            line[0, 3] = line[1, 3]
        sketches.append(Sketch(parent, smoothed(line)))
        queue.extend((child, len(sketches) - 1) for child in children[index])
    return sketches


def _before_division(line: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """End a line where its tube begins to divide: the front falls apart about a radius later, at the spur."""
    ahead = np.linalg.norm(line[:, :3] - line[-1, :3], axis=1)
    return line[: max(2, int(np.count_nonzero(ahead > line[:, 3])))]


def smoothed(line: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Smooth a line twice by (1, 2, 1)/4; its ends stay."""
    line = line.copy()
    for _ in range(2):
        line[1:-1] = (line[:-2] + 2 * line[1:-1] + line[2:]) / 4
    return line


def _tree(sketches: list[Sketch], volume: Volume, box: Box) -> AirwayTree:
    """Put the lines into patient space and give the branches their names."""
    names = name_branches(sketches)
    corner = np.array([side.start for side in box])
    spacing = np.array(volume.spacing_mm)
    branches: list[AirwayBranch] = []
    for sketch, (name, lobe) in zip(sketches, names, strict=True):
        index = sketch.line[:, :3] / spacing + corner
        generation = branches[sketch.parent].generation + 1 if sketch.parent >= 0 else 0
        branches.append(
            AirwayBranch(
                parent=sketch.parent,
                generation=generation,
                name=name,
                lobe=lobe,
                line_mm=index @ volume.axes_mm + volume.origin_mm,
                radius_mm=sketch.line[:, 3].copy(),
            )
        )
    return AirwayTree(branches=tuple(branches))


def _with_airways(
    labels: npt.NDArray[np.uint8],
    sketches: list[Sketch],
    volume: Volume,
    box: Box,
    walks: list[_Walk],
) -> npt.NDArray[np.uint8]:
    """Mark lumen and wall."""
    marks = np.zeros(labels[box].shape, np.uint8)  # 0 and 1
    for sketch in sketches:
        line = sketch.line
        outer = line[:, 3] + np.minimum(WALL_MM[0] + WALL_MM[1] * line[:, 3], WALL_MM[2])
        segments = np.column_stack([line[:-1, :3], line[1:, :3], outer[:-1], outer[1:]])
        numbers = np.ones(len(segments), np.uint8)
        mark_capsules(marks, segments, numbers, np.array(volume.spacing_mm))
    marks.reshape(-1)[np.concatenate([walk.voxels for walk in walks])] = 1
    marked = labels.copy()
    np.copyto(marked[box], np.uint8(Label.AIRWAY), where=marks.view(np.bool_))
    return marked
