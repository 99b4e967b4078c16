"""Lumen and wall of the bronchi, across their centre lines and finer than a voxel.

A wall thinner than the scanner's blur looks thicker and fainter than it is: its full width at half maximum is
that of the blur. So each profile from the middle outwards is fitted with a model of what the scanner makes of a
lumen, a wall and lung around it: an annulus of known densities, blurred as this scan is. The blur in the slice
is measured at the edge of the trachea; that across slices follows from their thickness.
"""

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import chndtr

from qct.findings import AirwayBranch, AirwayTree, BranchSize, Measured
from qct.flags import Status
from qct.kernels.tubes import PER_UNIT, SPAN, find_edges, fit_walls, sample_rays
from qct.measure.bronchi import Cuts, branch_size, summary, told
from qct.quantities import AIRWAY_KEYS
from qct.regions import AIRWAY
from qct.volume import Volume

Array = npt.NDArray[np.float64]

WALL_HU = 30.0
"""Soft tissue of a bronchial wall without contrast medium."""

LUNG_BELOW_HU = -550.0
"""Beyond the wall lies lung if it gets darker than this."""

N_RAYS = 16
STEP_MM = 0.2
BEYOND_MM = 5.0
"""How far beyond the lumen a profile goes."""

FOOT_MM = 3.0
"""How far beyond the wall's peak it has to fall to lung."""

FIT_BEYOND_MM = 1.2
"""The fit ends so far beyond the outer edge at half maximum: what lies there is no longer this wall."""

SPACE_MM = 1.0
"""Distance of measured places along a branch."""

WINDOW = 3
"""Places to either side that tell the direction of a branch."""

SHORTEST_CHORD_MM = 2.5
"""Places that span less do not tell it."""

SHORTEST_RADII = 3.0
"""A branch of fewer radii from division to division is nowhere a tube, and is not measured."""

MOST_OVAL = 1.25
"""Longer over shorter diameter from which a place is cut askew, or where a branch leaves: not measured."""

AWAY = 2.0
"""Radii from either division within which a lumen opens into others, or the outer thirds of a short branch."""

MOST_PLACES = 9
"""Places per branch: enough for a median."""

LEAST_LUMEN = 0.75
"""Share of the rays that have to show where the lumen ends."""

LEAST_SECTORS = 0.4
"""Share of the rays that have to show the wall's outer edge; towards vessel and mediastinum it is hidden."""

THINNEST_MM = 0.15
"""A fit that comes to a thinner wall has found none: where lung borders on lung."""

OFF_SHARE = 1.05
"""Blur draws the half maximum inwards; where it lies farther out than the model's radius, this is no lumen."""

LIKE = float(np.log(1.7))
"""The lumen is that which was followed: within this factor of its radius."""

THICKER = 2.0
"""A ray on which the wall is so many times the lower quartile of its place meets more than the wall."""

ROUGHEST_HU = 110.0
"""A place whose profiles are further from the model is not measured (root mean square)."""

BLUR_LIMITS_MM = (0.3, 1.2)
"""Standard deviation of the blur in the slice; beyond it the trachea's edge was misread."""

USUAL_BLUR_MM = 0.6
"""Where the trachea does not tell."""

SMALLEST_LUMEN_MM = 1.5
"""A lumen under about two standard deviations of the blur cannot be told from its wall."""


@dataclass(frozen=True, slots=True)
class AirwaySizes:
    """What was measured of the airway tree.

    Attributes
    ----------
    branches : tuple of BranchSize
        As many as the tree has, in its order.
    measured : tuple of Measured
        `qct.quantities.AIRWAY_KEYS` of the region of the airways.
    blur_mm : float or None
        Standard deviation of the blur in the slice.
    """

    branches: tuple[BranchSize, ...]
    measured: tuple[Measured, ...]
    blur_mm: float | None = None


