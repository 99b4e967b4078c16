"""Networks of other people: mapped by name, never fetched unasked. Stand-ins play them here."""

import sys
from types import ModuleType, SimpleNamespace

import nibabel
import numpy as np
import pytest

from qct.errors import NoLungsError, OptionError
from qct.flags import Flag
from qct.options import Options
from qct.regions import LOBES, Label
from qct.segment import segment
from qct.segment.networks import LUNGMASK_NAMES, TOTAL_ROIS
from qct.volume import PADDING_HU, Volume

SHAPE = (20, 40, 60)
TRUTH = {
    "right_upper_lobe": (slice(10, 18), slice(5, 35), slice(4, 26)),
    "right_middle_lobe": (slice(6, 10), slice(5, 20), slice(4, 26)),
    "right_lower_lobe": (slice(2, 10), slice(20, 35), slice(4, 26)),
    "left_upper_lobe": (slice(8, 18), slice(5, 35), slice(34, 56)),
    "left_lower_lobe": (slice(2, 8), slice(5, 35), slice(34, 56)),
}
NUMBER = {region.key: int(region.labels[0]) for region in LOBES}


def volume():
    hu = np.full(SHAPE, 30, np.int16)
    for box in TRUTH.values():
        hu[box] = -850
    hu[:, 0] = PADDING_HU
    return Volume.from_spacing(hu, (5.0, 6.0, 5.0))


def drawn(number_of):
    labels = np.zeros(SHAPE, np.uint8)
    for key, box in TRUTH.items():
        labels[box] = number_of(key)
    return labels


def stand_in(monkeypatch, name, **members):
    module = ModuleType(name)
    vars(module).update(members)
    monkeypatch.setitem(sys.modules, name, module)
    return module


@pytest.fixture
def weights(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"w")
    return str(tmp_path / "weights.pth")


@pytest.fixture
def lungmask(monkeypatch):
    calls = []
    numbers = {name.replace(" ", "_"): number for number, name in LUNGMASK_NAMES.items()}

    class LMInferer:
        def __init__(self, **settings):
            calls.append(settings)

        def apply(self, hu):
            assert hu.min() >= -1024
            return drawn(lambda key: numbers[key])

    stand_in(monkeypatch, "lungmask", LMInferer=LMInferer)
    return calls


def lobes_agree(labels):
    expected = drawn(NUMBER.get)
    lung = labels != Label.AIRWAY
    np.testing.assert_array_equal(labels[lung], expected[lung])


def test_lungmask_is_mapped_by_name_and_recorded(lungmask, weights):
    found = segment(volume(), options=Options(segmenter="lungmask", weights=weights))
    lobes_agree(found.labels)
    assert Flag.NETWORK_LABELS in found.flags
    assert lungmask[0]["modelpath"] == weights
    assert found.method["segmenter"] == "lungmask"
    assert found.method["model"] == "LTRCLobes"
    assert found.method["weights"] == "weights.pth"


def test_lungmask_fetches_only_what_it_may(lungmask, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(OptionError, match="weights of lungmask are not at") as refusal:
        segment(volume(), options=Options(segmenter="lungmask"))
    assert "--allow-download" in refusal.value.hint
    assert lungmask == []
    segment(volume(), options=Options(segmenter="lungmask", allow_download=True))
    assert lungmask[0]["modelpath"] is None


def test_lungmask_uses_the_weights_that_are_there(lungmask, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    kept = tmp_path / "hub/checkpoints/unet_ltrclobes-3a07043d.pth"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"w")
    segment(volume(), options=Options(segmenter="lungmask"))
    assert lungmask[0]["modelpath"] == str(kept)


def total(monkeypatch, answer=None):
    """Stand in for TotalSegmentator: it counts through its names and wants to phone home."""
    class_map = {7 + k: name for k, name in enumerate(TOTAL_ROIS)}
    keys = {
        f"{n.split('_')[3]}_{n.split('_')[1]}_lobe": 7 + k for k, n in enumerate(TOTAL_ROIS[:5])
    }
    told = SimpleNamespace(sent=[], fetched=[], home=None)

    def totalsegmentator(image, output, **settings):
        import os

        told.home = os.environ.get("TOTALSEG_WEIGHTS_PATH")
        api.download_pretrained_weights(298)
        api.send_usage_stats({}, {})
        assert settings["roi_subset"] == list(TOTAL_ROIS)
        labels = drawn(keys.get) if answer is None else answer
        return nibabel.Nifti1Image(labels.transpose(2, 1, 0), image.affine)

    stand_in(monkeypatch, "totalsegmentator")
    stand_in(monkeypatch, "totalsegmentator.map_to_binary", class_map={"total": class_map})
    api = stand_in(
        monkeypatch,
        "totalsegmentator.python_api",
        totalsegmentator=totalsegmentator,
        send_usage_stats=lambda *_: told.sent.append(1),
        download_pretrained_weights=told.fetched.append,
    )
    return told


def test_totalsegmentator_is_mapped_by_name_and_tells_nobody(monkeypatch, tmp_path):
    told = total(monkeypatch)
    (tmp_path / "Dataset298_x").mkdir()
    options = Options(segmenter="totalsegmentator", weights=str(tmp_path))
    found = segment(volume(), options=options)
    lobes_agree(found.labels)
    assert told.home == str(tmp_path)
    assert (told.sent, told.fetched) == ([], [])


def test_totalsegmentator_fetches_only_what_it_may(monkeypatch, tmp_path):
    told = total(monkeypatch)
    options = Options(segmenter="totalsegmentator", weights=str(tmp_path))
    with pytest.raises(OptionError, match="Dataset298"):
        segment(volume(), options=options)
    allowed = Options(segmenter="totalsegmentator", weights=str(tmp_path), allow_download=True)
    segment(volume(), options=allowed)
    assert (told.sent, told.fetched) == ([], [298])


def test_a_network_that_finds_no_lung_is_no_segmentation(monkeypatch, tmp_path):
    total(monkeypatch, np.zeros(SHAPE, np.uint8))
    (tmp_path / "Dataset298_x").mkdir()
    with pytest.raises(NoLungsError, match="found no lung"):
        segment(volume(), options=Options(segmenter="totalsegmentator", weights=str(tmp_path)))


@pytest.mark.parametrize("name", ["lungmask", "totalsegmentator"])
def test_a_network_that_is_not_installed_says_how(monkeypatch, name, weights):
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, f"{name}.python_api", None)
    with pytest.raises(OptionError) as refusal:
        segment(volume(), options=Options(segmenter=name, weights=weights))
    assert refusal.value.hint == f"pip install 'qct[{name}]'"


def test_weights_that_are_not_there_are_refused(lungmask, tmp_path):
    options = Options(segmenter="lungmask", weights=str(tmp_path / "nowhere"))
    with pytest.raises(OptionError, match="no weights at"):
        segment(volume(), options=options)
