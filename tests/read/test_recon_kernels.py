"""Known kernels have their family; what is not known stays unknown."""

import re

import pytest

from qct.acquisition import KernelFamily
from qct.read.recon_kernels import _table, recon_kernel, says_iterative


@pytest.mark.parametrize(
    ("manufacturer", "name", "family"),
    [
        ("SIEMENS", "B19f", "soft"),
        ("SIEMENS", "B20f", "soft"),
        ("SIEMENS", "B30f", "standard"),
        ("SIEMENS", "B31f", "standard"),
        ("SIEMENS", "B45f", "standard"),
        ("SIEMENS", "B46f", "sharp"),
        ("Siemens Healthineers", "B70s", "sharp"),
        ("SIEMENS", "I26f\\2", "soft"),
        ("SIEMENS", "Br40d\\3", "standard"),
        ("SIEMENS", "Bl57d\\2", "sharp"),
        ("SIEMENS", "Qr40f", "standard"),
        ("GE MEDICAL SYSTEMS", "SOFT", "soft"),
        ("GE MEDICAL SYSTEMS", "STANDARD", "standard"),
        ("GE MEDICAL SYSTEMS", "CHEST", "standard"),
        ("GE MEDICAL SYSTEMS", "BONEPLUS", "sharp"),
        ("GE MEDICAL SYSTEMS", "LUNG", "sharp"),
        ("Philips", "B", "standard"),
        ("Philips", "YA", "sharp"),
        ("TOSHIBA", "FC02", "soft"),
        ("TOSHIBA", "FC08", "standard"),
        ("TOSHIBA", "FC13", "standard"),
        ("TOSHIBA", "FC51", "sharp"),
        ("Canon Medical Systems", "FC51", "sharp"),
        (None, "STANDARD", "standard"),
        ("", "B60f", "sharp"),
        ("Philips", "STANDARD", "unknown"),
        ("Orange Imaging", "STANDARD", "unknown"),
        ("SIEMENS", "XYZ", "unknown"),
        ("SIEMENS", None, "unknown"),
        ("SIEMENS", " ", "unknown"),
    ],
)
def test_kernels_have_their_family(manufacturer, name, family):
    assert recon_kernel(name, manufacturer).family is KernelFamily(family)


def test_siemens_strengths_tell_iterative_from_back_projection():
    assert recon_kernel("Br40d\\3", "SIEMENS").is_iterative
    assert not recon_kernel("Br40d\\0", "SIEMENS").is_iterative
    assert recon_kernel("I31f\\2", "SIEMENS").is_iterative
    assert not recon_kernel("B31f", "SIEMENS").is_iterative


@pytest.mark.parametrize("text", ["Chest ASiR 40%", "iDose (3)", "AIDR 3D", "ITERATIVE"])
def test_words_tell_iterative(text):
    assert says_iterative(None, text)


def test_plain_words_do_not_tell_iterative():
    assert not says_iterative("Chest routine", "first floor scanner 2", None)


def test_every_row_of_the_table_can_be_used():
    for vendor in _table()["vendor"]:
        assert vendor["sources"]
        for row in vendor["kernels"]:
            pattern = re.compile(row["pattern"])
            assert ("family" in row) != ("numbers" in row)
            assert ("numbers" in row) <= (pattern.groups > 0)
            assert set(row.get("numbers", {}).values()) | {row.get("family", "soft")} <= set(
                KernelFamily
            )
