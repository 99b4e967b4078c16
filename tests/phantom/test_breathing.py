from dataclasses import replace

import numpy as np
import pytest

from qct.phantom import make_chest
from qct.phantom.breathing import breathe_out
from qct.phantom.space import Resampler
from qct.phantom.spec import Breath


@pytest.fixture(scope="module")
def breathed(body):
    return breathe_out(body, 45.0)


def parenchyma(model):
    return (model.labels > 0) & (model.airway == 0) & (model.vessel == 0) & (model.hu < -700)


def test_breathing_out_keeps_the_mass_of_the_parenchyma_and_loses_air(body, breathed):
    out, _ = breathed
    litres = [np.count_nonzero(m.labels) * m.step_mm**3 / 1e6 for m in (body, out)]
    assert 0.6 * litres[0] < litres[1] < 0.85 * litres[0]
    plain = [(m.labels > 0) & (m.airway == 0) & (m.vessel == 0) for m in (body, out)]
    mass = [(m.hu[where] + 1000.0).sum() for m, where in zip((body, out), plain, strict=True)]
    assert mass[1] == pytest.approx(mass[0], rel=0.05)


def test_what_lies_at_a_place_in_expiration_was_where_the_displacement_says(body, breathed):
    out, displacement = breathed
    places = np.argwhere(parenchyma(out))[::97]
    origin = np.array(out.grid.origin) * out.scale
    at_mm = origin + places * out.step_mm
    before = np.rint((at_mm + displacement.at(at_mm) - origin) / out.step_mm).astype(int)
    same = body.labels[tuple(before.T)] == out.labels[tuple(places.T)]
    assert same.mean() > 0.99


def test_branches_end_where_they_ended_moved_by_the_displacement(body, breathed):
    out, displacement = breathed
    ends = out.trees.veins.segments[:, 3:6] * out.scale
    before = body.trees.veins.segments[:, 3:6] * body.scale
    off = np.linalg.norm(ends + displacement.at(ends) - before, axis=1)
    assert np.quantile(off, 0.99) < 0.05  # a few tips touch the wall that lung slides along
    assert np.ptp(ends[:, 0]) < np.ptp(before[:, 0]) - 20


def test_ribs_and_skin_stand_still(body, breathed):
    out, displacement = breathed
    outside = np.argwhere(body.fields.cage > 4) * displacement.step_mm + displacement.origin_mm
    assert not displacement.at(outside[::101]).any()
    read = Resampler(body.fields.grid, body.grid)
    for z in range(0, body.hu.shape[0], 9):
        still = read.slice(body.fields.cage, z) > 4
        np.testing.assert_array_equal(out.hu[z][still], body.hu[z][still])


def test_the_diaphragm_rises_as_far_as_was_asked_for(breathed):
    assert breathed[1].vectors_mm[..., 0].min() == pytest.approx(-45, abs=0.5)


def test_an_expiratory_chest_knows_what_it_measures_and_the_way_back(tiny, tiny_spec):
    out = make_chest(replace(tiny_spec, breath=Breath.EXPIRATION))
    regions = [c.truth["sampled"]["regions"]["whole_lung"] for c in (tiny, out)]
    volume, density = ([r[q]["value"] for r in regions] for q in ("volume_ml", "mean_hu"))
    assert volume[1] < 0.85 * volume[0]
    assert density[1] > density[0] + 20
    assert out.displacement is not None
    assert tiny.displacement is None
    assert "airways" not in out.truth
