"""What the gate may ask about: the facts of one scan and of each of its regions, by name."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from qct.acquisition import KernelFamily
from qct.findings import FissureFit, Measured, Scan, Segmentation
from qct.flags import Flag
from qct.regions import FISSURE_NAMES, REGIONS, WHOLE_LUNG, Fissure

Facts = Mapping[str, Any]
"""Value by name; None where it is not known."""

Words = Mapping[str, Mapping[str, list[str]]]
"""Per topic: regular expressions that name it (``is``), and some that only seem to (``is_not``)."""

LOBES_BESIDE = {
    Fissure.RIGHT_OBLIQUE: ("right_upper_lobe", "right_middle_lobe", "right_lower_lobe"),
    Fissure.RIGHT_HORIZONTAL: ("right_upper_lobe", "right_middle_lobe"),
    Fissure.LEFT_OBLIQUE: ("left_upper_lobe", "left_lower_lobe"),
}
"""Region keys of the lobes that a fissure parts."""

SUPPORT = ("population average", "partly supported", "supported")
"""What `FissureFit.support` may say, the worst first."""

REGION_VALUES = ("clipped_percent", "pi10_airways", "pi10_r_squared")
"""Measured numbers of the region itself that rules ask for."""

AIR_HU = -1000.0
"""Air by the definition of the Hounsfield scale (HU)."""


def scan_facts(
    scan: Scan, measured: tuple[Measured, ...], calibration_hu: Mapping[str, float], words: Words
) -> dict[str, Any]:
    """Collect what holds for the whole scan.

    Names are the fields of `qct.acquisition.Acquisition`, and: ``spacing_z_mm``; ``gap_ratio``, slice
    distance by slice thickness; ``lung_median_hu``,
    ``lung_clipped_percent``; ``words.<topic>``; ``calibration.<substance>`` (HU) and
    ``calibration.outside_air_off_hu``.
    """
    how = scan.acquisition
    spacing_z_mm = scan.volume.spacing_mm[0]
    told = " / ".join(
        text for text in (scan.study.description, how.series_description, how.protocol) if text
    )
    outside_air = calibration_hu.get("outside_air")
    return {
        **{name: value for name, value in asdict(how).items() if value != ()},
        "kernel_family": (how.kernel_family or KernelFamily.UNKNOWN).value,
        "recon_kernel": how.recon_kernel or "an unnamed kernel",
        "contrast_agent": how.contrast_agent or "agent not named",
        "is_lossy": how.is_lossy or Flag.LOSSY_COMPRESSION in scan.flags,
        "floor_hu": -1000 if how.floor_hu is None else how.floor_hu,
        "spacing_z_mm": spacing_z_mm,
        "gap_ratio": spacing_z_mm / how.slice_mm if how.slice_mm else None,
        "lung_clipped_percent": _value(measured, WHOLE_LUNG.key, "clipped_percent"),
        "lung_median_hu": _value(measured, WHOLE_LUNG.key, "median_hu"),
        **{f"words.{topic}": mentions(told, **lists) for topic, lists in _patterns(words)},
        **{f"calibration.{substance}": hu for substance, hu in calibration_hu.items()},
        "calibration.outside_air_off_hu": None
        if outside_air is None
        else abs(outside_air - AIR_HU),
    }


def region_facts(
    region: str, scan: Scan, segmentation: Segmentation, measured: tuple[Measured, ...]
) -> dict[str, Any]:
    """Collect what holds for one region.

    Names: ``region``, ``region_name``, those of `REGION_VALUES`, ``flag.<key>``, and for a lobe the border
    least seen: ``fissure_name``, ``fissure_support``, ``fissure_coverage_percent``, ``fissure_error_mm``.
    """
    raised = scan.flags | segmentation.flags | _flags_beside(region, segmentation)
    return {
        "region": region,
        "region_name": _within_a_sentence(REGIONS[region].name),
        **{key: _value(measured, region, key) for key in REGION_VALUES},
        **{f"flag.{flag.key}": flag in raised for flag in Flag},
        **_fissure_facts(region, segmentation.fissures),
    }


def _flags_beside(region: str, segmentation: Segmentation) -> frozenset[Flag]:
    """Collect the doubts about every region that shares voxels with this one."""
    here = set(REGIONS[region].labels)
    return frozenset().union(
        *(
            flags
            for key, flags in segmentation.region_flags.items()
            if key == region or (key in REGIONS and here & set(REGIONS[key].labels))
        )
    )


def _fissure_facts(region: str, fissures: tuple[FissureFit, ...]) -> dict[str, Any]:
    beside = [fit for fit in fissures if region in LOBES_BESIDE[fit.fissure]]
    if not beside:
        return dict.fromkeys(("fissure_name", "fissure_support", "fissure_error_mm"))
    worst = min(beside, key=lambda fit: (SUPPORT.index(fit.support), fit.coverage))
    return {
        "fissure_name": _within_a_sentence(FISSURE_NAMES[worst.fissure]),
        "fissure_support": worst.support,
        "fissure_coverage_percent": 100 * worst.coverage,
        "fissure_error_mm": worst.error_mm,
    }


def mentions(text: str, names: list[str], seeming: list[str]) -> bool:
    """Tell whether a text names a topic, once what only seems to name it has been struck out.

    >>> mentions("CT CHEST WITHOUT CONTRAST", ["contrast"], ["without contrast"])
    False
    """
    for pattern in seeming:
        text = re.sub(pattern, " ", text, flags=re.IGNORECASE)
    text = text.replace("_", " ")
    return any(re.search(pattern, text, re.IGNORECASE) for pattern in names)


def _patterns(words: Words) -> list[tuple[str, dict[str, list[str]]]]:
    return [
        (topic, {"names": lists["is"], "seeming": lists["is_not"]})
        for topic, lists in words.items()
    ]


def _value(measured: tuple[Measured, ...], region: str, quantity: str) -> float | None:
    found = (one.value for one in measured if (one.region, one.quantity) == (region, quantity))
    return next(found, None)


def _within_a_sentence(name: str) -> str:
    return name[:1].lower() + name[1:]
