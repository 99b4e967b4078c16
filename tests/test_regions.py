import pytest

from qct.regions import DENSE, LOBES, LUNG_REGIONS, N_LABELS, REGIONS, Label, Side, label_names


def test_every_number_of_a_label_map_has_one_name():
    numbers = list(label_names().values())
    assert len(numbers) == len(set(numbers))
    assert max(numbers) < N_LABELS


def test_every_lung_label_has_a_dense_twin():
    names = label_names()
    lung = {key: number for key, number in names.items() if number < Label.AIRWAY}
    assert all(names[f"{key}_dense"] == number + DENSE for key, number in lung.items())


@pytest.mark.parametrize("side", Side)
def test_a_lung_is_its_lobes_and_what_was_left_undivided(side):
    lobes = {label for lobe in LOBES if lobe.side == side for label in lobe.labels}
    lung = set(REGIONS[f"{side}_lung"].labels)
    assert lobes < lung
    assert {label.name for label in lung - lobes} == {f"{side.name}_LUNG"}


def test_region_keys_are_unique():
    assert len({region.key for region in LUNG_REGIONS}) == len(LUNG_REGIONS)
