from dataclasses import replace

import cc3d
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from qct.errors import OptionError
from qct.phantom import PRESETS, ChestSpec, make_chest, preset
from qct.phantom.emphysema import add_holes
from qct.phantom.model import build_model
from qct.phantom.spec import Emphysema
from qct.phantom.truth import VESSEL_STEP_MM, cluster_exponent
from qct.regions import DENSE, LOBES, LUNG_REGIONS, Label, Side


def value(chest, which, region, quantity):
    return chest.truth[which]["regions"][region][quantity]["value"]


def test_the_same_spec_gives_the_same_bits_on_one_thread_too(tiny, tiny_spec, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    again = make_chest(tiny_spec)
    assert again.volume.hu.tobytes() == tiny.volume.hu.tobytes()
    assert again.labels.tobytes() == tiny.labels.tobytes()
    assert again.truth == tiny.truth


def test_another_seed_is_another_person(tiny, tiny_spec):
    other = make_chest(replace(tiny_spec, seed=8))
    assert other.truth["model"] != tiny.truth["model"]


def test_disease_and_kernel_leave_the_person_alone(body, tiny_spec):
    other = build_model(replace(tiny_spec, laa=30.0, exposure_mas=20.0))
    np.testing.assert_array_equal(body.hu, other.hu)


def holes(body, spec):
    """Where holes come to lie in a copy of a healthy body."""
    ill = replace(body, hu=body.hu.copy())
    add_holes(ill, spec)
    return (np.rint(ill.hu) < -950) & (np.rint(body.hu) >= -950)


def test_more_emphysema_keeps_the_holes_that_there_were(body, tiny_spec):
    before, after = holes(body, tiny_spec), holes(body, replace(tiny_spec, laa=20.0))
    assert not (before & ~after).any()
    assert after.sum() > 1.9 * before.sum()


def test_every_lobe_has_the_emphysema_that_was_asked_for_it(tiny_spec):
    wanted = {"right_upper_lobe": 20.0, "left_lower_lobe": 6.0}
    one = make_chest(replace(tiny_spec, laa_lobes=wanted))
    for lobe, percent in wanted.items():
        assert value(one, "model", lobe, "laa950_percent") == pytest.approx(percent, abs=0.05)
    assert value(one, "model", "left_upper_lobe", "laa950_percent") < 1


def test_paraseptal_holes_lie_under_the_pleura_and_the_others_do_not(body, tiny_spec):
    depth = distance_transform_edt(body.labels > 0)
    near = {}
    for pattern in (Emphysema.PARASEPTAL, Emphysema.CENTRILOBULAR):
        spec = replace(tiny_spec, laa=3.0, emphysema=pattern)
        near[pattern] = np.median(depth[holes(body, spec)])
    assert near[Emphysema.PARASEPTAL] < 3.5 < near[Emphysema.CENTRILOBULAR]


def test_vessels_and_airways_are_known(chest):
    for which in ("model", "sampled"):
        total = value(chest, which, "whole_lung", "total_vessel_volume_ml")
        assert 60 < value(chest, which, "whole_lung", "bv5_ml") < total < 250
    airways = chest.truth["airways"]
    lumen = [one["lumen_mm"] for one in airways["by_generation"].values()]
    assert len(lumen) > 6
    assert lumen == sorted(lumen, reverse=True)
    assert airways["segmental"]["branches"] == 10
    assert 2 < airways["pi10_mm"] < 5


def test_where_vessels_meet_the_wider_one_counts(body):
    trees = body.trees
    vessels = np.concatenate([trees.arteries.segments, trees.veins.segments])
    ends, radius = vessels[:, 3:6] - body.grid.origin, vessels[:, 6:].mean(1)
    at = np.rint(ends / body.grid.step).astype(int)
    off = np.linalg.norm(at * body.grid.step - ends, axis=1)
    inside = (at >= 0).all(1) & (at < body.vessel.shape).all(1) & (off <= vessels[:, 7])
    at, radius = tuple(at[inside].T), radius[inside]
    free = body.airway[at] == 0
    assert np.count_nonzero(free) > 50
    numbers = np.rint(radius * body.scale / VESSEL_STEP_MM)
    assert (body.vessel[at] >= numbers)[free].all()


def test_the_cluster_exponent_is_the_slope_of_a_known_power_law():
    low = np.zeros((200, 200, 30), bool)
    at = iter(np.argwhere(np.ones((100, 100))))  # bars on a comb: none touches another
    volumes = np.arange(5, 27)
    for volume in volumes:
        for _ in range(round(3000 / volume**2)):
            z, y = 2 * next(at)
            low[z, y, :volume] = True
    number = np.array([round(3000 / volume**2) for volume in volumes])
    at_least = number[::-1].cumsum()[::-1]
    slope = np.polyfit(np.log(volumes), np.log(at_least), 1)[0]
    assert cluster_exponent(low, 1.0) == pytest.approx(-slope, abs=1e-9)
    assert cluster_exponent(low[:2], 1.0) is None


def test_the_model_has_the_emphysema_that_was_asked_for(chest):
    assert value(chest, "model", "whole_lung", "laa950_percent") == pytest.approx(10.0, abs=0.01)


@pytest.mark.parametrize("which", ["model", "sampled"])
def test_lobes_thirds_and_lungs_add_up(chest, which):
    def total(keys):
        return sum(value(chest, which, key, "volume_ml") for key in keys)

    whole = value(chest, which, "whole_lung", "volume_ml")
    assert total(lobe.key for lobe in LOBES) == pytest.approx(whole)
    assert total(("right_lung", "left_lung")) == pytest.approx(whole)
    assert total(("upper_third", "middle_third", "lower_third")) == pytest.approx(whole)
    assert value(chest, which, "upper_third", "volume_ml") == pytest.approx(whole / 3, rel=0.03)


def test_both_truths_know_every_region(chest):
    for which in ("model", "sampled"):
        assert set(chest.truth[which]["regions"]) == {r.key for r in LUNG_REGIONS} | {"airway"}


def test_lung_volume_is_near_the_wanted_one_and_on_the_grid_near_the_model(chest, small_spec):
    model = value(chest, "model", "whole_lung", "volume_ml")
    assert model == pytest.approx(small_spec.lung_ml, rel=0.04)  # less the airways
    assert value(chest, "sampled", "whole_lung", "volume_ml") == pytest.approx(model, rel=0.01)


def test_noise_moves_the_share_of_low_attenuation_little(chest):
    lung = (chest.labels > 0) & (chest.labels < Label.AIRWAY)
    measured = 100 * np.mean(chest.volume.hu[lung] < -950)
    assert measured == pytest.approx(
        value(chest, "sampled", "whole_lung", "laa950_percent"), abs=0.3
    )


def test_every_lobe_is_one_piece(chest):
    for label in (1, 2, 3, 4, 5):
        lobe = np.isin(chest.labels, (label, label + DENSE))
        sizes = np.bincount(cc3d.connected_components(lobe, connectivity=26).ravel())[1:]
        assert sizes.max() / sizes.sum() > 0.995, label


def test_the_right_lung_is_on_the_right_and_the_upper_lobe_above(chest):
    centre = {one: np.argwhere(chest.labels == one).mean(0) for one in range(1, 6)}
    assert centre[Label.RIGHT_UPPER_LOBE][2] < centre[Label.LEFT_UPPER_LOBE][2]
    assert centre[Label.RIGHT_UPPER_LOBE][0] > centre[Label.RIGHT_MIDDLE_LOBE][0]
    assert centre[Label.RIGHT_MIDDLE_LOBE][0] > centre[Label.RIGHT_LOWER_LOBE][0] - 20
    assert centre[Label.RIGHT_MIDDLE_LOBE][1] < centre[Label.RIGHT_LOWER_LOBE][1]


def test_every_bronchus_starts_where_its_parent_ends_and_is_no_wider(chest):
    tree = chest.trees.airways
    child = np.flatnonzero(tree.parent >= 0)
    starts, ends = tree.segments[child, :3], tree.segments[tree.parent[child], 3:6]
    np.testing.assert_allclose(starts, ends, atol=1e-9)
    assert (tree.segments[child, 7] <= tree.segments[tree.parent[child], 7] + 1e-9).all()
    assert (tree.generation[child] == tree.generation[tree.parent[child]] + 1).all()
    assert np.count_nonzero(tree.parent < 0) == 1
    assert set(tree.lobe.tolist()) == {0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize(("tree", "exponent"), [("airways", 2.6), ("veins", 3.0)])
def test_a_branch_carries_what_its_children_carry_by_murrays_law(chest, tree, exponent):
    grown = getattr(chest.trees, tree)
    flow = grown.segments[:, 7] ** exponent
    child = np.flatnonzero((grown.parent >= 0) & (grown.lobe > 0))
    child = child[grown.lobe[grown.parent[child]] > 0]
    carried = np.bincount(grown.parent[child], weights=flow[child], minlength=len(flow))
    divided = np.flatnonzero(carried)
    np.testing.assert_allclose(carried[divided], flow[divided], rtol=1e-6)


def test_a_trunk_bends_less_at_a_division_than_its_thin_branch(chest):
    veins = chest.trees.veins
    along = veins.segments[:, 3:6] - veins.segments[:, :3]
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    child = np.flatnonzero((veins.parent >= 0) & (veins.generation > 2))
    turn = np.degrees(np.arccos(np.clip((along[child] * along[veins.parent[child]]).sum(1), -1, 1)))
    share = (veins.segments[child, 7] / veins.segments[veins.parent[child], 7]) ** 3
    assert np.median(turn[share > 0.8]) < 20 < np.median(turn[share < 0.3])


def test_bronchi_are_longer_than_they_are_wide(chest):
    tree = chest.trees.airways
    length = np.linalg.norm(tree.segments[:, 3:6] - tree.segments[:, :3], axis=1)
    ratio = (length / (2 * tree.segments[:, 7]))[(tree.generation > 2) & (tree.generation < 8)]
    assert np.quantile(ratio, 0.1) > 1
    assert 1.5 < np.median(ratio) < 4


def test_no_bone_lies_in_a_lung(chest):
    lung = (chest.labels > 0) & (chest.labels < Label.AIRWAY)
    inside = distance_transform_edt(lung, sampling=chest.volume.spacing_mm) > 3.5
    assert chest.clean_hu[inside].max() < 100


def test_trachea_reaches_the_bronchi_of_both_lungs_through_air(chest):
    lumen = (chest.airway > 0) & (chest.airway <= 4) & (chest.clean_hu < -700)
    pieces = cc3d.connected_components(lumen, connectivity=26)
    trachea = np.bincount(pieces[chest.airway == 1])[1:].argmax() + 1
    main = pieces == trachea
    middle = chest.volume.shape[2] // 2
    assert (main & (chest.airway == 2))[..., :middle].any()
    assert (main & (chest.airway == 2))[..., middle:].any()


def test_a_lung_that_was_taken_out_is_not_there():
    spec = preset("one-lung", model_mm=3.0, size=64, slice_mm=5.0)
    assert spec.missing_side is Side.LEFT
    one = make_chest(spec)
    assert not np.isin(one.labels, (Label.LEFT_UPPER_LOBE, Label.LEFT_LOWER_LOBE)).any()
    assert "left_lung" not in one.truth["sampled"]["regions"]
    assert value(one, "sampled", "right_lung", "volume_ml") > 1500


def test_airless_lung_counts_for_volume_and_not_for_density():
    spec = preset("pneumonia", model_mm=2.5, size=96, slice_mm=5.0, n_nodules=2)
    one = make_chest(spec)
    dense = np.isin(one.labels, (Label.RIGHT_LOWER_LOBE + DENSE,))
    assert dense.sum() * one.volume.voxel_ml == pytest.approx(120, rel=0.1)
    assert value(one, "sampled", "right_lower_lobe", "mean_hu") < -700


def test_fluid_is_no_lung_and_a_mass_is_airless_lung(tiny_spec, tiny):
    ill = make_chest(replace(tiny_spec, effusion_ml=400.0, tumour_mm=50.0))
    healthy = value(tiny, "sampled", "right_lung", "volume_ml")
    left = healthy - value(ill, "sampled", "right_lung", "volume_ml")
    assert left == pytest.approx(400, rel=0.15)
    mass = np.count_nonzero(ill.labels == Label.RIGHT_UPPER_LOBE + DENSE) * ill.volume.voxel_ml
    assert mass == pytest.approx(np.pi / 6 * 50**3 / 1000, rel=0.15)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_spec(name):
    assert preset(name, seed=3).seed == 3


@pytest.mark.parametrize(
    "wrong",
    [{"laa": 61}, {"size": 10}, {"kernel": "blurry"}, {"seed": -1}, {"laa_lobes": {"lingula": 3}}],
)
def test_a_setting_outside_its_limits_is_refused_with_a_hint(wrong):
    with pytest.raises(OptionError) as refused:
        ChestSpec(**wrong)
    assert refused.value.hint


def test_an_unknown_setting_or_preset_is_refused():
    with pytest.raises(OptionError, match="lungs"):
        preset("healthy", lungs=3)
    with pytest.raises(OptionError, match="poorly"):
        preset("poorly")