def measure_airways(
    volume: Volume, tree: AirwayTree | None, *, slice_mm: float | None = None
) -> AirwaySizes:
    """Measure every branch of the airways.

    Parameters
    ----------
    volume : Volume
    tree : AirwayTree or None
    slice_mm : float, optional
        Slice thickness; the distance of slices where it is not known.

    Returns
    -------
    AirwaySizes
    """
    if tree is None or not tree.branches:
        return AirwaySizes((), _rows({}))
    cuts, blur_mm = cut_branches(volume, tree, slice_mm or volume.spacing_mm[0])
    sizes = tuple(branch_size(cuts.of(number), blur_mm) for number in range(len(tree.branches)))
    return AirwaySizes(tuple(told(one) for one in sizes), _rows(summary(tree, sizes)), blur_mm)


def cut_branches(volume: Volume, tree: AirwayTree, slice_mm: float) -> tuple[Cuts, float]:
    """Measure lumen and wall at every place where a branch is cut across; also return the blur, mm."""
    places = _places(tree)
    scanner = _Scanner(volume, slice_mm)
    scanner.calibrate(places.only(places.branch == 0))
    size_class = np.ceil(places.radius_mm / 2)
    groups = [np.flatnonzero(size_class == one) for one in np.unique(size_class)]
    middle_mm = places.point_mm.copy()
    for group in groups:
        middle_mm[group] = scanner.middle(places.only(group))
    places = _redirected(replace(places, point_mm=middle_mm))
    parts = [scanner.cut(places.only(group)) for group in groups]
    columns = [[getattr(one, field.name) for one in parts] for field in fields(Cuts)]
    return Cuts(*(np.concatenate(column) for column in columns)), scanner.blur_mm


def _rows(values: dict[str, float | None]) -> tuple[Measured, ...]:
    return tuple(
        Measured(AIRWAY.key, key, values.get(key))
        if values.get(key) is not None
        else Measured(AIRWAY.key, key, None, Status.NOT_MEASURED)
        for key in AIRWAY_KEYS
    )


# --- one scan -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Places:
    """Where branches are cut across: branch, point and direction (voxels and unit, LPS mm), lumen radius."""

    branch: npt.NDArray[np.int64]
    point_mm: Array
    along: Array
    radius_mm: Array

    def only(self, chosen: npt.NDArray[Any]) -> "_Places":
        return _Places(
            self.branch[chosen], self.point_mm[chosen], self.along[chosen], self.radius_mm[chosen]
        )


