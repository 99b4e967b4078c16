import json
from pathlib import Path

import numpy as np
import pytest

from qct.cli import main
from qct.cli.phantom import COMPRESSIONS, PRESET_NAMES, SETTINGS
from qct.phantom import PRESETS, ChestSpec, Compression

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


def test_both_breaths_of_both_dates_are_four_scans_of_one_person(tmp_path, capsys):
    out = tmp_path / "chest"
    args = ["--breath", "both", "--progression", "6", "--laa", "5", "--json", "--no-noise"]
    assert main(["phantom", str(out), *TINY, *args]) == 0
    told = json.loads(capsys.readouterr().out)
    folders = [str(Path(one["truth"]).parent.relative_to(out)) for one in told]
    assert folders == [f"date{d}/{b}" for d in (1, 2) for b in ("inspiration", "expiration")]
    truths = [json.loads((out / one / "truth.json").read_text()) for one in folders]
    laa, millilitres = (
        [t["model"]["regions"]["whole_lung"][q]["value"] for t in truths]
        for q in ("laa950_percent", "volume_ml")
    )
    assert laa[2] - laa[0] == pytest.approx(6, abs=0.05)
    assert millilitres[1] < 0.85 * millilitres[0]
    way = np.load(out / "date1/expiration/displacement.npz")
    assert way["vectors_mm"].shape[3] == 3
    assert not (out / "date1/inspiration/displacement.npz").exists()


def test_every_option_is_a_setting_and_every_preset_is_offered():
    assert set(SETTINGS) <= set(ChestSpec.__dataclass_fields__)
    assert set(PRESET_NAMES) == set(PRESETS)
    assert set(COMPRESSIONS) == set(Compression)
