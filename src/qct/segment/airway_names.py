"""Which bronchus is which, by where it leads; and whether a lobar bronchus ends in its lobe."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qct.findings import AirwayBranch, AirwayTree, Segmentation
from qct.flags import Flag
from qct.regions import DENSE, LOBES
from qct.volume import Volume

TRUNK_SHARE = 0.6
"""A child that leads to so much of the tree is the trunk itself going on, not the middle lobe's bronchus."""

FORWARD = 0.3
"""The middle lobe's bronchus leads forward by more than this share of its way; the lower lobe's does not."""

BESIDE_MM = 4.0
"""How far beside the lumen of a bronchus the lobe that it runs in is looked up: past its wall."""

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
        """Length of the centre line."""
        return float(np.linalg.norm(np.diff(self.line[:, :3], axis=0), axis=1).sum())


class _Reach:
    """Where everything beyond a branch lies."""

    def __init__(self, sketches: Sequence[Sketch]):
        self.children: list[list[int]] = [[] for _ in sketches]
        for index, sketch in enumerate(sketches):
            if sketch.parent >= 0:
                self.children[sketch.parent].append(index)
        self.start = np.array([one.line[0, :3] for one in sketches])
        length = np.array([max(one.length_mm, 1e-6) for one in sketches])
        moment = np.array([one.line[:, :3].mean(0) for one in sketches]) * length[:, None]
        for index in range(len(sketches) - 1, 0, -1):
            length[sketches[index].parent] += length[index]
            moment[sketches[index].parent] += moment[index]
        self.length = length
        self.middle = moment / length[:, None]

    def forward(self, branch: int) -> float:
        """Share of the way to what lies beyond a branch that goes forward, -1 (straight back) to 1."""
        way = self.middle[branch] - self.start[branch]
        return -float(way[1]) / max(float(np.linalg.norm(way)), 1e-9)

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
    highest is the upper lobe's; below, what leads forward is the middle lobe's, unless it is the trunk itself
    that goes on below a bronchus to the back. On the left, the subtree that leads highest is the upper lobe's.
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
    trunk, _ = reach.extreme(children, axis=0)
    names[trunk] = "intermediate"
    roots = {one: "right_upper_lobe" for one in children if one != trunk}
    while children := reach.children[trunk]:
        ahead = [one for one in children if reach.forward(one) > FORWARD]
        behind = [one for one in children if one not in ahead]
        large = max(children, key=lambda one: (float(reach.length[one]), -one))
        goes_on = reach.length[large] > TRUNK_SHARE * reach.length[children].sum()
        roots |= dict.fromkeys(behind, "right_lower_lobe")
        if not (reach.children[large] and (not ahead or (large in ahead and behind and goes_on))):
            roots |= dict.fromkeys(ahead, "right_middle_lobe")
            break
        roots |= dict.fromkeys([one for one in ahead if one != large], "right_middle_lobe")
        roots.pop(large, None)
        trunk = large
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
        places = [_beyond_hilum(one) for one in tree.branches if one.lobe == lobe]
        if not places:
            continue
        line, radius = (np.concatenate(column) for column in zip(*places, strict=True))
        met = _lobes_beside((line - volume.origin_mm) @ to_index, radius, labels, volume)
        if met.size >= LEAST_VOTES:
            shares[lobe] = float(np.mean(met == number))
    return shares


def _beyond_hilum(branch: AirwayBranch) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the places that count: of a lobar bronchus, which begins outside its lobe, the second half."""
    first = len(branch.line_mm) // 2 if branch.name else 1
    return branch.line_mm[first:], branch.radius_mm[first:]


def _lobes_beside(
    index: npt.NDArray[np.float64],
    radius_mm: npt.NDArray[np.float64],
    labels: npt.NDArray[np.uint8],
    volume: Volume,
) -> npt.NDArray[np.uint8]:
    """Lobe numbers on six sides of every point, where there is a lobe."""
    aside = np.concatenate([np.eye(3), -np.eye(3)]) / np.array(volume.spacing_mm)
    at = (
        np.rint(index[:, None] + (radius_mm[:, None, None] + BESIDE_MM) * aside)
        .astype(np.int64)
        .reshape(-1, 3)
    )
    z, y, x = at[((at >= 0) & (at < labels.shape)).all(axis=1)].T
    met = labels[z, y, x] % DENSE
    return np.asarray(met[(met >= 1) & (met <= 5)])


def lobes_that_disagree(shares: dict[str, float]) -> list[str]:
    """Return the lobes that most of their bronchi do not run in."""
    return [lobe for lobe, share in shares.items() if share < AGREES]


def checked_by_bronchi(found: Segmentation, volume: Volume) -> Segmentation:
    """Compare the lobes with the bronchi, which know nothing of them; doubts become flags."""
    if found.airways is None:
        return found
    shares = bronchi_in_lobes(found.airways, found.labels, volume)
    doubts = {
        lobe: frozenset({Flag.LOBE_BRONCHUS_DISAGREES}) for lobe in lobes_that_disagree(shares)
    }
    region_flags = {
        key: found.region_flags.get(key, frozenset()) | doubts.get(key, frozenset())
        for key in {**found.region_flags, **doubts}
    }
    incomplete = {Flag.AIRWAY_INCOMPLETE} if _lacks_lobes(found.airways) else set()
    rounded = {lobe: round(100 * share, 1) for lobe, share in shares.items()}
    return replace(
        found,
        method={**found.method, "airways": {"bronchi_in_lobe_percent": rounded}},
        region_flags=region_flags,
        flags=found.flags | incomplete,
    )


def _lacks_lobes(tree: AirwayTree) -> bool:
    """Tell whether the bronchus of any lobe was not found."""
    return {region.key for region in LOBES} - {branch.lobe for branch in tree.branches} != set()
