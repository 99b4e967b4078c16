"""From a volume to labels: lungs and airway first, then the lobes in each lung."""

from dataclasses import replace

from qct.findings import Progress, Segmentation, no_progress
from qct.options import EMBEDDED, Options
from qct.segment.airway_names import checked_by_bronchi
from qct.segment.airway_tree import follow_airways
from qct.segment.lobes import divide_lobes
from qct.segment.lungs import find_lungs
from qct.volume import Volume

LUNGS_SHARE = 0.5
"""What part of the work the lungs are, for a progress bar."""


def segment(
    volume: Volume, *, options: Options | None = None, progress: Progress = no_progress
) -> Segmentation:
    """Find lungs, airway and lobes.

    Parameters
    ----------
    volume : Volume
    options : Options, optional
        `Options.segmenter` says who finds them.
    progress : callable

    Returns
    -------
    Segmentation

    Raises
    ------
    OptionError
        If another segmenter is asked for and cannot be used.
    NoLungsError
        If there is nothing in the image that can be a lung.
    """
    options = options or Options()
    if options.segmenter != EMBEDDED:
        from qct.segment.networks import segment_by_network

        return segment_by_network(volume, options, progress)
    lungs = find_lungs(volume, progress=lambda doing, done: progress(doing, LUNGS_SHARE * done))
    followed = follow_airways(volume, lungs.labels)
    tree, labels = followed if followed else (None, lungs.labels)
    lungs = replace(lungs, labels=labels)  # those before the bronchi are let go
    lobes = divide_lobes(
        volume,
        labels,
        progress=lambda doing, done: progress(doing, LUNGS_SHARE + (1 - LUNGS_SHARE) * done),
    )
    found = Segmentation(
        labels=lobes.labels,
        fissures=lobes.fissures,
        method={"segmenter": options.segmenter, "lungs": lungs.method, "lobes": lobes.method},
        region_flags=lobes.region_flags,
        flags=lungs.flags | lobes.flags,
        airways=tree,
        volume_errors_ml=lobes.volume_errors_ml,
    )
    return checked_by_bronchi(found, volume)
