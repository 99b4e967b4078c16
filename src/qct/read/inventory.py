"""Everything that was handed in, sorted: what `survey` shows and `read_scan` chooses from."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.errors import InvalidDicomError

from qct.acquisition import Acquisition
from qct.errors import (
    IdentityError,
    NoSuchSeriesError,
    NothingToReadError,
    ReadError,
)
from qct.findings import Candidate, Progress, no_progress
from qct.read.choose import (
    CT_CLASSES,
    Group,
    best_first,
    candidates_of,
    groups_of,
    in_order,
    refuse_all,
)
from qct.read.discover import Haul, discovered, is_volume_file
from qct.read.facts import Facts, acquisition_of
from qct.read.headers import HEADER_ERRORS, Slice, read_facts, read_slices

NOT_IMAGES = {
    "1.2.840.10008.1.3.10": "DICOMDIR",
}
"""SOP classes that are no part of a study."""


@dataclass(frozen=True, slots=True)
class StudySurvey:
    """One study and its candidate series, the best first.

    Attributes
    ----------
    acquisitions : tuple of Acquisition or None
        One per candidate, as its headers have it; None for what may not be measured.
    """

    study_uid: str | None
    date: str | None
    description: str | None
    candidates: tuple[Candidate, ...]
    acquisitions: tuple[Acquisition | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found.

    Attributes
    ----------
    studies : tuple of StudySurvey
    refusal : ReadError or None
        What `read_scan` would raise before it looks at pixels; None if a series would be measured.
    n_files : int
        Files that were looked at.
    n_not_dicom, n_unreadable : int
        Files that are no DICOM; files and folders that could not be read.
    volume_files : tuple of Path
        Files that hold a volume and are no DICOM.
    """

    studies: tuple[StudySurvey, ...]
    refusal: ReadError | None = None
    n_files: int = 0
    n_not_dicom: int = 0
    n_unreadable: int = 0
    volume_files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """Groups of images, and what else was found."""

    groups: tuple[Group, ...]
    n_files: int
    n_not_dicom: int
    n_unreadable: int
    volume_files: tuple[Path, ...]

    def choose(self, series_uid: str | None) -> Group:
        """Return the group to measure.

        Raises
        ------
        NothingToReadError, IdentityError, SeriesRefusedError, GeometryError, PixelError, OptionError
            If nothing may be measured, or it is not clear what is meant.
        """
        groups = self.groups
        if series_uid is not None:
            groups = tuple(g for g in groups if g.slices[0].series_uid == series_uid)
            if not groups:
                raise NoSuchSeriesError(
                    f"there is no series {series_uid}", hint="Run qct inspect to list the series."
                )
        if not groups:
            raise self._nothing()
        self._refuse_mixed(groups)
        ranked = best_first(groups)
        if not ranked:
            raise refuse_all(groups)
        return ranked[0]

    def _nothing(self) -> NothingToReadError:
        return NothingToReadError(
            f"no DICOM image among {self.n_files} files "
            f"({self.n_not_dicom} are not DICOM, {self.n_unreadable} cannot be read)",
            hint=f"Hand in {self.volume_files[0].name} itself to measure a volume file."
            if self.volume_files
            else "Hand in the folder of a CT series, or a zip file of it.",
        )

    def _refuse_mixed(self, groups: tuple[Group, ...]) -> None:
        """One patient among all images; one study among those that may be measured."""
        patients = {one.patient for group in groups for one in group.slices if any(one.patient)}
        if len(patients) > 1:
            raise IdentityError(
                f"images of {len(patients)} patients are mixed",
                hint="Hand in one patient, or name a series (qct inspect lists them).",
            )
        studies = {g.slices[0].study_uid for g in best_first(groups)}
        if len(studies) > 1:
            raise IdentityError(
                f"there are {len(studies)} studies that could be measured",
                hint="Hand in one study, or name a series (qct inspect lists them).",
            )

    def describe(self, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        """Add what only full headers say: the series description."""
        first = {g.slices[0].series_uid or "": g.slices[0] for g in reversed(self.groups)}
        return tuple(
            replace(c, description=facts_of(first[c.series_uid]).text("SeriesDescription"))
            for c in candidates
        )


def facts_of(one: Slice) -> Facts:
    """Read the facts of the series that a slice belongs to."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Facts(read_facts(one.path))
    except HEADER_ERRORS as trouble:
        raise ReadError(
            f"{one.shown_path.name} can no longer be read", hint="Check the disk, then try again."
        ) from trouble


@contextmanager
def taken_inventory(path: Path, progress: Progress = no_progress) -> Iterator[Inventory]:
    """Read the headers of everything under a path; what an archive held exists until the end."""
    with discovered(path) as haul:
        yield _inventory(haul, progress)


def survey(
    path: Path, *, series_uid: str | None = None, progress: Progress = no_progress
) -> Survey:
    """List every series under a path: what would be measured, what not, and why.

    Parameters
    ----------
    path : Path
        Folder, zip file, DICOMDIR, or one file of a series.
    series_uid : str, optional
        Pretend that this series was asked for.

    Raises
    ------
    ReadError
        If there is nothing at all to read.
    """
    if is_volume_file(path) and path.is_file():
        return Survey((), n_files=1, volume_files=(path,))
    with taken_inventory(path, progress) as inventory:
        chosen, refusal = None, None
        try:
            chosen = inventory.choose(series_uid)
        except ReadError as error:
            refusal = error
        return Survey(
            tuple(_studies(inventory, chosen)),
            refusal,
            inventory.n_files,
            inventory.n_not_dicom,
            inventory.n_unreadable,
            inventory.volume_files,
        )


def _studies(inventory: Inventory, chosen: Group | None) -> Iterator[StudySurvey]:
    by_study: dict[str | None, list[Group]] = {}
    for group in inventory.groups:
        by_study.setdefault(group.slices[0].study_uid, []).append(group)
    for study_uid, groups in by_study.items():
        facts = facts_of(groups[0].slices[0])
        ordered = in_order(groups, chosen)
        yield StudySurvey(
            study_uid,
            facts.date("StudyDate"),
            facts.text("StudyDescription"),
            inventory.describe(candidates_of(groups, chosen)),
            tuple(_acquisition(group) for group in ordered),
        )


def _acquisition(group: Group) -> Acquisition | None:
    """Read how a group was made; None if it may not be measured."""
    if group.grid is None:
        return None
    one = group.slices[group.grid.order[0]]
    return acquisition_of(facts_of(one), one, group.grid, None)


def _inventory(haul: Haul, progress: Progress) -> Inventory:
    slices, n_not_dicom, n_damaged = _slices(haul, progress)
    if haul.only_series_of is not None:
        slices = _same_series(slices, haul.only_series_of)
    return Inventory(
        groups=tuple(groups_of(slices)),
        n_files=len(haul.files),
        n_not_dicom=n_not_dicom,
        n_unreadable=haul.n_unreadable + n_damaged,
        volume_files=tuple(shown for _, shown in haul.files if is_volume_file(shown)),
    )


def _slices(haul: Haul, progress: Progress) -> tuple[list[Slice], int, int]:
    """Read every header; count the files that are no DICOM, and the damaged ones."""
    slices: list[Slice] = []
    n_not_dicom = n_damaged = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of what it mends
        for k, (path, shown_path) in enumerate(haul.files):
            if k % 64 == 0:
                progress("reading headers", k / len(haul.files))
            try:
                found = read_slices(path, shown_path)
            except InvalidDicomError:
                n_not_dicom += 1
            except HEADER_ERRORS:
                n_damaged += 1
            else:
                n_damaged += _is_cut_short(found[0])
                slices += () if _is_cut_short(found[0]) else found
    images = [one for one in slices if one.sop_class_uid not in NOT_IMAGES]
    return images, n_not_dicom, n_damaged


def _is_cut_short(one: Slice) -> bool:
    """Tell whether a file ends before its pixels, or before it says what it belongs to."""
    if one.sop_class_uid in NOT_IMAGES:
        return False
    return one.series_uid is None or (one.sop_class_uid in CT_CLASSES and not one.has_pixels)


def _same_series(slices: list[Slice], file: Path) -> list[Slice]:
    """Keep the series of one file; a multi-frame file stands alone."""
    its = [one for one in slices if one.path == file]
    if not its:
        raise NothingToReadError(
            f"{file.name} is no DICOM image",
            hint="Hand in a DICOM folder, a zip file or a volume file.",
        )
    if len(its) > 1:
        return its
    return [one for one in slices if one.series_uid == its[0].series_uid]
