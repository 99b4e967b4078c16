"""Which bronchus is which, by where it leads; and whether a lobar bronchus ends in its lobe."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qct.findings import AirwayTree
from qct.regions import DENSE, LOBES
from qct.volume import Volume

TRUNK_SHARE = 0.6
"""A child that leads to so much of the tree is the trunk itself going on, not the middle lobe's bronchus."""

BESIDE_MM = 3.0
"""How far beside a bronchus the lobe that it runs in is looked up: past its wall."""

LEAST_VOTES = 30
"""Fewer places than this do not tell where a bronchus ends."""

AGREES = 0.5
"""Share of the places around the branches of a lobar bronchus that lie in its lobe."""


@dataclass(frozen=True)
class Sketch:
    """A branch without a name: its parent, and points (z, y, x; mm) with radii, (N, 4)."""

    parent: int
    line: npt.NDArray[np.float64]

    @property
    def length_mm(self) -> float:
        return float(np.linalg.norm(np.diff(self.line[:, :3], axis=0), axis=1).sum())


class _Reach:
    """Where everything beyond a branch lies."""

    def __init__(self, sketches: Sequence[Sketch]):
        self.children: list[list[int]] = [[] for _ in sketches]
        for index, sketch in enumerate(sketches):
            if sketch.parent >= 0:
                self.children[sketch.parent].append(index)
        length = np.array([max(one.length_mm, 1e-6) for one in sketches])
        moment = np.array([one.line[:, :3].mean(0) for one in sketches]) * length[:, None]
        for index in range(len(sketches) - 1, 0, -1):
            length[sketches[index].parent] += length[index]
            moment[sketches[index].parent] += moment[index]
        self.length = length
        self.middle = moment / length[:, None]

    def extreme(self, branches: list[int], axis: int) -> tuple[int, int]:
        """Return the branches that lead lowest and highest along an axis."""
        ordered = sorted(branches, key=lambda one: (float(self.middle[one, axis]), one))
        return ordered[0], ordered[-1]


def name_branches(sketches: Sequence[Sketch]) -> list[tuple[str, str]]:
    """Return name and lobe of every branch; empty where it has none.

    Parameters
    ----------
    sketches : sequence of Sketch
        The trachea first, parents before children; z towards the head, y towards the back, x to the left.

    Notes
    -----
    The two largest subtrees of the trachea are the sides. Of the right main bronchus the subtree that leads
    highest is the upper lobe's; below, the one that leads farthest forward is the middle lobe's, unless it is
    the trunk itself. On the left, the subtree that leads highest is the upper lobe's.
    """
    reach = _Reach(sketches)
    names = ["trachea"] + [""] * (len(sketches) - 1)
    lobes = [""] * len(sketches)
    sides = sorted(reach.children[0], key=lambda one: -float(reach.length[one]))[:2]
    if len(sides) == 2:
        right, left = reach.extreme(sides, axis=2)
        names[right], names[left] = "right_main", "left_main"
        roots = {**_right(reach, right, names), **_left(reach, left)}
        for root, lobe in roots.items():
            names[root] = names[root] or lobe
            _spread(reach, root, lobe, lobes)
    return list(zip(names, lobes, strict=True))


def _right(reach: _Reach, main: int, names: list[str]) -> dict[int, str]:
    children = reach.children[main]
    if len(children) < 2:
        return {}
    trunk, upper = reach.extreme(children, axis=0)
    names[trunk] = "intermediate"
    roots = {one: "right_upper_lobe" for one in children if one != trunk}
    while len(reach.children[trunk]) > 1:
        children = reach.children[trunk]
        forward, _ = reach.extreme(children, axis=1)
        total = sum(float(reach.length[one]) for one in children)
        is_trunk = float(reach.length[forward]) > TRUNK_SHARE * total
        roots |= {one: "right_lower_lobe" for one in children if one != forward}
        if not is_trunk or len(reach.children[forward]) < 2:
            roots[forward] = "right_middle_lobe"
            break
        trunk = forward
    return roots


def _left(reach: _Reach, main: int) -> dict[int, str]:
    children = reach.children[main]
    if len(children) < 2:
        return {}
    low, high = reach.extreme(children, axis=0)
    middle = float(reach.middle[low, 0] + reach.middle[high, 0]) / 2
    return {
        one: "left_upper_lobe" if float(reach.middle[one, 0]) > middle else "left_lower_lobe"
        for one in children
    }


def _spread(reach: _Reach, root: int, lobe: str, lobes: list[str]) -> None:
    """Give a branch and all beyond it their lobe."""
    todo = [root]
    while todo:
        one = todo.pop()
        lobes[one] = lobe
        todo += reach.children[one]


# --- the lobes ----------------------------------------------------------------------------------


def bronchi_in_lobes(
    tree: AirwayTree, labels: npt.NDArray[np.uint8], volume: Volume
) -> dict[str, float]:
    """Tell for every lobe what share (0 to 1) of the places around its bronchi lies in it.

    A lobe without named bronchi, or with too few to tell, is left out.
    """
    to_index = np.linalg.inv(volume.axes_mm)
    numbers = {region.key: int(region.labels[0]) for region in LOBES}
    shares = {}
    for lobe, number in numbers.items():
        lines = [one.line_mm[1:] for one in tree.branches if one.lobe == lobe and one.name != lobe]
        if not lines:
            continue
        index = (np.concatenate(lines) - volume.origin_mm) @ to_index
        met = _lobes_beside(index, labels, volume)
        if met.size >= LEAST_VOTES:
            shares[lobe] = float(np.mean(met == number))
    return shares


def _lobes_beside(
    index: npt.NDArray[np.float64], labels: npt.NDArray[np.uint8], volume: Volume
) -> npt.NDArray[np.uint8]:
    """Lobe numbers on six sides of every point, where there is a lobe."""
    aside = np.concatenate([np.eye(3), -np.eye(3)]) * (BESIDE_MM / np.array(volume.spacing_mm))
    at = np.rint(index[:, None] + aside).astype(np.int64).reshape(-1, 3)
    z, y, x = at[((at >= 0) & (at < labels.shape)).all(axis=1)].T
    met = labels[z, y, x] % DENSE
    return np.asarray(met[(met >= 1) & (met <= 5)])


def lobes_that_disagree(shares: dict[str, float]) -> list[str]:
    """Return the lobes that most of their bronchi do not run in."""
    return [lobe for lobe, share in shares.items() if share < AGREES]