class _Scanner:
    """Cuts branches across in one scan."""

    def __init__(self, volume: Volume, slice_mm: float):
        self.volume = volume
        self.to_index = np.linalg.inv(volume.axes_mm)
        self.normal = np.cross(volume.axes_mm[2], volume.axes_mm[1])
        self.normal /= np.linalg.norm(self.normal)
        self.across_mm = float(np.sqrt(slice_mm**2 / 12 + volume.spacing_mm[0] ** 2 / 6))
        angle = 2 * np.pi * np.arange(N_RAYS) / N_RAYS
        self.turns = np.column_stack([np.cos(angle), np.sin(angle)])
        self.blur_mm = USUAL_BLUR_MM
        self.air_hu = -1000.0

    def profiles(self, places: _Places, reach_mm: float) -> tuple[npt.NDArray[np.float32], Array]:
        """Return profiles (P, D, S), and the directions of the rays in LPS (P, D, 3)."""
        first = np.cross(places.along, self.normal)
        upright = np.linalg.norm(first, axis=1) < 1e-3
        first[upright] = np.cross(places.along[upright], self.volume.axes_mm[1])
        first /= np.linalg.norm(first, axis=1, keepdims=True)
        second = np.cross(places.along, first)
        index = (places.point_mm - self.volume.origin_mm) @ self.to_index
        frames = np.stack([index, first @ self.to_index, second @ self.to_index], axis=1)
        radii = np.arange(0.0, reach_mm, STEP_MM)
        seen = sample_rays(self.volume.hu, np.ascontiguousarray(frames), self.turns, radii)
        rays = self.turns[:, :1] * first[:, None] + self.turns[:, 1:] * second[:, None]
        return seen, rays

    def calibrate(self, trachea: _Places) -> None:
        """Read the density of its air and the sharpness of its edge off the trachea."""
        if not trachea.branch.size:
            return
        seen, rays = self.profiles(trachea, float(trachea.radius_mm.max()) * 1.5 + BEYOND_MM)
        self.air_hu = float(np.median(seen[:, :, : int(2 / STEP_MM)]))
        level = np.clip((seen - self.air_hu) / (WALL_HU - self.air_hu), 0, 2)
        flat = np.abs(rays @ self.normal) < 0.3
        widths = [
            _crossing(line, 0.5) - _crossing(line, 0.1) for line in level[flat] if _is_edge(line)
        ]
        if len(widths) >= N_RAYS:
            self.blur_mm = float(np.clip(np.median(widths) / 1.2816, *BLUR_LIMITS_MM))

    def middle(self, places: _Places) -> Array:
        """Return the middle of the lumen at every place, LPS mm."""
        seen, rays = self.profiles(places, _reach_mm(places))
        return places.point_mm + _off_centre(self._edges(seen)[:, :, 0], rays)

    def cut(self, places: _Places) -> Cuts:
        """Measure places of about one size."""
        seen, rays = self.profiles(places, _reach_mm(places))
        edges = self._edges(seen)
        inner, outer, foot = edges[:, :, 0], edges[:, :, 2], edges[:, :, 4]
        lung = _middle(np.where(foot < LUNG_BELOW_HU, foot, np.nan))
        shown = np.isfinite(outer) & (foot < LUNG_BELOW_HU) & np.isfinite(inner)
        fitted = self._fit(seen, rays, edges, np.where(shown, lung[:, None], WALL_HU))
        thickness = fitted[:, :, 1] - fitted[:, :, 0]
        sound = np.isfinite(inner) & (fitted[:, :, 2] < ROUGHEST_HU)
        sound &= ~shown | (thickness > THINNEST_MM)
        alone = sound & shown & _is_wall_alone(np.where(sound & shown, thickness, np.nan))
        clear = alone.mean(axis=1, keepdims=True) >= LEAST_SECTORS
        contour = _bridged(fitted[:, :, 0], np.where(clear, alone, sound))
        radius = _equivalent(contour)
        half = _equivalent(inner)
        good = (sound.mean(axis=1) >= LEAST_LUMEN) & (2 * radius >= SMALLEST_LUMEN_MM)
        good &= _oval(contour) <= MOST_OVAL
        good &= (half < OFF_SHARE * radius) & (np.abs(np.log(radius / places.radius_mm)) < LIKE)
        walled = good & ((sound & shown).mean(axis=1) >= LEAST_SECTORS)
        wall = _middle(np.where(alone, thickness, np.nan))
        wall_half = _middle(np.where(shown, outer - inner, np.nan))
        return Cuts(
            places.branch,
            places.point_mm,
            lumen_mm=np.where(good, 2 * radius, np.nan),
            wall_mm=np.where(walled, wall, np.nan),
            lumen_fwhm_mm=np.where(good, 2 * half, np.nan),
            wall_fwhm_mm=np.where(walled, wall_half, np.nan),
        )

    def _edges(self, seen: npt.NDArray[np.float32]) -> Array:
        flat = find_edges(seen.reshape(-1, seen.shape[2]), STEP_MM, FOOT_MM)
        return np.asarray(flat.reshape(*seen.shape[:2], 5))

    def _fit(
        self, seen: npt.NDArray[np.float32], rays: Array, edges: Array, beyond_hu: Array
    ) -> Array:
        upright = (rays @ self.normal) ** 2
        blur = np.sqrt((1 - upright) * self.blur_mm**2 + upright * self.across_mm**2)
        hidden = beyond_hu == WALL_HU
        inner = np.nan_to_num(edges[:, :, 0], nan=1.0)
        outer = np.where(hidden, edges[:, :, 1] + 3, edges[:, :, 2])
        outer = np.maximum(np.nan_to_num(outer, nan=2.0), inner + 0.1)
        reach = np.where(hidden, np.nan_to_num(edges[:, :, 1], nan=1.0), outer + FIT_BEYOND_MM)
        even = np.ones_like(inner)
        about = np.stack(
            [
                *(inner, outer, blur, WALL_HU * even),
                *(beyond_hu, reach, STEP_MM * even, self.air_hu * even),
            ],
            axis=2,
        )
        n_steps = seen.shape[2]
        flat = fit_walls(seen.reshape(-1, n_steps), disc_table(), about.reshape(-1, 8))
        return np.asarray(flat.reshape(*seen.shape[:2], 3))


