"""From a volume to labels: lungs and airway first, then the lobes in each lung."""

from dataclasses import replace

from qct.findings import AirwayTree, Progress, Segmentation, no_progress
from qct.flags import Flag
from qct.options import Options
from qct.regions import LOBES
from qct.segment.airway_names import bronchi_in_lobes, lobes_that_disagree
from qct.segment.airway_tree import follow_airways
from qct.segment.lobes import divide_lobes
from qct.segment.lungs import find_lungs
from qct.volume import Volume

EMBEDDED = "surfaces"
"""The segmenter that needs no network."""

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
    )
    return _checked(found, volume) if tree else found


def _checked(found: Segmentation, volume: Volume) -> Segmentation:
    """Compare the lobes with the bronchi, which know nothing of them."""
    assert found.airways is not None
    shares = bronchi_in_lobes(found.airways, found.labels, volume)
    doubts = {
        lobe: frozenset({Flag.LOBE_BRONCHUS_DISAGREES}) for lobe in lobes_that_disagree(shares)
    }
    region_flags = {
        key: found.region_flags.get(key, frozenset()) | doubts.get(key, frozenset())
        for key in {**found.region_flags, **doubts}
    }
    incomplete = {Flag.AIRWAY_INCOMPLETE} if _lacks_lobes(found.airways) else set()
    rounded = {lobe: round(100 * share, 1) for lobe, share in shares.items()}
    return replace(
        found,
        method={**found.method, "airways": {"bronchi_in_lobe_percent": rounded}},
        region_flags=region_flags,
        flags=found.flags | incomplete,
    )


def _lacks_lobes(tree: AirwayTree) -> bool:
    """Tell whether the bronchus of any lobe was not found."""
    return {region.key for region in LOBES} - {branch.lobe for branch in tree.branches} != set()
