"""Paint the noise-free chest on a fine grid: tissues by distance, trees and bones as capsules."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qct.kernels.draw import draw_capsules, mark_capsules
from qct.phantom import bones, thorax
from qct.phantom.space import (
    Field,
    Grid,
    Resampler,
    Stream,
    ellipsoid,
    every_slice,
    smooth_noise,
    soft_max,
    stream,
)
from qct.phantom.spec import ChestSpec
from qct.phantom.thorax import Fields, Shape, Tube
from qct.phantom.trees import (
    SMALLEST_LUMEN_MM,
    SMALLEST_VESSEL_MM,
    Tree,
    Trees,
    grow_trees,
    wall_mm,
)
from qct.phantom.truth import SMALL_AIRWAY, VESSEL_STEP_MM, smallest_airway_mm
from qct.regions import Side

COARSE_MM = 2.5
"""Grid of the distance fields, reference mm."""

ARMS_ROOM_MM = 80.0
"""Added to either side for the arms, reference mm."""

AIR_HU = -1000.0
SKIN_HU, FAT_HU, MUSCLE_HU = 15.0, -102.0, 52.0
MEDIASTINAL_FAT_HU = -88.0
BLOOD_HU, HEART_HU, LIVER_HU, SPLEEN_HU, STOMACH_HU = 42.0, 44.0, 60.0, 50.0, 22.0
GAS_HU = -985.0
"""Gas in the stomach and the bronchi: not quite air, for it is warm, wet and blurred."""

VESSEL_HU, WALL_HU = 40.0, 15.0
FLUID_HU = 12.0
"""What fills the place of a lung that was taken out."""

LUNG_HU = -862.0
"""Parenchyma between the vessels, mid height."""

GRAVITY_HU_PER_MM = 0.16
"""How much denser the lung gets towards the back."""

TABLE_HU = (-480.0, -905.0)
"""Shell and filling of the table."""


@dataclass(frozen=True)
class Model:
    """A noise-free chest.

    Attributes
    ----------
    hu : (Z, Y, X) float32
    labels : (Z, Y, X) uint8
        Lobes with everything in them, no airway cut out.
    airway : (Z, Y, X) uint8
        1 + generation of the airway (lumen and wall) a voxel lies in, plus `truth.SMALL_AIRWAY` if it is
        one; 0 elsewhere.
    vessel : (Z, Y, X) uint8
        Radius of the artery or vein a voxel lies in, in steps of `truth.VESSEL_STEP_MM`; 0 elsewhere.
    grid : Grid
        In reference mm.
    fields : Fields
        What the anatomy was painted from.
    scale : float
        Patient mm per reference mm.
    """

    hu: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    airway: npt.NDArray[np.uint8]
    vessel: npt.NDArray[np.uint8]
    grid: Grid
    fields: Fields
    scale: float
    trees: Trees
    shape: Shape

    @property
    def step_mm(self) -> float:
        """Edge of a voxel, patient mm."""
        return self.grid.step * self.scale


@dataclass(frozen=True)
class _Layers:
    """Fields beyond the anatomy's that a slice is painted from."""

    liver: Field
    spleen: Field
    stomach: Field
    streaks: Field
    texture: Field
    holes: tuple[Field, Field, Field]
    """How visible each fissure is; 0 is the edge of a gap."""
    accessory: tuple[tuple[Field, Field], ...]
    """Accessory fissures: left minor, right inferior; and how visible each is."""


def build_model(spec: ChestSpec) -> Model:
    """Build the healthy chest of a spec, on its fine grid."""
    shape = thorax.person(spec)
    more = spec.fat_mm + (ARMS_ROOM_MM if spec.arms_down else 0.0)
    low = (-240.0, -128.0 - spec.fat_mm, -194.0 - more)
    high = (122.0, 182.0 + spec.fat_mm, 194.0 + more)
    coarse = Grid.spanning(low, high, COARSE_MM)
    fields = thorax.make_fields(coarse, shape)
    lobes = lobes_on(fields)
    scale = float((spec.lung_ml * 1000 / (np.count_nonzero(lobes) * COARSE_MM**3)) ** (1 / 3))
    if spec.missing_side is not None:
        fields = _without(fields, spec.missing_side)
        lobes = lobes_on(fields)
    heights = coarse.axis(0)[np.flatnonzero(lobes.any((1, 2)))[[0, -1]]]
    fine = Grid.spanning(
        (max(float(heights[0]) - 24, low[0]), *low[1:]),
        (min(float(heights[1]) + 26, high[0]), *high[1:]),
        spec.model_mm / scale,
    )
    trees = grow_trees(lobes, _depth(fields), coarse, spec.seed)
    hu, labels = _paint(spec, fields, fine, scale)
    airway, vessel = np.zeros((2, *hu.shape), np.uint8)
    model = Model(hu, labels, airway, vessel, fine, fields, scale, trees, shape)
    _draw_organs(model)
    if spec.arms_down:
        _draw_arms(model)
    _draw_trees(model, spec)
    return model


