import json

import pytest

from qct.cli import main
from qct.cli.phantom import PRESET_NAMES, SETTINGS
from qct.phantom import PRESETS, ChestSpec

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


def test_every_option_is_a_setting_and_every_preset_is_offered():
    assert set(SETTINGS) <= set(ChestSpec.__dataclass_fields__)
    assert set(PRESET_NAMES) == set(PRESETS)
