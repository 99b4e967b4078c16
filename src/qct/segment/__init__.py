"""From a volume to labels: lungs, airways, fissures, lobes."""

from qct.findings import Progress, Segmentation, no_progress
from qct.options import Options
from qct.segment.lobes import divide_lobes
from qct.segment.lungs import find_lungs
from qct.segment.prior import Prior
from qct.volume import Volume

__all__ = ["Prior", "segment"]

_LUNGS_SHARE = 0.5
"""Share of the whole work that finding the lungs takes, for the progress."""


def segment(volume: Volume, *, options: Options, progress: Progress = no_progress) -> Segmentation:
    """Find lungs, airways and lobes.

    Parameters
    ----------
    volume : Volume
        Chest CT.
    options : Options
        ``options.segmenter`` names the way; there is one.
    progress : Progress

    Raises
    ------
    NoLungsError
        If there is no lung in the volume.
    """

    def first_half(doing: str, share: float) -> None:
        progress(doing, _LUNGS_SHARE * share)

    def second_half(doing: str, share: float) -> None:
        progress(doing, _LUNGS_SHARE + (1 - _LUNGS_SHARE) * share)

    lungs = find_lungs(volume, progress=first_half)
    lobes = divide_lobes(volume, lungs.labels, progress=second_half)
    return Segmentation(
        labels=lobes.labels,
        fissures=lobes.fissures,
        method={
            "segmenter": options.segmenter,
            "lungs": dict(lungs.method),
            "lobes": dict(lobes.method),
        },
        region_flags=lobes.region_flags,
        flags=lungs.flags | lobes.flags,
    )