def lobes_on(fields: Fields) -> npt.NDArray[np.uint8]:
    """Return the lobes' numbers on the grid of the fields."""
    return thorax.lobes_of(
        fields.right, fields.left, fields.left_oblique, fields.right_oblique, fields.minor
    )


def _without(fields: Fields, side: Side) -> Fields:
    gone = np.full_like(fields.right, 50.0)
    return replace(fields, right=gone) if side is Side.RIGHT else replace(fields, left=gone)


def _depth(fields: Fields) -> npt.NDArray[np.bool_]:
    """Where vessels and bronchi may end: inside a lobe, off the pleura and the fissures."""
    lung = np.minimum(fields.right, fields.left) < -2.5
    left = np.abs(fields.left_oblique) > 3
    right = (np.abs(fields.right_oblique) > 3) & (
        (np.abs(fields.minor) > 3) | (fields.right_oblique < 0)
    )
    return np.asarray(lung & np.where(fields.left < 0, left, right))


# --- tissues ------------------------------------------------------------------------------------


def _layers(spec: ChestSpec, fields: Fields) -> _Layers:
    grid = fields.grid
    under = soft_max(fields.under + 4, fields.cage + 3, 5)
    liver = soft_max(under, ellipsoid(grid, (-190, -4, -66), (100, 88, 100)), 6)
    spleen = soft_max(under, ellipsoid(grid, (-192, 46, 92), (52, 40, 34)), 6)
    stomach = soft_max(under + 5, ellipsoid(grid, (-176, -12, 62), (48, 50, 46)), 8)
    rng = stream(spec.seed, Stream.TEXTURE)
    fissures = stream(spec.seed, Stream.FISSURES)
    fine, broad = smooth_noise(grid, 3.2, rng), smooth_noise(grid, 14, rng)
    return _Layers(
        liver=liver,
        spleen=spleen,
        stomach=np.asarray(soft_max(stomach, -liver + 4, 3), np.float32),
        streaks=smooth_noise(grid, 9, rng),
        texture=5 * fine + 6 * broad,
        holes=tuple(_gaps(f, spec.incomplete, fissures) for f in _with_lungs(fields)),  # type: ignore[arg-type]
        accessory=thorax.accessory_fissures(grid) if spec.accessory else (),
    )


def _with_lungs(fields: Fields) -> Iterator[tuple[Field, Field, Grid]]:
    yield fields.left_oblique, fields.left, fields.grid
    yield fields.right_oblique, fields.right, fields.grid
    yield fields.minor, np.maximum(fields.right, -fields.right_oblique), fields.grid


def _gaps(sheet: tuple[Field, Field, Grid], incomplete: float, rng: np.random.Generator) -> Field:
    """Return a field that is negative on the wanted share of a fissure."""
    fissure, lung, grid = sheet
    noise = smooth_noise(grid, 16, rng)
    on = noise[(np.abs(fissure) < grid.step) & (lung < 0)]
    if incomplete <= 0 or not len(on):
        return np.full_like(noise, 9.0)
    return np.asarray(noise - np.quantile(on, incomplete), np.float32)


def _cover(distance: Field, soft: float) -> Field:
    """Share of a voxel that lies inside."""
    return np.asarray(np.clip(np.float32(0.5) - distance / np.float32(soft), 0, 1))


def _blend(hu: Field, distance: Field, value: Field | float, soft: float) -> None:
    hu += (value - hu) * _cover(distance, soft)


