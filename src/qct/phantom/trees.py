"""Airways, arteries and veins: branching trees that fill the lobes.

The bronchi beyond the lobar ones, and the veins, grow as in Tawhai MH, Hunter P et al. (J Appl Physiol
2004;97:2310-2321): each branch runs part of the way to the centroid of the points it has to reach, a plane
divides the points between its two children. Radii follow Murray's law. Then every division is moved to where
its three tubes hold least, which is Murray's law for angles (J Gen Physiol 1926;9:835-841, *to be
confirmed*): a trunk runs on nearly straight where a thin branch leaves it. Arteries keep beside the bronchi.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qct.phantom.space import Grid, Point, Stream, stream
from qct.phantom.thorax import MAIN_BRONCHI, TRACHEA
from qct.regions import Label, Side

Array = npt.NDArray[np.float64]

REACH = 0.3
"""Share of the way to the centroid that one branch goes (Tawhai 2004)."""

MURRAY_BRONCHI, MURRAY_VESSELS = 2.6, 3.0
"""Exponent of the flow that a tube of a radius carries (Murray 3; measured in lungs 2.3 to 3)."""

VESSEL_ROOT_MM = 7.8
"""Radius of a vessel that would carry all the flow, reference mm: segmental arteries are 6 mm wide then."""

POINTS_PER_LITRE = 2000
"""Points that a tree has to reach: one in a cube of 8 mm, a few acini."""

THIN_SHARE = (0.08, 0.5)
"""Share of the points that the thinner of two children gets, at least and at most."""

SWEEPS = 80
"""How often every division is moved towards its best place."""

SHORTEST = 3.0
"""No branch is shortened below so many of its radii (bronchi are 6 radii long in the mean)."""

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
    Label.RIGHT_UPPER_LOBE: ((-19, 5, -19), (-13, 4, -37)),
    Label.RIGHT_MIDDLE_LOBE: ((-46, 5, -31), (-56, -8, -44)),
    Label.RIGHT_LOWER_LOBE: ((-46, 5, -31), (-61, 14, -41)),
    Label.LEFT_UPPER_LOBE: ((-32, 8, 37), (-28, 0, 50)),
    Label.LEFT_LOWER_LOBE: ((-32, 8, 37), (-52, 18, 46)),
}
"""Where the bronchus of each lobe starts, and ends in its segmental bronchi."""

INTERMEDIATE: tuple[Point, Point] = ((-19, 5, -19), (-46, 5, -31))
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
    """Where branches may end: inside their lobe, so that they go round the heart."""

    lobes: npt.NDArray[np.uint8]
    grid: Grid

    def lobe_at(self, points: Array) -> npt.NDArray[np.uint8]:
        """Return the lobes' numbers at (K, 3) points; 0 outside."""
        at = np.rint((points - self.grid.origin) / self.grid.step).astype(np.int64)
        at = np.clip(at, 0, np.array(self.grid.shape) - 1)
        return np.asarray(self.lobes[tuple(at.T)])

    def enter(self, point: Array) -> Array:
        """Move a point away from the midline until it is inside a lung."""
        moved = point.copy()
        for _ in range(20):
            if self.lobe_at(moved[None])[0]:
                return moved
            moved[2] += 2.5 * np.sign(moved[2])
        return point


class _Grower:
    """Collects branches while they are made."""

    def __init__(self, room: Room, rng: np.random.Generator) -> None:
        self.room = room
        self.rng = rng
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
                parts = divide(cloud, end - begin, self.rng.uniform(*THIN_SHARE))
                todo += [(part, end, index) for part in parts if len(part)]

    def tree(self, root_radius: float, root_flow: float, exponent: float) -> Tree:
        flow = np.array([row[2] for row in self.rows])
        radius = root_radius * (flow / root_flow) ** (1 / exponent)
        parent = np.array(self.parent, np.int64)
        above = np.where(parent >= 0, radius[np.maximum(parent, 0)], radius)
        begin = np.minimum(above, 1.15 * radius)
        ends = np.array([np.concatenate([row[0], row[1]]) for row in self.rows])
        tree = Tree(
            np.ascontiguousarray(np.column_stack([ends, begin, radius])),
            np.minimum(self.generation, 255).astype(np.uint8),
            np.array(self.lobe, np.uint8),
            parent,
        )
        return relaxed(tree, self.room)


def divide(cloud: Array, direction: Array, share: float) -> tuple[Array, Array]:
    """Part points by a plane that holds `direction` and cuts them shortest; `share` of them come first."""
    off = cloud - cloud.mean(0)
    along = direction / max(float(np.linalg.norm(direction)), 1e-9)
    across = off - np.outer(off @ along, along)
    _, axes = np.linalg.eigh(across.T @ across)
    order = np.argsort(off @ axes[:, -1], kind="stable")
    n_first = min(max(1, round(share * len(cloud))), len(cloud) - 1)
    return cloud[order[:n_first]], cloud[order[n_first:]]