def _is_edge(line: npt.NDArray[np.float32]) -> bool:
    """Tell whether a profile from air goes over into soft tissue for good."""
    at = int(np.argmax(line > 0.5))
    beyond = line[at + int(1.0 / STEP_MM) : at + int(2.2 / STEP_MM)]
    return at > 5 and beyond.size > 3 and bool(np.all(np.abs(beyond - 1) < 0.15))


def _crossing(line: npt.NDArray[np.float32], level: float) -> float:
    """Where a rising profile last crosses a level before it is past half; mm."""
    at = int(np.argmax(line > 0.5))
    while at > 0 and line[at - 1] > level:
        at -= 1
    before, after = float(line[at - 1]), float(line[at])
    return STEP_MM * (at - (after - level) / max(after - before, 1e-6))


def _middle(values: Array) -> Array:
    """Median over the rays of every place; NaN where none counts."""
    middle = np.full(len(values), np.nan)
    some = np.isfinite(values).any(axis=1)
    middle[some] = np.nanmedian(values[some], axis=1)
    return middle


def _is_wall_alone(thickness: Array) -> npt.NDArray[np.bool_]:
    """Tell which rays meet the wall alone, and not a vessel behind it."""
    thin = np.full((len(thickness), 1), np.nan)
    some = np.isfinite(thickness).any(axis=1)
    thin[some, 0] = np.nanpercentile(thickness[some], 25, axis=1)
    return np.asarray(thickness <= THICKER * thin)


def _bridged(radius: Array, trusted: npt.NDArray[np.bool_]) -> Array:
    """Read the contour between its trusted rays: a vessel beside the wall draws its edge outwards."""
    bridged = np.full(radius.shape, np.nan)
    turn = np.arange(radius.shape[1])
    for place in np.flatnonzero(trusted.any(axis=1)):
        known = trusted[place]
        bridged[place] = np.interp(turn, turn[known], radius[place, known], period=len(turn))
    return bridged


def _oval(contour: Array) -> Array:
    """Longer over shorter diameter of a contour, by the second harmonic of its radius."""
    turn = 4 * np.pi * np.arange(contour.shape[1]) / contour.shape[1]
    second = 2 * np.hypot(
        (contour * np.cos(turn)).mean(axis=1), (contour * np.sin(turn)).mean(axis=1)
    )
    mean = contour.mean(axis=1)
    return np.asarray((mean + second) / np.maximum(mean - second, 1e-9))


def _equivalent(radius: Array) -> Array:
    """Radius of the disc whose area the contour holds; a missing ray counts as the mean of the others."""
    equivalent = np.full(len(radius), np.nan)
    some = np.isfinite(radius).any(axis=1)
    equivalent[some] = np.sqrt(np.nanmean(radius[some] ** 2, axis=1))
    return equivalent


def _reach_mm(places: _Places) -> float:
    """How long profiles have to be."""
    return float(places.radius_mm.max()) * 1.3 + BEYOND_MM


