"""Which images belong together, which of them may be measured, and which series is best.

A series may hold several acquisitions, phases or reconstructions, so images are grouped by everything
that a volume has in common. What then still lies twice at one place is split by acquisition or time.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from qct.acquisition import KernelFamily
from qct.errors import GeometryError, IdentityError, PixelError, ReadError, SeriesRefusedError
from qct.findings import Candidate
from qct.read.geometry import Grid, grid_of, positions_along_normal
from qct.read.headers import Slice
from qct.read.recon_kernels import recon_kernel

CT_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT Image",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT Image",
    "1.2.840.10008.5.1.4.1.1.2.2": "Legacy Converted Enhanced CT Image",
}
"""SOP classes that are read (PS3.4 B.5)."""


NO_ORIGINAL = {
    "LOCALIZER": "a localizer",
    "SCOUT": "a localizer",
    "SCREEN SAVE": "a screen capture",
    "MPR": "a multi-planar reformat",
    "REFORMATTED": "a reformat",
    "MIP": "a maximum intensity projection",
    "MAX_IP": "a maximum intensity projection",
    "MINIP": "a minimum intensity projection",
    "MIN_IP": "a minimum intensity projection",
    "PROJECTION IMAGE": "a projection",
    "VOLUME_RENDER": "a rendering",
    "VRT": "a rendering",
    "SSD": "a rendering",
    "SUBTRACTION": "a subtraction",
    "PERFUSION": "a perfusion map",
    "TOMO": "a tomosynthesis",
}
"""Values of ImageType that name something else than reconstructed slices."""

MATERIAL_TYPES = {
    "MAT_SPECIFIC",
    "MAT_REMOVED",
    "MAT_FRACTIONAL",
    "MAT_MODIFIED",
    "MAT_VALUE_BASED",
    "EFF_ATOMIC_NUM",
    "ELECTRON_DENSITY",
}
"""Values of ImageType of maps that a multi-energy scanner derives (PS3.3 C.8.15.3.1.3)."""

MONOENERGETIC = re.compile(r"\bVMI\b|\bMONO(?!CHROM)|_MONO")
"""Values of ImageType of virtual monoenergetic images."""

HU_TYPES = (None, "HU", "HU_MOD")
"""RescaleType of Hounsfield units (PS3.3 C.11.1.1.2.1); absent means HU for a CT image."""

LUNG_EXTENT_MM = 200.0
"""Shorter series do not hold the lungs of an adult."""

MIN_APART_MM = 30.0
"""Parts of a series further apart than this are different body regions."""

MAX_SIDE_PIXELS = 4096
"""Scanners write 256 to 2048 rows; a damaged header may claim any number."""

MAX_SLOPE, MAX_INTERCEPT_HU = 1e3, 1e5
"""Rescale values beyond are damage."""

MAX_PLACE_MM = 1e5
"""Positions and pixels beyond are damage."""

MIN_PIXEL_MM = 0.01
"""Pixels smaller than this are damage; the finest scanners reach 0.1 mm."""

_KERNEL_RANK = {
    KernelFamily.STANDARD: 0,
    KernelFamily.SOFT: 0,
    KernelFamily.UNKNOWN: 1,
    KernelFamily.SHARP: 2,
}


class NotOriginalError(SeriesRefusedError):
    """Images that were never meant to be measured: localizers, captures, reformats, other modalities."""


@dataclass(frozen=True, slots=True)
class Group:
    """Images that make one volume, or would if nothing were wrong.

    Attributes
    ----------
    slices : tuple of Slice
    grid : Grid or None
        None if the group is rejected.
    refusal : ReadError or None
        Why it is rejected.
    n_doubles : int
        Images that came more than once and were left out.
    """

    slices: tuple[Slice, ...]
    grid: Grid | None = None
    refusal: ReadError | None = None
    n_doubles: int = 0

    @property
    def family(self) -> KernelFamily:
        """Family of the reconstruction kernel."""
        return recon_kernel(self.slices[0].kernel, self.slices[0].manufacturer).family

    @property
    def extent_mm(self) -> float:
        """Length along the slice normal, half a slice beyond both ends."""
        return self.grid.spacing_mm[0] * len(self.slices) if self.grid else 0.0


def groups_of(slices: Iterable[Slice]) -> list[Group]:
    """Sort images into groups, and find out what each could be used for."""
    by_key: dict[object, list[Slice]] = {}
    for one in slices:
        by_key.setdefault(_key(one), []).append(one)
    groups = []
    for alike in by_key.values():
        unique = _once(alike)
        n_doubles = len(alike) - len(unique)
        for part in _parts(unique):
            group = Group(tuple(part), n_doubles=n_doubles)
            groups.append(_judged(group))
    return groups


def best_first(groups: Sequence[Group]) -> list[Group]:
    """Sort groups that may be measured, the best for density first."""
    return sorted((g for g in groups if g.refusal is None), key=_rank)


def candidates_of(groups: Sequence[Group], chosen: Group | None) -> tuple[Candidate, ...]:
    """Describe every group, the chosen one first, with the reason for its fate."""
    return tuple(_candidate(group, chosen) for group in in_order(groups, chosen))


def in_order(groups: Sequence[Group], chosen: Group | None) -> list[Group]:
    """Sort groups as they are shown: the chosen one, those that may be measured, the others."""
    return sorted(groups, key=lambda g: (g is not chosen, g.refusal is not None, _rank(g)))


def refuse_all(groups: Sequence[Group]) -> ReadError:
    """Return the error to raise when no group may be measured."""
    meant = [g for g in groups if not isinstance(g.refusal, NotOriginalError)]
    if len(meant) == 1 and meant[0].refusal is not None:
        return meant[0].refusal
    shown = meant or groups
    reasons = dict.fromkeys(f"series {_number(g)}: {g.refusal}" for g in shown)
    more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return SeriesRefusedError(
        "no series may be measured: " + "; ".join(list(reasons)[:3]) + more,
        hint="Run qct inspect to see every series; send an original axial chest CT.",
    )


def _number(group: Group) -> str:
    number = group.slices[0].series_number
    return "without number" if number is None else str(number)


def _key(one: Slice) -> object:
    """Return everything that the slices of one volume have in common."""
    return (
        one.series_uid,
        one.modality,
        one.sop_class_uid,
        one.image_type[:3],
        one.kernel,
        _rounded(one.orientation, 3),
        _rounded(one.pixel_mm, 4),
        (one.pixels.rows, one.pixels.columns),
    )


def _rounded(numbers: tuple[float, ...] | None, digits: int) -> tuple[float, ...] | None:
    return None if numbers is None else tuple(round(number, digits) + 0.0 for number in numbers)


def _once(slices: Sequence[Slice]) -> list[Slice]:
    """Keep one of several copies of the same image."""
    kept: dict[object, Slice] = {}
    for one in slices:
        same = (one.sop_uid, one.frame) if one.sop_uid else (one.path, one.frame)
        kept.setdefault(same, one)
    return list(kept.values())


_Split = Callable[[Slice], object]

_SPLITS: tuple[_Split, ...] = (
    lambda one: one.image_type,
    lambda one: one.stack,
    lambda one: one.has_contrast,
    lambda one: one.thickness_mm,
    lambda one: one.acquisition,
    lambda one: one.moment,
)
"""By what images are told apart that do not make one volume together, in this order."""


def _parts(slices: list[Slice], splits: Sequence[_Split] = _SPLITS) -> list[list[Slice]]:
    """Split images of several acquisitions or moments, if they do not make one volume together."""
    if not _has_places(slices) or _is_regular(slices):
        return [slices]
    for k, split in enumerate(splits):
        parts: dict[object, list[Slice]] = {}
        for one in slices:
            parts.setdefault(split(one), []).append(one)
        if len(parts) > 1 and _are_apart(list(parts.values())):
            return [p for part in parts.values() for p in _parts(part, splits[k + 1 :])]
    return [slices]


def _are_apart(parts: Sequence[Sequence[Slice]]) -> bool:
    """Tell whether parts are volumes of their own, not pieces of one that was cut up.

    Volumes of their own cover the same place, or lie far apart; pieces follow each other.
    """
    if any(len(part) < 2 for part in parts):
        return False
    spans = []
    for part in parts:
        along = positions_along_normal(part)
        spans.append((float(along.min()), float(along.max())))
    gaps = (max(a[0], b[0]) - min(a[1], b[1]) for a, b in combinations(spans, 2))
    return all(gap < 0 or gap >= MIN_APART_MM for gap in gaps)


def _has_places(slices: Sequence[Slice]) -> bool:
    return len(slices) > 1 and all(s.position_mm and s.orientation and s.pixel_mm for s in slices)


def _is_regular(slices: Sequence[Slice]) -> bool:
    try:
        grid_of(slices)
    except GeometryError:
        return False
    return True


def _judged(group: Group) -> Group:
    try:
        for one in group.slices:
            _refuse_kind(one)
        for one in group.slices:
            _refuse_header(one)
        _refuse_mixed(group.slices)
        return replace(group, grid=grid_of(group.slices))
    except ReadError as refusal:
        return replace(group, refusal=refusal)


def _refuse_kind(one: Slice) -> None:
    """Refuse what is no original axial CT image."""
    if one.modality != "CT":
        raise NotOriginalError(f"modality is {one.modality or 'not given'}, not CT")
    if one.sop_class_uid not in CT_CLASSES:
        raise NotOriginalError("not stored as CT images but as secondary captures or documents")
    types = [value.upper() for value in one.image_type]
    if is_monoenergetic(types):
        return  # always derived, and HU all the same; the gate judges it
    for value in types:
        if value in NO_ORIGINAL:
            raise NotOriginalError(f"{NO_ORIGINAL[value]} (ImageType {value})")
        if value in MATERIAL_TYPES:
            raise NotOriginalError(f"a multi-energy map, not HU (ImageType {value})")
    if "SECONDARY" in types[1:2]:
        raise NotOriginalError("a secondary image (ImageType SECONDARY)")
    if "DERIVED" in types[:1] and not (one.is_lossy and "AXIAL" in types):
        raise NotOriginalError("derived from other images (ImageType DERIVED)")


def is_monoenergetic(image_type: Iterable[str]) -> bool:
    """Tell a virtual monoenergetic image by its type (VMI in PS3.3 C.8.15.2.1.1.1; vendors write MONO)."""
    return any(MONOENERGETIC.search(value.upper()) for value in image_type)


def _refuse_header(one: Slice) -> None:
    """Refuse a slice that lacks what a volume of HU needs; names the file."""
    name, again = one.shown_path.name, "Export the series again with complete headers."
    if one.pixels.samples != 1 or not one.pixels.photometric.startswith("MONOCHROME"):
        raise PixelError(f"{name} is a colour image", hint="Choose the grey-scale series.")
    if one.rescale_type not in HU_TYPES:
        raise PixelError(
            f"{name} holds {one.rescale_type} (RescaleType), not HU", hint="Choose the HU series."
        )
    if not one.slope or one.intercept is None:
        raise PixelError(f"{name} has no RescaleSlope or RescaleIntercept", hint=again)
    if one.position_mm is None or one.orientation is None:
        raise GeometryError(f"{name} has no position or orientation in the patient", hint=again)
    if one.pixel_mm is None or min(one.pixel_mm) < MIN_PIXEL_MM:
        raise GeometryError(f"{name} has no pixel spacing", hint=again)
    if not all(1 <= side <= MAX_SIDE_PIXELS for side in (one.pixels.rows, one.pixels.columns)):
        raise PixelError(
            f"{name} has {one.pixels.rows} rows and {one.pixels.columns} columns", hint=again
        )
    if abs(one.slope) > MAX_SLOPE or abs(one.intercept) > MAX_INTERCEPT_HU:
        raise PixelError(
            f"{name} has a rescale of {one.slope:g} and {one.intercept:g}, which is not HU",
            hint=again,
        )
    if max(map(abs, (*one.position_mm, *one.pixel_mm))) > MAX_PLACE_MM:
        raise GeometryError(f"{name} lies kilometres away", hint=again)
    if one.pixels.bits_allocated not in (8, 16, 32):
        raise PixelError(f"{name} stores {one.pixels.bits_allocated} bits per pixel", hint=again)
    if not 1 <= one.pixels.bits_stored <= one.pixels.bits_allocated:
        raise PixelError(f"{name} says that {one.pixels.bits_stored} bits are stored", hint=again)


def _refuse_mixed(slices: Sequence[Slice]) -> None:
    """One volume belongs to one patient, one study, one frame of reference."""
    parts = (
        ("patient", {s.patient for s in slices}),
        ("study", {s.study_uid for s in slices}),
        ("frame of reference", {s.frame_of_reference for s in slices}),
    )
    for what, found in parts:
        if len(found) > 1:
            raise IdentityError(
                f"the images of one series belong to {len(found)} different {_plural(what)}",
                hint="Send the series again from the archive.",
            )


def _plural(what: str) -> str:
    return {"study": "studies", "frame of reference": "frames of reference"}.get(what, f"{what}s")


def _rank(group: Group) -> tuple[object, ...]:
    """Sort key: lungs covered, a real energy, neutral kernel, no contrast, thin, many, early."""
    spacing = group.grid.spacing_mm[0] if group.grid else 99.0
    one = group.slices[0]
    return (
        group.extent_mm < LUNG_EXTENT_MM,
        is_monoenergetic(one.image_type),
        _KERNEL_RANK[group.family],
        one.has_contrast,
        round(spacing, 2),
        -len(group.slices),
        99999 if one.series_number is None else one.series_number,
        one.series_uid or "",
    )


def _candidate(group: Group, chosen: Group | None) -> Candidate:
    one = group.slices[0]
    verdict, reason = _fate(group, chosen)
    return Candidate(
        series_uid=one.series_uid or "",
        series_number=one.series_number,
        description=None,
        modality=one.modality,
        n_images=len(group.slices),
        recon_kernel=one.kernel,
        slice_mm=one.thickness_mm,
        spacing_mm=group.grid.spacing_mm if group.grid else None,
        shape=group.grid.shape if group.grid else None,
        z_extent_mm=group.extent_mm if group.grid else None,
        verdict=verdict,
        reason=reason,
    )


def _fate(group: Group, chosen: Group | None) -> tuple[str, str]:
    if group.refusal is not None:
        return "rejected", _sentence(str(group.refusal))
    if group is chosen:
        return "chosen", _sentence(_praise(group))
    if chosen is None:
        return "passed over", "May be measured."
    return "passed over", _sentence(_why_not(group, chosen))


def _sentence(text: str) -> str:
    """Begin with a capital, except for the name of a file."""
    is_name = "." in text.split(" ", 1)[0]
    return (text if is_name else text[:1].upper() + text[1:]).rstrip(".") + "."


def _praise(group: Group) -> str:
    assert group.grid is not None
    kernel = group.slices[0].kernel or "not given"
    return (
        f"original axial slices, {group.grid.spacing_mm[0]:.2f} mm apart over "
        f"{group.extent_mm:.0f} mm, kernel {kernel} ({group.family})"
    )


def _why_not(group: Group, chosen: Group) -> str:
    """Say by what the chosen group is better: the first place where the ranks differ."""
    assert group.grid is not None
    assert chosen.grid is not None
    mine, its = _rank(group), _rank(chosen)
    if mine < its:
        return "another series was asked for"
    spacings = group.grid.spacing_mm[0], chosen.grid.spacing_mm[0]
    kernels = (g.slices[0].kernel or "not given" for g in (group, chosen))
    words = (
        f"it covers {group.extent_mm:.0f} mm, too little for both lungs; the chosen one "
        f"{chosen.extent_mm:.0f} mm",
        "it is a virtual monoenergetic image",
        "its kernel ({}, {family}) is less fit for density than {}".format(
            *kernels, family=group.family
        ),
        "it was taken with contrast",
        f"its slices are {spacings[0]:.2f} mm apart, the chosen ones {spacings[1]:.2f} mm",
        f"it has {len(group.slices)} slices, the chosen one {len(chosen.slices)}",
    )
    differ = (word for word, a, b in zip(words, mine, its, strict=False) if a != b)
    return next(differ, "it is no better than the chosen one, which comes first")