def relaxed(tree: Tree, room: Room) -> Tree:
    """Move every division to where its tubes hold least, so far as it stays in its lobe and they stay long.

    The volume of a tube is its length times its section, so the best place is the median of the ends of the
    three tubes, weighted by their squared radii; each sweep is one step of Weiszfeld's iteration.
    """
    parent, end = tree.parent, tree.segments[:, 3:6].copy()
    held = np.maximum(parent, 0)
    child = np.flatnonzero(parent >= 0)
    section = tree.segments[:, 7] ** 2
    shortest = SHORTEST * tree.segments[:, 7]
    n_children = np.bincount(parent[child], minlength=len(parent))
    free = (n_children > 0) & (parent >= 0) & (tree.lobe > 0) & (tree.lobe[held] == tree.lobe)
    for _ in range(SWEEPS):
        away = np.linalg.norm(end - end[held], axis=1)
        pull = section / np.maximum(away, 0.5)
        total, sums = pull.copy(), pull[:, None] * end[held]
        np.add.at(total, parent[child], pull[child])
        np.add.at(sums, parent[child], pull[child, None] * end[child])
        moved = sums / total[:, None]
        short = np.linalg.norm(moved - end[held], axis=1) < np.minimum(shortest, away)
        ahead = np.linalg.norm(end[child] - moved[parent[child]], axis=1)
        crowded = ahead < np.minimum(shortest, away)[child]
        short[parent[child[crowded]]] = True
        moves = free & ~short & (room.lobe_at(moved) == tree.lobe)
        end[moves] = moved[moves]
    segments = tree.segments.copy()
    segments[:, 3:6] = end
    segments[child, :3] = end[parent[child]]
    return replace(tree, segments=segments)


def lobe_points(
    lobes: npt.NDArray[np.uint8], depth: npt.NDArray[np.bool_], grid: Grid, rng: np.random.Generator
) -> dict[Label, Array]:
    """Scatter the points that the trees have to reach evenly over the inside of each lobe."""
    points = {}
    step = (1.0e6 / POINTS_PER_LITRE) ** (1 / 3) / grid.step
    for lobe in LOBAR:
        inside = np.argwhere((lobes == lobe) & depth)
        if not len(inside):
            continue
        low, high = inside.min(0), inside.max(0)
        ranges = [np.arange(a, b + step, step) for a, b in zip(low, high, strict=True)]
        even = np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 3)
        chosen = even + step * rng.uniform(-0.45, 0.45, even.shape)
        at = tuple(np.clip(np.rint(chosen).astype(np.int64), low, high).T)
        points[lobe] = np.array(grid.origin) + grid.step * chosen[(lobes == lobe)[at] & depth[at]]
    return points


def grow_airways(points: Mapping[Label, Array], room: Room, rng: np.random.Generator) -> Tree:
    """Grow trachea and bronchi into the lobes that there are."""
    flow = {lobe: float(len(cloud)) for lobe, cloud in points.items()}
    total = sum(flow.values())
    right = sum(flow.get(lobe, 0.0) for lobe in LOBAR if lobe >= Label.RIGHT_UPPER_LOBE)
    grower = _Grower(room, rng)
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
        for half in divide(cloud, end - start, 0.5):
            grower.fill(half, end, lobar, int(lobe))
    return grower.tree(TRACHEA[2], total, MURRAY_BRONCHI)


def wall_mm(radius: Array) -> Array:
    """Thickness of the wall of a bronchus with a lumen of some radius (both mm).

    Below a radius of 1 mm bronchi have no cartilage any more, and the wall thins faster than the lumen.
    """
    return (0.4 + 0.22 * np.maximum(radius, 1.0)) * np.minimum(radius, 1.0) ** 1.5


def arteries_beside(airways: Tree) -> Tree:
    """Put an artery beside every bronchus from the lobar ones on."""
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
    radius = _artery_radius(segments[:, 6:])
    gap = segments[:, 7] + wall_mm(segments[:, 7]) + radius[:, 1] + 0.3
    segments[:, 3:6] += aside * gap[:, None]
    root = parent < 0
    segments[~root, :3] = segments[parent[~root], 3:6]
    segments[root, :3] += (aside * gap[:, None])[root]
    segments[:, 6:] = radius
    return Tree(segments, airways.generation[kept], airways.lobe[kept], parent)


def _artery_radius(bronchus: Array) -> Array:
    """Return the radius of an artery that carries the flow of a bronchus of some radius."""
    flow = (bronchus / TRACHEA[2]) ** MURRAY_BRONCHI
    return np.asarray(VESSEL_ROOT_MM * flow ** (1 / MURRAY_VESSELS))


def grow_veins(points: Mapping[Label, Array], room: Room, rng: np.random.Generator) -> Tree:
    """Grow the veins from the left atrium into the lobes."""
    total = sum(float(len(cloud)) for cloud in points.values())
    grower = _Grower(room, rng)
    for lobe, cloud in points.items():
        root = np.array(VEIN_ROOTS[lobe], np.float64)
        trunk = grower.add(np.array(ATRIUM), root, float(len(cloud)), -1, int(lobe))
        grower.fill(cloud, root, trunk, int(lobe))
    return grower.tree(VESSEL_ROOT_MM, total, MURRAY_VESSELS)


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
    room = Room(lobes, grid)
    grown = []
    for grow, purpose in ((grow_airways, Stream.AIRWAYS), (grow_veins, Stream.VEINS)):
        rng = stream(seed, purpose)
        grown.append(grow(lobe_points(lobes, depth, grid, rng), room, rng))
    airways, veins = grown
    return Trees(airways, arteries_beside(airways), veins)
