"""Read one scan: discover, choose, assemble, check."""

from pathlib import Path

from qct.findings import Progress, Scan, SliceSource, no_progress
from qct.flags import Flag
from qct.read.assemble import assemble
from qct.read.check import METAL_ML, Scale, check_scale
from qct.read.choose import Group, candidates_of
from qct.read.discover import is_volume_file
from qct.read.facts import acquisition_of, is_lossy, patient_of, study_of
from qct.read.geometry import MIN_OBLIQUE_DEG, MIN_SHEAR_DEG, Grid
from qct.read.inventory import Inventory, facts_of, taken_inventory
from qct.read.volume_files import read_volume_file


def read_scan(
    path: Path, *, series_uid: str | None = None, progress: Progress = no_progress
) -> Scan:
    """Read the one series that is fit to be measured.

    Parameters
    ----------
    path : Path
        Folder, zip file, DICOMDIR, one file of a series, or a volume file (NIfTI, NRRD, MetaImage).
    series_uid : str, optional
        Read this series, whatever the ranking says.
    progress : callable
        Told what is being done.

    Raises
    ------
    ReadError
        If nothing may be measured; the sub-class and the message say why (see `qct.errors`).
    OptionError
        If `series_uid` is not among the files.
    """
    if is_volume_file(path) and path.is_file():
        return read_volume_file(path, progress)
    with taken_inventory(path, lambda doing, share: progress(doing, 0.5 * share)) as inventory:
        chosen = inventory.choose(series_uid)
        assert chosen.grid is not None
        volume, stored_axes = assemble(
            chosen.slices, chosen.grid, lambda doing, share: progress(doing, 0.5 + 0.5 * share)
        )
        scale = check_scale(volume)
        one = chosen.slices[chosen.grid.order[0]]
        facts = facts_of(one)
        return Scan(
            volume=volume,
            patient=patient_of(facts),
            study=study_of(facts, one),
            acquisition=acquisition_of(facts, one, chosen.grid, scale.floor_hu),
            candidates=inventory.describe(candidates_of(inventory.groups, chosen)),
            slices=_sources(chosen, chosen.grid, is_reversed=stored_axes[0] < 0),
            stored_axes=stored_axes,
            flags=_flags(inventory, chosen, chosen.grid, scale),
        )


def _sources(group: Group, grid: Grid, *, is_reversed: bool) -> tuple[SliceSource, ...]:
    ordered = [group.slices[index] for index in grid.order]
    if is_reversed:
        ordered.reverse()
    return tuple(
        SliceSource(one.shown_path, one.sop_class_uid, one.sop_uid, one.frame) for one in ordered
    )


def _flags(inventory: Inventory, group: Group, grid: Grid, scale: Scale) -> frozenset[Flag]:
    slices = group.slices
    is_sheared = grid.shear_deg > MIN_SHEAR_DEG
    raised = {
        Flag.LOSSY_COMPRESSION: any(is_lossy(one) for one in slices),
        Flag.ROUNDED_HU: any(
            one.slope != 1 or one.intercept != int(one.intercept or 0) for one in slices
        ),
        Flag.SHEARED_GRID: is_sheared,
        Flag.OBLIQUE_GRID: grid.oblique_deg > MIN_OBLIQUE_DEG and not is_sheared,
        Flag.DUPLICATE_SLICES: group.n_doubles > 0,
        Flag.UNREADABLE_FILES: inventory.n_unreadable > 0,
        Flag.HU_FLOOR: scale.floor_hu is not None,
        Flag.HU_OFFSET: not scale.is_calibrated,
        Flag.METAL: scale.metal_ml > METAL_ML,
    }
    return frozenset(flag for flag, is_raised in raised.items() if is_raised)
