import argparse
import json

import numpy as np
import pytest

from qct.cli import main
from qct.cli.phantom import COMPRESSIONS, PRESET_NAMES, SETTINGS, _specs, add_to
from qct.phantom import PRESETS, ChestSpec, Compression, preset

TINY = ["--model-mm", "3", "--size", "64", "--slice-mm", "10"]


def test_the_command_writes_series_and_truth_says_so_and_replaces_them_only_by_force(
    tmp_path, capsys
):
    out = tmp_path / "chest"
    assert main(["phantom", str(out), *TINY, "--seed", "3", "--scout", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(list((out / "dicom").iterdir())) == told["n_files"] == told["shape"][0] + 1
    truth = json.loads((out / "truth.json").read_text())
    assert truth["sampled"]["regions"]["whole_lung"] == told["whole_lung"]
    assert truth["spec"]["seed"] == 3
    assert sorted(path.name for path in out.iterdir()) == ["dicom", "truth.json"]
    assert main(["phantom", str(out), *TINY]) == 5
    assert "--force" in capsys.readouterr().err
    assert main(["phantom", str(out), *TINY, "--seed", "4", "--force"]) == 0
    assert json.loads((out / "truth.json").read_text())["spec"]["seed"] == 4


@pytest.mark.parametrize(
    "wrong", [["--laa", "99"], ["--kernel", "unknown"], ["--kernel", "b70"], ["--laa-lobes", "all"]]
)
def test_a_wrong_setting_exits_2_and_writes_nothing(tmp_path, wrong):
    assert main(["phantom", str(tmp_path / "out"), *wrong]) == 2
    assert not (tmp_path / "out").exists()


def asked_for(*words):
    parser = argparse.ArgumentParser()
    add_to(parser.add_subparsers())
    return _specs(parser.parse_args(["phantom", "out", *words]))


def test_both_breaths_of_both_dates_are_four_scans_of_one_person():
    specs = asked_for("--breath", "both", "--progression", "6", "--laa", "5")
    assert list(specs) == [
        f"date{date}/{breath}" for date in (1, 2) for breath in ("inspiration", "expiration")
    ]
    assert [one.laa for one in specs.values()] == [5, 5, 11, 11]
    assert {one.seed for one in specs.values()} == {7}
    assert asked_for() == {"": preset("healthy")}


def test_an_expiratory_scan_comes_with_the_way_back_to_inspiration(tmp_path):
    assert main(["phantom", str(tmp_path), *TINY, "--breath", "expiration", "--no-noise"]) == 0
    way = np.load(tmp_path / "displacement.npz")
    assert way["vectors_mm"].shape == (*way["wall_mm"].shape, 3)
    assert way["vectors_mm"][..., 0].min() == pytest.approx(-45, abs=1)


def test_every_option_is_a_setting_and_every_preset_is_offered():
    assert set(SETTINGS) <= set(ChestSpec.__dataclass_fields__)
    assert set(PRESET_NAMES) == set(PRESETS)
    assert set(COMPRESSIONS) == set(Compression)
