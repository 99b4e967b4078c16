"""What the gate may ask about: the facts of one scan and of each of its regions, by name."""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from qct.acquisition import Acquisition, KernelFamily, Study
from qct.findings import FissureFit, Measured, Segmentation
from qct.flags import Flag
from qct.regions import FISSURE_NAMES, REGIONS, WHOLE_LUNG, Fissure, Side

Facts = Mapping[str, Any]
"""Value by name; None where it is not known."""

Words = Mapping[str, Mapping[str, list[str]]]
"""Per topic: regular expressions that name it (``is``), and some that only seem to (``is_not``)."""

LOBES_BESIDE = {
    Fissure.RIGHT_OBLIQUE: (
        "right_upper_lobe",
        "right_middle_lobe",
        "right_lower_lobe",
        "right_upper_and_middle",
    ),
    Fissure.RIGHT_HORIZONTAL: ("right_upper_lobe", "right_middle_lobe"),
    Fissure.LEFT_OBLIQUE: ("left_upper_lobe", "left_lower_lobe"),
}
"""Region keys of the lobes that a fissure parts."""

SUPPORT = ("population average", "partly supported", "supported")
"""What `FissureFit.support` may say, the worst first."""

FISSURE_FACTS = (
    "fissure_name",
    "fissure_support",
    "fissure_coverage_percent",
    "fissure_error_mm",
    "fissure_volume_error_ml",
)

COVERAGE_FACTS = ("left_out_ml", "left_out_percent", "in_no_lobe_percent")
"""What is known of how much of a lung a label map from elsewhere covers."""

CALIBRATED = ("outside_air", "tracheal_air", "muscle", "noise_sd")
"""What measuring may know the HU of; the last is the standard deviation of tracheal air."""

REGION_VALUES = ("clipped_percent", "pi10_airways", "pi10_r_squared")
"""Measured numbers of the region itself that rules ask for."""

AIR_HU = -1000.0
"""Air by the definition of the Hounsfield scale (HU)."""

NORMAL_LUNG_HU = -860.0
"""Normal lung in full inspiration, to say what noise alone would do to it."""


def header_facts(
    how: Acquisition, study: Study, is_lossy: bool, spacing_z_mm: float, words: Words
) -> dict[str, Any]:
    """Collect what is known before any voxel is: enough to foresee a verdict.

    Names are the fields of `qct.acquisition.Acquisition`, and: ``spacing_z_mm``; ``gap_ratio``, slice
    distance by slice thickness; ``words.<topic>``; ``phase`` (``inspiration``, ``expiration``, ``both``,
    ``not said``).
    """
    texts = (study.description, how.series_description, how.protocol)
    told = " / ".join(text for text in texts if text)
    return {
        **{name: value for name, value in asdict(how).items() if value != ()},
        "kernel_family": (how.kernel_family or KernelFamily.UNKNOWN).value,
        "recon_kernel": how.recon_kernel or "an unnamed kernel",
        "contrast_agent": how.contrast_agent or "agent not named",
        "is_lossy": is_lossy,
        "floor_hu": -1000 if how.floor_hu is None else how.floor_hu,
        "spacing_z_mm": spacing_z_mm,
        "gap_ratio": spacing_z_mm / how.slice_mm if how.slice_mm else None,
        **{f"words.{topic}": mentions(told, **lists) for topic, lists in _patterns(words)},
        "phase": _phase((how.series_description, how.protocol, study.description), words),
    }


def _phase(texts: tuple[str | None, ...], words: Words) -> str:
    """Tell the phase of breathing by the first text that names one and not the other."""
    patterns = dict(_patterns(words))
    is_unsure = False
    for text in filter(None, texts):
        named = [
            topic
            for topic in ("inspiration", "expiration")
            if topic in patterns and mentions(text, **patterns[topic])
        ]
        if len(named) == 1:
            return named[0]
        is_unsure |= len(named) == 2
    return "both" if is_unsure else "not said"