def _paint(
    spec: ChestSpec, fields: Fields, fine: Grid, scale: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Paint every slice: body, belly, heart, lungs, fissures."""
    layers = _layers(spec, fields)
    read = Resampler(fields.grid, fine)
    hu = np.full(fine.shape, AIR_HU, np.float32)
    labels = np.zeros(fine.shape, np.uint8)
    fat = thorax.person(spec).fat

    def paint(z: int) -> None:
        _paint_table(hu[z], fine, spec.fat_mm)
        _paint_body(hu[z], fields, layers, read, z, fat, fine)
        labels[z] = _paint_lungs(hu[z], fields, layers, read, z, fine, spec, scale)

    every_slice(paint, fine.shape[0])
    return hu, labels


def _paint_body(
    hu: Field, fields: Fields, layers: _Layers, read: Resampler, z: int, fat: float, fine: Grid
) -> None:
    soft = fine.step
    y = fine.open()[1]
    skin, cage = read.slice(fields.skin, z), read.slice(fields.cage, z)
    under, streaks = read.slice(fields.under, z), read.slice(layers.streaks, z)
    _blend(hu, skin, SKIN_HU, soft)
    _blend(hu, skin + 1.8, FAT_HU, soft)
    muscle = np.maximum(skin + np.float32(fat) + 2 * streaks, 0.35 - 5 * np.abs(streaks))
    _blend(hu, np.maximum(muscle, 2 - cage), MUSCLE_HU, soft)
    _blend(hu, cage - 1, MEDIASTINAL_FAT_HU, soft)
    rim = np.maximum(cage - 1, -(cage + 2.5))
    _blend(hu, np.maximum(rim, under), MUSCLE_HU, soft)
    _blend(hu, np.maximum(np.maximum(under, -under - 4), cage), MUSCLE_HU, soft)
    stomach = read.slice(layers.stomach, z)
    for field, value in (
        (read.slice(layers.liver, z), LIVER_HU),
        (read.slice(layers.spleen, z), SPLEEN_HU),
    ):
        _blend(hu, field, value, soft)
    _blend(hu, stomach - 3, MUSCLE_HU, soft)
    _blend(hu, stomach, STOMACH_HU, soft)
    _blend(hu, np.maximum(stomach, y[0] + 26), GAS_HU, soft)
    _blend(hu, read.slice(fields.heart, z), HEART_HU, soft)


def _paint_table(hu: Field, fine: Grid, lower: float) -> None:
    """Paint a curved shell with a light filling, and a thin mat on it."""
    soft = fine.step
    y, x = (line[0] for line in fine.open()[1:])
    top = np.float32(136 + lower) - x * x / 1900
    under = np.maximum(top - y, y - (top + 22))
    _blend(hu, np.asarray(np.maximum(top - 9 - y, y - top), np.float32), -960.0, soft)
    _blend(hu, np.asarray(under, np.float32), TABLE_HU[0], soft)
    _blend(hu, np.asarray(under + 1.8, np.float32), TABLE_HU[1], soft)


def _paint_lungs(
    hu: Field,
    fields: Fields,
    layers: _Layers,
    read: Resampler,
    z: int,
    fine: Grid,
    spec: ChestSpec,
    scale: float,
) -> npt.NDArray[np.uint8]:
    right, left, oblique_l, oblique_r, minor = (
        read.slice(f, z)
        for f in (
            fields.right,
            fields.left,
            fields.left_oblique,
            fields.right_oblique,
            fields.minor,
        )
    )
    lung = np.minimum(right, left)
    if spec.missing_side is not None:
        cavity = np.maximum(read.slice(fields.cage, z) + 2, -read.slice(fields.under, z))
        sign = 1 if spec.missing_side is Side.LEFT else -1
        empty = np.maximum(cavity, 28 - sign * fine.open()[2][0])
        heart = read.slice(fields.heart, z)
        _blend(hu, np.maximum(empty, 3 - heart), FLUID_HU, fine.step)
    y = fine.open()[1][0]
    tissue = LUNG_HU + GRAVITY_HU_PER_MM * y + read.slice(layers.texture, z)
    shares = [read.slice(hole, z) for hole in layers.holes]
    on_right = right < left
    sheets = [
        (oblique_l, shares[0], ~on_right),
        (oblique_r, shares[1], on_right),
        (minor, shares[2], on_right & (oblique_r > 0)),
    ]
    for (sheet, seen), where in zip(
        layers.accessory, (~on_right & (oblique_l > 0), on_right & (oblique_r < 0)), strict=False
    ):
        sheets.append((read.slice(sheet, z), read.slice(seen, z), where))
    thick = spec.fissure_mm / scale
    for field, seen, where in sheets:
        there = np.clip(0.5 + seen / 0.25, 0, 1) * where
        share = np.clip(1 - np.abs(field) / fine.step, 0, 1) * min(1.0, thick / fine.step) * there
        tissue = tissue + (0 - tissue) * share
    _blend(hu, lung, np.asarray(tissue, np.float32), fine.step)
    return thorax.lobes_of(right, left, oblique_l, oblique_r, minor)


# --- tubes and bones ----------------------------------------------------------------------------


def tube_segments(tubes: tuple[Tube, ...], wider: float = 0.0) -> npt.NDArray[np.float64]:
    """Return tubes of even radius as segments."""
    return np.array(
        [[*start, *end, radius + wider, radius + wider] for start, end, radius in tubes], np.float64
    )


def draw(model: Model, segments: npt.NDArray[np.float64], value: float) -> None:
    """Blend the union of capsules, in reference mm from the carina, into the model."""
    draw_capsules(
        model.hu, _on_grid(segments, model.grid), value, _spacing(model.grid), model.grid.step
    )


def _on_grid(segments: npt.NDArray[np.float64], grid: Grid) -> npt.NDArray[np.float64]:
    shift = np.array([*grid.origin, *grid.origin, 0.0, 0.0])
    return np.ascontiguousarray(segments - shift)


def _spacing(grid: Grid) -> npt.NDArray[np.float64]:
    return np.full(3, grid.step)


def _draw_outside(model: Model, segments: npt.NDArray[np.float64], value: float) -> None:
    """Draw what is no lung: where it reaches into the formula of a lung, the lung gives way."""
    draw(model, segments, value)
    _mark(model, model.labels, segments, np.zeros(len(segments), np.uint8))


def _draw_organs(model: Model) -> None:
    shape = model.shape
    blood = thorax.AORTA + thorax.PULMONARY_TRUNK + thorax.PULMONARY_ARTERIES
    vessels = tube_segments(blood + thorax.GREAT_VEINS + thorax.ARCH_BRANCHES)
    _draw_outside(model, vessels, BLOOD_HU)
    _draw_outside(model, tube_segments(thorax.OESOPHAGUS), 36.0)
    _draw_spine(model)
    cortex, marrow, cartilage = bones.ribs(shape)
    _draw_outside(model, cartilage, bones.CARTILAGE_HU)
    plates = [(cortex, marrow), bones.sternum(shape), bones.clavicles(shape)]
    for outer, inner in plates:
        _draw_outside(model, outer, bones.CORTEX_HU)
        draw(model, inner, bones.MARROW_HU)
    _draw_outside(model, bones.scapulae(shape), 0.8 * bones.CORTEX_HU)


def _draw_arms(model: Model) -> None:
    outline = 172.0 + model.shape.fat - 10
    for radius, value in (
        (bones.ARM_MM, FAT_HU),
        (bones.ARM_MM - 6, MUSCLE_HU),
        (11.0, bones.CORTEX_HU),
        (7.0, bones.MARROW_HU),
    ):
        limb = bones.arms(outline)
        limb[:, 6:] = radius
        draw(model, limb, value)


def _draw_spine(model: Model) -> None:
    line = np.arange(-244.0, 130.0, 4.0)
    y = thorax.spine_y(line)
    for radius, value in ((16.0, 330.0), (14.2, 165.0)):
        rows = [
            [a, b, x, c, d, x, radius - 1, radius - 1]
            for a, b, c, d in zip(line[:-1], y[:-1], line[1:], y[1:], strict=True)
            for x in (-2.0, 2.0)
        ]
        _draw_outside(model, np.array(rows, np.float64), value)
    arches, canal, discs = bones.arches()
    _draw_outside(model, discs, 85.0)
    _draw_outside(model, arches, 420.0)
    _draw_outside(model, canal, 25.0)


def _draw_trees(model: Model, spec: ChestSpec) -> None:
    """Vessels, then all walls, then all lumens, so that no wall stands across a lumen."""
    scale = model.scale
    trees = model.trees
    vessels = np.concatenate([trees.arteries.segments, trees.veins.segments])
    vessels = vessels[vessels[:, 7] * scale > SMALLEST_VESSEL_MM]
    vessels = vessels[
        np.argsort(vessels[:, 6:].mean(1), kind="stable")
    ]  # the wider one's number stays
    draw(model, vessels, VESSEL_HU)
    steps = vessels[:, 6:].mean(1) * scale / VESSEL_STEP_MM
    _mark(model, model.vessel, vessels, np.clip(np.rint(steps), 1, 255).astype(np.uint8))
    airways = trees.airways
    seen = airways.segments[:, 7] * scale > SMALLEST_LUMEN_MM
    outer = with_walls(airways, scale, spec.wall)
    draw(model, outer[seen], WALL_HU)
    draw(model, airways.segments[seen], GAS_HU)
    order = np.flatnonzero(seen)[::-1]  # the trachea last, so that its number stays
    small = 2 * airways.segments[order, 6:].mean(1) * scale < smallest_airway_mm(spec.voxel_mm)
    numbers = airways.generation[order] + np.uint8(1) + np.uint8(SMALL_AIRWAY) * small
    _mark(model, model.airway, outer[order], numbers.astype(np.uint8))
    model.vessel[model.airway > 0] = 0


def _mark(
    model: Model,
    marks: npt.NDArray[np.uint8],
    segments: npt.NDArray[np.float64],
    numbers: npt.NDArray[np.uint8],
) -> None:
    mark_capsules(marks, _on_grid(segments, model.grid), numbers, _spacing(model.grid))


def with_walls(airways: Tree, scale: float, thickness: float) -> npt.NDArray[np.float64]:
    """Return the airways' segments out to the outer side of the wall."""
    return airways.widened(thickness * wall_mm(airways.segments[:, 7] * scale) / scale)
