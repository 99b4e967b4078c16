"""Airways, arteries and veins: branching trees that fill the lobes.

The bronchi beyond the lobar ones, and the veins, grow as in Tawhai MH, Hunter P et al. (J Appl Physiol
2004;97:2310-2321): each branch runs part of the way to the centroid of the points it has to reach, a plane
through the centroid divides the points between its two children. Radii follow Murray's law. Arteries keep
beside the bronchi.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qct.phantom.space import Grid, Point, Stream, stream
from qct.phantom.thorax import MAIN_BRONCHI, TRACHEA
from qct.regions import Label, Side

Array = npt.NDArray[np.float64]

REACH = 0.4
"""Share of the way to the centroid that one branch goes (Tawhai 2004)."""

MURRAY = 2.6
"""Exponent of the flow that a tube of a radius carries (Murray 3; measured in lungs 2.3 to 3)."""

POINTS_PER_LITRE = 1500
"""Points that a tree has to reach."""

SMALLEST_LUMEN_MM = 0.45
"""Radius below which a bronchus is not drawn: its wall is thinner than CT can show."""

SMALLEST_VESSEL_MM = 0.28
"""Radius below which a vessel is not drawn."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Branches of one kind.

    Attributes
    ----------
    segments : (K, 8) float64
        Start and end, (z, y, x) in reference mm each, then the radius at either end.
    generation : (K,) uint8
        Trachea 0, main bronchi 1, lobar bronchi 2 or 3.
    lobe : (K,) uint8
        `Label` of the lobe that is supplied; 0 for the common part.
    parent : (K,) int64
        Index of the branch it comes from; -1 for a root.
    """

    segments: Array
    generation: npt.NDArray[np.uint8]
    lobe: npt.NDArray[np.uint8]
    parent: npt.NDArray[np.int64]

    def widened(self, by: Array) -> Array:
        """Return the segments with something added to both radii."""
        wide = self.segments.copy()
        wide[:, 6:] += by[:, None]
        return wide


LOBAR: Mapping[Label, tuple[Point, Point]] = {
    Label.RIGHT_UPPER_LOBE: ((-12, 5, -22), (-8, 4, -38)),
    Label.RIGHT_MIDDLE_LOBE: ((-40, 5, -34), (-50, -8, -46)),
    Label.RIGHT_LOWER_LOBE: ((-40, 5, -34), (-56, 14, -44)),
    Label.LEFT_UPPER_LOBE: ((-20, 8, 40), (-16, 0, 52)),
    Label.LEFT_LOWER_LOBE: ((-20, 8, 40), (-42, 18, 50)),
}
"""Where the bronchus of each lobe starts, and ends in its segmental bronchi."""

INTERMEDIATE: tuple[Point, Point] = ((-12, 5, -22), (-40, 5, -34))
"""The bronchus between the right upper lobe's and the other two."""

VEIN_ROOTS: Mapping[Label, Point] = {
    Label.RIGHT_UPPER_LOBE: (-40, -16, -36),
    Label.RIGHT_MIDDLE_LOBE: (-44, -16, -36),
    Label.RIGHT_LOWER_LOBE: (-62, 6, -32),
    Label.LEFT_UPPER_LOBE: (-36, -14, 36),
    Label.LEFT_LOWER_LOBE: (-58, 10, 38),
}
"""Where the veins of each lobe reach the left atrium."""

ATRIUM: Point = (-50, -2, 4)


@dataclass(frozen=True, slots=True)
class Room:
    """Where branches may end: inside a lung, so that they go round the heart."""

    lung: npt.NDArray[np.bool_]
    grid: Grid

    def enter(self, point: Array) -> Array:
        """Move a point away from the midline until it is inside a lung."""
        moved = point.copy()
        for _ in range(20):
            if self._holds(moved):
                return moved
            moved[2] += 2.5 * np.sign(moved[2])
        return point

    def _holds(self, point: Array) -> bool:
        at = np.rint((point - self.grid.origin) / self.grid.step).astype(np.int64)
        at = np.clip(at, 0, np.array(self.grid.shape) - 1)
        return bool(self.lung[at[0], at[1], at[2]])