def image_facts(
    measured: tuple[Measured, ...] = (),
    calibration_hu: Mapping[str, float] | None = None,
    predicted_tlc_ml: float | None = None,
) -> dict[str, Any]:
    """Collect what the voxels of the whole scan say.

    Names: ``lung_median_hu``, ``lung_clipped_percent``; ``volume_of_tlc_percent``, lung volume in the scan
    by the total lung capacity that is predicted for this person; ``calibration.<substance>`` (HU, for
    `CALIBRATED`), ``calibration.outside_air_off_hu``; ``noise_laa950_percent``, the share of normal lung
    that noise alone moves below -950 HU.
    """
    known = calibration_hu or {}
    outside_air, noise = known.get("outside_air"), known.get("noise_sd")
    volume_ml = _value(measured, WHOLE_LUNG.key, "volume_ml")
    return {
        "lung_clipped_percent": _value(measured, WHOLE_LUNG.key, "clipped_percent"),
        "lung_median_hu": _value(measured, WHOLE_LUNG.key, "median_hu"),
        "volume_of_tlc_percent": 100 * volume_ml / predicted_tlc_ml
        if volume_ml and predicted_tlc_ml
        else None,
        **{f"calibration.{substance}": known.get(substance) for substance in CALIBRATED},
        "calibration.outside_air_off_hu": None
        if outside_air is None
        else abs(outside_air - AIR_HU),
        "noise_laa950_percent": None
        if not noise
        else 50 * math.erfc((NORMAL_LUNG_HU + 950) / (math.sqrt(2) * noise)),
    }


def region_facts(
    region: str,
    raised: frozenset[Flag],
    segmentation: Segmentation,
    measured: tuple[Measured, ...] = (),
) -> dict[str, Any]:
    """Collect what holds for one region.

    Names: ``region``, ``region_name``, those of `REGION_VALUES`, ``flag.<key>``, and for a lobe the border
    least seen: ``fissure_name``, ``fissure_support``, ``fissure_coverage_percent``, ``fissure_error_mm``,
    ``fissure_volume_error_ml``; and ``lobe_error_ml``, ``lobe_error_percent``, the standard deviation of its
    volume that all its borders bring. Of regions that were handed in: ``left_out_ml``, ``left_out_percent``,
    ``in_no_lobe_percent``, the worse of the lungs that the region is part of.
    """
    raised |= segmentation.flags | _flags_beside(region, segmentation)
    return {
        "region": region,
        "region_name": _within_a_sentence(REGIONS[region].name),
        **{key: _value(measured, region, key) for key in REGION_VALUES},
        **{f"flag.{flag.key}": flag in raised for flag in Flag},
        **_fissure_facts(region, segmentation.fissures),
        **_coverage_facts(region, segmentation),
        **_lobe_errors(region, segmentation, measured),
    }


def _coverage_facts(region: str, segmentation: Segmentation) -> dict[str, float | None]:
    """Return what a label map from elsewhere leaves out; None where the regions were found here."""
    side = REGIONS[region].side
    sides = [side] if side else list(Side)
    known = {
        name: [segmentation.method.get(f"{one}_{name}") for one in sides] for name in COVERAGE_FACTS
    }
    return {
        name: max((value for value in values if value is not None), default=None)
        for name, values in known.items()
    }


def _lobe_errors(
    region: str, segmentation: Segmentation, measured: tuple[Measured, ...]
) -> dict[str, float | None]:
    error_ml = segmentation.volume_errors_ml.get(region)
    volume_ml = _value(measured, region, "volume_ml")
    percent = 100 * error_ml / volume_ml if error_ml is not None and volume_ml else None
    return {"lobe_error_ml": error_ml, "lobe_error_percent": percent}


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
        return dict.fromkeys(FISSURE_FACTS)
    worst = min(beside, key=lambda fit: (SUPPORT.index(fit.support), fit.coverage))
    return {
        "fissure_name": _within_a_sentence(FISSURE_NAMES[worst.fissure]),
        "fissure_support": worst.support,
        "fissure_coverage_percent": 100 * worst.coverage,
        "fissure_error_mm": worst.error_mm,
        "fissure_volume_error_ml": worst.volume_error_ml,
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
