"""Which chests are measured: states of health, and one of them on other scanners' settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qct.acquisition import KernelFamily
from qct.phantom import ChestSpec, preset

JUDGED, EFFECT = "judged", "effect"
"""What a case is for: to meet the limits, or to show what an acquisition does."""

ACQUISITIONS: Mapping[str, Mapping[str, Any]] = {
    "soft kernel": {"kernel": KernelFamily.SOFT},
    "sharp kernel": {"kernel": KernelFamily.SHARP},
    "5 mm": {"slice_mm": 5.0},
    "2.5 mm": {"slice_mm": 2.5},
    "20 mAs": {"exposure_mas": 20.0},
    "400 mAs": {"exposure_mas": 400.0},
}
"""What differs from the standard kernel, thin slices and 100 mAs."""

COARSE: Mapping[str, Any] = {"size": 320, "model_mm": 1.0, "slice_mm": 1.25}
"""A quick chest: pixels of 1.2 mm."""

FINE: Mapping[str, Any] = {"size": 512, "model_mm": 0.8, "slice_mm": 1.0}


@dataclass(frozen=True, slots=True)
class Case:
    """One chest that is measured.

    Attributes
    ----------
    name : str
        What a reader sees; cases of one person and state begin alike.
    spec : ChestSpec
    purpose : str
        `JUDGED` or `EFFECT`.
    person : str
        Name of the judged case that an effect is compared with; its own name for a judged one.
    """

    name: str
    spec: ChestSpec
    purpose: str
    person: str


def plan(*, full: bool) -> tuple[Case, ...]:
    """Return the cases of a quick or a full validation."""
    if not full:
        three = (("healthy", 1), ("mild", 2), ("severe", 3))
        return _cases(three, COARSE, ("sharp kernel", "5 mm"), of=("mild", 2))
    states = ("healthy", "mild", "severe", "paraseptal", "panlobular", "valve-candidate")
    judged = tuple((state, seed) for seed in (1, 2) for state in states)
    return _cases(judged, FINE, tuple(ACQUISITIONS), of=("mild", 1)) + _cases(
        (), FINE, tuple(ACQUISITIONS), of=("severe", 1)
    )


def _cases(
    judged: tuple[tuple[str, int], ...],
    grid: Mapping[str, Any],
    effects: tuple[str, ...],
    of: tuple[str, int],
) -> tuple[Case, ...]:
    cases = []
    for state, seed in judged:
        name = f"{state} {seed}"
        cases.append(Case(name, preset(state, seed=seed, **grid), JUDGED, name))
    state, seed = of
    person = f"{state} {seed}"
    for effect in effects:
        settings = {**grid, **ACQUISITIONS[effect]}
        spec = preset(state, seed=seed, **settings)
        cases.append(Case(f"{person}, {effect}", spec, EFFECT, person))
    return tuple(cases)