class _Grower:
    """Collects branches while they are made."""

    def __init__(self, room: "Room") -> None:
        self.room = room
        self.rows: list[tuple[Array, Array, float]] = []
        self.parent: list[int] = []
        self.generation: list[int] = []
        self.lobe: list[int] = []

    def add(self, start: Array, end: Array, flow: float, parent: int, lobe: int) -> int:
        self.rows.append((start, end, flow))
        self.parent.append(parent)
        self.generation.append(self.generation[parent] + 1 if parent >= 0 else 0)
        self.lobe.append(lobe)
        return len(self.rows) - 1

    def fill(self, points: Array, start: Array, parent: int, lobe: int) -> None:
        """Grow from `start` until every point is reached."""
        todo = [(points, start, parent)]
        while todo:
            cloud, begin, above = todo.pop()
            centre = cloud.mean(0)
            end = self.room.enter(begin + (REACH if len(cloud) > 2 else 1.0) * (centre - begin))
            index = self.add(begin, end, float(len(cloud)), above, lobe)
            if len(cloud) > 2:
                halves = divide(cloud, end - begin)
                todo += [(half, end, index) for half in halves if len(half)]

    def tree(self, root_radius: float, root_flow: float) -> Tree:
        flow = np.array([row[2] for row in self.rows])
        radius = root_radius * (flow / root_flow) ** (1 / MURRAY)
        parent = np.array(self.parent, np.int64)
        above = np.where(parent >= 0, radius[np.maximum(parent, 0)], radius)
        begin = np.minimum(above, 1.15 * radius)
        ends = np.array([np.concatenate([row[0], row[1]]) for row in self.rows])
        return Tree(
            np.ascontiguousarray(np.column_stack([ends, begin, radius])),
            np.minimum(self.generation, 255).astype(np.uint8),
            np.array(self.lobe, np.uint8),
            parent,
        )


def divide(cloud: Array, direction: Array) -> tuple[Array, Array]:
    """Part points by the plane through their centroid that holds `direction` and cuts them shortest."""
    off = cloud - cloud.mean(0)
    along = direction / max(float(np.linalg.norm(direction)), 1e-9)
    across = off - np.outer(off @ along, along)
    _, axes = np.linalg.eigh(across.T @ across)
    side = off @ axes[:, -1] > 0
    return cloud[side], cloud[~side]


def lobe_points(
    lobes: npt.NDArray[np.uint8], depth: npt.NDArray[np.bool_], grid: Grid, rng: np.random.Generator
) -> dict[Label, Array]:
    """Scatter the points that the trees have to reach over the inside of each lobe."""
    points = {}
    for lobe in LOBAR:
        inside = np.argwhere((lobes == lobe) & depth)
        if not len(inside):
            continue
        n_voxels = np.count_nonzero(lobes == lobe)
        n_points = max(60, int(POINTS_PER_LITRE * n_voxels * grid.step**3 / 1.0e6))
        chosen = inside[rng.integers(len(inside), size=n_points)]
        jitter = rng.uniform(-0.5, 0.5, chosen.shape)
        points[lobe] = np.array(grid.origin) + grid.step * (chosen + jitter)
    return points


