"""Every setting: unit, default, limits; stored with every result."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, Self

from qct.errors import OptionError

PROFILES = ("default", "le", "cip", "cip_histogram", "pyradiomics")
"""Named sets of definitions; see docs/metrics.md."""

SEGMENTERS = ("surfaces",)
"""Ways to find the lobes: ``surfaces`` fits fissure surfaces, without a network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Settings of one analysis.

    Raises
    ------
    OptionError
        If a setting is outside its limits.
    """

    series_uid: str | None = None
    """Measure this series, whatever the ranking says."""

    profile: str = "default"
    """Which variant of each definition is used."""

    segmenter: str = "surfaces"
    """Who finds lungs and lobes."""

    threads: int = 0
    """Threads to compute with; 0 means every core. No number depends on it."""

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            msg = f"profile = {self.profile!r} is none of {', '.join(PROFILES)}"
            raise OptionError(msg, hint="Leave it out for the default definitions.")
        if self.segmenter not in SEGMENTERS:
            msg = f"segmenter = {self.segmenter!r} is none of {', '.join(SEGMENTERS)}"
            raise OptionError(msg, hint="Leave it out for the embedded segmentation.")
        if not 0 <= self.threads <= 256:
            msg = f"threads = {self.threads} is not between 0 and 256"
            raise OptionError(msg, hint="0 uses every core.")

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> Self:
        """Build options from a parsed table; unknown names are refused."""
        known = [field.name for field in fields(cls)]
        for name in settings.keys() - set(known):
            close = get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}."
            raise OptionError(f"unknown setting {name!r}", hint=hint)
        return cls(**settings)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)