def _off_centre(inner: Array, rays: Array) -> Array:
    """Return how far the middle of a contour lies off the rays' origin, at most half its radius."""
    mean = np.nan_to_num(_middle(inner), nan=0.0)
    edge = np.where(np.isfinite(inner), inner, mean[:, None])
    edge = np.clip(edge, 0, 2 * mean[:, None])
    shift = 2 / rays.shape[1] * (edge[:, :, None] * rays).sum(axis=1)
    length = np.linalg.norm(shift, axis=1, keepdims=True)
    shift *= np.minimum(1, 0.5 * mean[:, None] / np.maximum(length, 1e-9))
    return np.asarray(shift)


def _redirected(places: _Places) -> _Places:
    """Take the direction of every place from the middles of its branch, within `WINDOW` places of it."""
    along = places.along.copy()
    for number in np.unique(places.branch):
        here = np.flatnonzero(places.branch == number)
        for k, place in enumerate(here):
            near = places.point_mm[here[max(k - WINDOW, 0) : k + WINDOW + 1]]
            if float(np.linalg.norm(near[-1] - near[0])) < SHORTEST_CHORD_MM:
                continue
            _, _, axes = np.linalg.svd(near - near.mean(axis=0))
            along[place] = axes[0] * np.sign(axes[0] @ along[place])
    return replace(places, along=along)


@cache
def disc_table() -> Array:
    """Return the share of a disc, blurred by a Gaussian of standard deviation 1, by radius and distance.

    The probability that a normal variate in the plane at some distance falls into the disc: a non-central
    chi-square distribution. Discs of more than 12 standard deviations have all but straight edges.
    """
    radius = np.arange(0, 12 + 0.5 / PER_UNIT, 1 / PER_UNIT)[:, None]
    off = np.arange(-SPAN, SPAN + 0.5 / PER_UNIT, 1 / PER_UNIT)[None]
    table = chndtr(radius**2, 2.0, (radius + off) ** 2)
    return np.ascontiguousarray(table)


# --- the branches -------------------------------------------------------------------------------


def _places(tree: AirwayTree) -> _Places:
    """Choose where every branch is cut across: away from where it leaves its parent, and where it divides."""
    chosen = [_along(tree.branches[0], 0.0, 0)]
    for number, branch in enumerate(tree.branches[1:], start=1):
        length = float(np.linalg.norm(np.diff(branch.line_mm, axis=0), axis=1).sum())
        if length < SHORTEST_RADII * float(np.median(branch.radius_mm)):
            continue
        before = AWAY * float(tree.branches[branch.parent].radius_mm[-1])
        chosen.append(_along(branch, before, number))
    return _Places(*(np.concatenate(one) for one in zip(*chosen, strict=True)))


def _along(
    branch: AirwayBranch, before_mm: float, number: int
) -> tuple[npt.NDArray[np.int64], Array, Array, Array]:
    steps = np.linalg.norm(np.diff(branch.line_mm, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(steps)])
    radius = float(np.median(branch.radius_mm))
    first = min(before_mm, at[-1] / 3)
    last = at[-1] - min(AWAY * radius, at[-1] / 3)
    if last - first < 2 * SPACE_MM:
        first, last = at[-1] / 2 - SPACE_MM, at[-1] / 2 + SPACE_MM
    n = int(np.clip((last - first) / SPACE_MM + 1, 3, MOST_PLACES))
    where = np.linspace(max(first, 0.0), min(last, at[-1]), n)
    reach = max(1.5, radius)
    ahead, behind = _read_line(branch, at, where + reach), _read_line(branch, at, where - reach)
    along = ahead - behind
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    radii = np.interp(where, at, branch.radius_mm)
    return np.full(n, number), _read_line(branch, at, where), along, radii


def _read_line(branch: AirwayBranch, at: Array, where: Array) -> Array:
    return np.column_stack([np.interp(where, at, branch.line_mm[:, k]) for k in range(3)])