def grow_airways(points: Mapping[Label, Array], room: Room) -> Tree:
    """Grow trachea and bronchi into the lobes that there are."""
    flow = {lobe: float(len(cloud)) for lobe, cloud in points.items()}
    total = sum(flow.values())
    right = sum(flow.get(lobe, 0.0) for lobe in LOBAR if lobe >= Label.RIGHT_UPPER_LOBE)
    grower = _Grower(room)
    trachea = grower.add(np.array(TRACHEA[0]), np.array(TRACHEA[1]), total, -1, 0)
    mains = {}
    for side, tube, share in zip(Side, MAIN_BRONCHI, (right, total - right), strict=True):
        mains[side] = grower.add(
            np.array(tube[0]), np.array(tube[1]), max(share, 0.45 * total), trachea, 0
        )
    low = right - flow.get(Label.RIGHT_UPPER_LOBE, 0.0)
    ends = [np.array(one) for one in INTERMEDIATE]
    between = grower.add(ends[0], ends[1], max(low, 1.0), mains[Side.RIGHT], 0) if right else -1
    for lobe, cloud in points.items():
        start, end = (np.array(one, np.float64) for one in LOBAR[lobe])
        above = mains[Side.RIGHT if lobe >= Label.RIGHT_UPPER_LOBE else Side.LEFT]
        if lobe in (Label.RIGHT_MIDDLE_LOBE, Label.RIGHT_LOWER_LOBE):
            above = between
        lobar = grower.add(start, end, flow[lobe], above, int(lobe))
        for half in divide(cloud, end - start):
            grower.fill(half, end, lobar, int(lobe))
    return grower.tree(TRACHEA[2], total)


def wall_mm(radius: Array) -> Array:
    """Thickness of the wall of a bronchus with a lumen of some radius (both mm)."""
    return 0.4 + 0.22 * radius


def arteries_beside(airways: Tree) -> Tree:
    """Put an artery beside every bronchus from the lobar ones on, as thick as the bronchus."""
    kept = np.flatnonzero(airways.lobe > 0)
    segments = airways.segments[kept].copy()
    along = segments[:, 3:6] - segments[:, :3]
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    aside = np.array([0.75, -0.45, 0.0]) + np.zeros_like(along)
    aside[:, 2] = 0.5 * np.sign(segments[:, 2])
    aside -= (aside * along).sum(1, keepdims=True) * along
    aside /= np.maximum(np.linalg.norm(aside, axis=1, keepdims=True), 1e-9)
    own = dict(zip(kept.tolist(), range(len(kept)), strict=True))
    parent = np.array([own.get(int(one), -1) for one in airways.parent[kept]])
    gap = 2 * segments[:, 7] + wall_mm(segments[:, 7]) + 0.3
    segments[:, 3:6] += aside * gap[:, None]
    root = parent < 0
    segments[~root, :3] = segments[parent[~root], 3:6]
    segments[root, :3] += (aside * gap[:, None])[root]
    segments[:, 6:] = 0.95 * segments[:, 6:] + 0.08
    return Tree(segments, airways.generation[kept], airways.lobe[kept], parent)


def grow_veins(points: Mapping[Label, Array], room: Room) -> Tree:
    """Grow the veins from the left atrium into the lobes."""
    total = sum(float(len(cloud)) for cloud in points.values())
    grower = _Grower(room)
    for lobe, cloud in points.items():
        root = np.array(VEIN_ROOTS[lobe], np.float64)
        trunk = grower.add(np.array(ATRIUM), root, float(len(cloud)), -1, int(lobe))
        grower.fill(cloud, root, trunk, int(lobe))
    return grower.tree(0.92 * TRACHEA[2], total)


@dataclass(frozen=True, slots=True)
class Trees:
    """All three."""

    airways: Tree
    arteries: Tree
    veins: Tree

    def scaled(self, by: float) -> "Trees":
        """Return the same trees in another unit of length."""
        return Trees(
            *(
                replace(tree, segments=tree.segments * by)
                for tree in (self.airways, self.arteries, self.veins)
            )
        )


def grow_trees(
    lobes: npt.NDArray[np.uint8], depth: npt.NDArray[np.bool_], grid: Grid, seed: int
) -> Trees:
    """Grow all trees into the lobes; `depth` is where they may end."""
    room = Room(lobes > 0, grid)
    airways = grow_airways(lobe_points(lobes, depth, grid, stream(seed, Stream.AIRWAYS)), room)
    veins = grow_veins(lobe_points(lobes, depth, grid, stream(seed, Stream.VEINS)), room)
    return Trees(airways, arteries_beside(airways), veins)
