"""What one stage hands to the next; `Analysis` is the whole result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.acquisition import Acquisition, Patient, Study
from qct.flags import Flag, Status, Weight
from qct.options import Options
from qct.order import Order
from qct.regions import Fissure
from qct.signature import Signature
from qct.volume import Volume

Progress = Callable[[str, float], None]
"""Told by a stage while it works: what it is doing (a few words), and the share done (0 to 1)."""


def no_progress(doing: str, share: float) -> None:
    """Tell nobody."""


# --- from read ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One group of images that could have been measured.

    Attributes
    ----------
    verdict : str
        ``chosen``, ``rejected`` (cannot be measured) or ``passed over`` (another one is better).
    reason : str
        One sentence, for people.
    """

    series_uid: str
    series_number: int | None
    description: str | None
    modality: str | None
    n_images: int
    recon_kernel: str | None = None
    slice_mm: float | None = None
    spacing_mm: tuple[float, float, float] | None = None
    """(z, y, x), z from positions."""
    shape: tuple[int, int, int] | None = None
    z_extent_mm: float | None = None
    verdict: str = "rejected"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SliceSource:
    """Where the slice at one z index of the `Volume` came from."""

    path: Path
    sop_class_uid: str | None
    sop_instance_uid: str | None
    frame: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What `read` hands over: one volume, and what is known about it."""

    volume: Volume
    patient: Patient
    study: Study
    acquisition: Acquisition
    candidates: tuple[Candidate, ...] = ()
    slices: tuple[SliceSource, ...] = ()
    """One per z index; empty for a volume that did not come as DICOM slices."""
    stored_axes: tuple[int, int, int] = (1, 2, 3)
    """How the stored (slice, row, column) axes became (z, y, x): entry k is the stored axis (1-based)
    that is now array axis k, negative if it was reversed."""
    flags: frozenset[Flag] = frozenset()


# --- from segment -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FissureFit:
    """How well one lobe border is known.

    Attributes
    ----------
    coverage : float
        Share (0 to 1) of the border that seen fissure lies close to.
    prior_distance : float
        RMS Mahalanobis distance of the fitted shape from the population.
    support : str
        ``supported``, ``partly supported`` or ``population average``.
    completeness_percent : float or None
        Share of the lobe-to-lobe border area with a visible fissure.
    error_mm : float or None
        Expected distance of the border from the true one (mean, either way).
    area_cm2 : float or None
        Area of the border.
    volume_error_ml : float or None
        Standard deviation of the volume that the border moves from one lobe to the next: what lies wrongly
        above it less what lies wrongly below.
    """

    fissure: Fissure
    coverage: float
    prior_distance: float
    support: str
    completeness_percent: float | None = None
    error_mm: float | None = None
    area_cm2: float | None = None
    volume_error_ml: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AirwayBranch:
    """One branch of the airway tree, from one division to the next.

    Attributes
    ----------
    parent : int
        Number of the branch it comes from, -1 for the trachea.
    generation : int
        Trachea 0, main bronchi 1.
    name : str
        Key in `qct.regions.BRONCHI`; empty beyond the lobar bronchi.
    lobe : str
        Region key of the lobe whose bronchus it belongs to; empty before.
    line_mm : (N, 3) float64
        Centre line in LPS, from the parent on.
    radius_mm : (N,) float64
        Radius of the lumen as it was followed: a first guess, not a measurement; NaN in a restored result.
    """

    parent: int
    generation: int
    name: str
    lobe: str
    line_mm: npt.NDArray[np.float64]
    radius_mm: npt.NDArray[np.float64]

    @property
    def length_mm(self) -> float:
        """Length of the centre line."""
        return float(np.linalg.norm(np.diff(self.line_mm, axis=0), axis=1).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class AirwayTree:
    """The airways as far as they were followed; the trachea first, parents before children."""

    branches: tuple[AirwayBranch, ...]

    @property
    def segmental(self) -> tuple[int, ...]:
        """Indices of the segmental bronchi: those that a lobar bronchus divides into."""
        return tuple(
            k
            for k, one in enumerate(self.branches)
            if one.lobe and not one.name and self.branches[one.parent].name == one.lobe
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """Region numbers on the native grid, and how far to trust them.

    Attributes
    ----------
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers, plus `qct.regions.DENSE` where the lung is airless.
    method : mapping
        Name and version of what made them, its settings; for the record.
    region_flags : mapping
        Region key to the doubts about that region alone.
    flags : frozenset of Flag
        Doubts about the whole.
    volume_errors_ml : mapping
        Region key of a lobe (or of two together) to the standard deviation of its volume that its borders
        bring; empty where borders were not fitted.
    """

    labels: npt.NDArray[np.uint8]
    fissures: tuple[FissureFit, ...] = ()
    method: Mapping[str, Any] = field(default_factory=dict)
    region_flags: Mapping[str, frozenset[Flag]] = field(default_factory=dict)
    flags: frozenset[Flag] = frozenset()
    airways: AirwayTree | None = None
    """None where no trachea is seen, or imported labels have none."""
    volume_errors_ml: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vessels:
    """The pulmonary vessels inside the lungs.

    Attributes
    ----------
    points_mm : (N, 3) float32
        Points on centre lines, grid millimetres (z, y, x).
    axes : (N, 3) float32
        Direction of the line at each point; its sign is arbitrary.
    area_mm2 : (N,) float32
        Cross-section at each point.
    volume_ml : (8, A) float64
        Volume by label number and by cross-section in classes of 1 mm²; the last holds all that is wider.
    method : mapping
        What they rest on, for the record: HU of blood and of the lung between the vessels, noise, blur.
    """

    points_mm: npt.NDArray[np.float32]
    axes: npt.NDArray[np.float32]
    area_mm2: npt.NDArray[np.float32]
    volume_ml: npt.NDArray[np.float64]
    method: Mapping[str, Any]


# --- from measure -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchSize:
    """Lumen and wall of one branch of the airways; None where it could not be measured.

    Attributes
    ----------
    lumen_mm : float or None
        Diameter of a disc of the lumen's area; lower quartile over the branch.
    wall_mm : float or None
        Thickness of the wall, corrected for blur.
    lumen_error_percent, wall_error_percent : float or None
        Standard errors of the areas of lumen and wall; also of those that are withheld for it.
    wall_area_percent : float or None
        Wall area / (lumen and wall area), percent.
    lumen_fwhm_mm, wall_fwhm_mm : float or None
        The same by full width at half maximum, not corrected for blur.
    n_places, n_walls : int
        Places along the branch where the lumen, and where the wall, was measured.
    """

    lumen_mm: float | None = None
    wall_mm: float | None = None
    wall_area_percent: float | None = None
    lumen_error_percent: float | None = None
    wall_error_percent: float | None = None
    lumen_fwhm_mm: float | None = None
    wall_fwhm_mm: float | None = None
    n_places: int = 0
    n_walls: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """One number of one region."""

    region: str
    quantity: str
    value: float | None
    status: Status = Status.REPORTED
    flags: frozenset[Flag] = frozenset()


@dataclass(frozen=True, slots=True)
class StandardError:
    """How far noise alone moves one number: one standard deviation, in the unit of the quantity."""

    region: str
    quantity: str
    amount: float
    noise_hu: float
    """Noise of the scan that it follows from."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Voxels of one region in 1-HU bins; `counts[b]` voxels have ``lowest_hu + b`` HU."""

    region: str
    lowest_hu: int
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One flat picture to show in a report, upright for a radiologist (patient's right on the left).

    Attributes
    ----------
    plane : str
        ``axial``, ``coronal`` or ``sagittal``.
    name : str
        What is shown, as a key of the wording files.
    position_mm : float
        Where: LPS coordinate along the plane's normal.
    hu : (H, W) int16
    labels : (H, W) uint8
    pixel_mm : (float, float)
        Height and width of a pixel.
    """

    plane: str
    name: str
    position_mm: float
    hu: npt.NDArray[np.int16]
    labels: npt.NDArray[np.uint8]
    pixel_mm: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """A number projected along the viewing direction, e.g. percent LAA-950 seen from the front.

    Attributes
    ----------
    name : str
        ``laa950_coronal`` and the like.
    values : (H, W) float32
        NaN outside the lung.
    labels : (H, W) uint8 or None
        Region number met first along the line of sight, where something shows the lobes.
    """

    name: str
    values: npt.NDArray[np.float32]
    pixel_mm: tuple[float, float]
    labels: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """The outside of the lungs, seen from one side without perspective.

    Attributes
    ----------
    name : str
        ``lobes_front``, ``lobes_right`` or ``lobes_left``.
    labels : (H, W) uint8
        Region number that is seen; 0 where there is no lung.
    shade : (H, W) float32
        Brightness of the lit surface, 0 to 1.
    """

    name: str
    labels: npt.NDArray[np.uint8]
    shade: npt.NDArray[np.float32]
    pixel_mm: tuple[float, float]


# --- from interpret -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a number is shown with a caveat, or withheld."""

    flag: Flag
    says: str
    """One sentence with this scan's figures."""
    weight: Weight = Weight.CAVEAT
    """The worst it does to any number."""
    source: str = ""
    """Key of an entry in docs/references.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What is usual for people like this one, or why that cannot be said.

    Attributes
    ----------
    key : str
        Name of the row in ``interpret/reference.toml``.
    region, quantity : str
        What it is compared with.
    population : str
        Who was measured to know; one phrase.
    source : str
        Key of an entry in docs/references.md.
    kind : str
        ``predicted`` (by an equation), ``descriptive`` (a group as it is), ``upper limit`` or ``lower limit``.
    limits : str
        What the limits are, in a few words; empty where there are none.
    predicted, lower, upper : float or None
        In the unit of the quantity; None where the source gives none, or it does not apply.
    value : float or None
        What was measured, if this scan allows it.
    stands : str
        ``below``, ``within`` or ``above`` the limits; empty without a value or limits. Not a diagnosis.
    percent_predicted, z_score, percentile : float or None
        Of the value; the last two only where the source gives a normal spread.
    refused : str
        Why it is not given for this person or this scan; empty if it is.
    """

    key: str
    region: str
    quantity: str
    population: str
    source: str
    kind: str
    limits: str = ""
    predicted: float | None = None
    lower: float | None = None
    upper: float | None = None
    value: float | None = None
    stands: str = ""
    percent_predicted: float | None = None
    z_score: float | None = None
    percentile: float | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """How far a number may move without a change in the patient.

    Attributes
    ----------
    key : str
        Name of the row in ``interpret/uncertainty.toml``.
    region, quantity : str
        What it is about.
    kind : str
        ``least detectable change`` (between two scans of one person, 95 %), ``between programs`` (of one
        scan, 95 %), ``standard error`` (of this number, from the noise of this scan) or ``border error``
        (standard deviation, from how far this scan shows the borders of a lobe).
    amount : float
        To either side, in the unit of the quantity.
    conditions : str
        Under which it holds; one phrase.
    source : str
        Key of an entry in docs/references.md.
    confirmed : bool
        False while the printed source has not been seen; shown as *to be confirmed*.
    """

    key: str
    region: str
    quantity: str
    kind: str
    amount: float
    conditions: str
    source: str
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that numbers say; the words for it are in ``report/wordings``. Never a diagnosis.

    Attributes
    ----------
    key : str
        Name of the rule in ``interpret/statements.toml``.
    template : str
        Which words; rules may share them.
    numbers : tuple of (region, quantity)
        What made it; in the order in which the words name them.
    reference : str
        Key of the `Reference` that it speaks of; empty for none.
    """

    key: str
    template: str
    numbers: tuple[tuple[str, str], ...]
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One result as a comparison with others sees it.

    Attributes
    ----------
    name : str
        What a reader calls it: its date, or the name of its folder.
    date : str or None
        When the scan was taken, ISO 8601.
    version : str
        Of qct.
    code : str
        Digest of the code and tables that made it (`qct.software`); empty if the result does not tell.
    segmentation : str
        Where its regions come from.
    flags : frozenset of Flag
        Every doubt about the scan.
    """

    name: str
    date: str | None
    patient_id: str | None
    version: str
    profile: str
    segmentation: str
    acquisition: Acquisition
    measured: tuple[Measured, ...]
    flags: frozenset[Flag] = frozenset()
    code: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """One number at one date; `why` it cannot be compared with the first, empty if it can."""

    name: str
    date: str | None
    value: float | None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One number over two or more scans.

    Attributes
    ----------
    points : tuple of Point
        The baseline first.
    difference : float or None
        Last less first; None where they cannot be compared.
    least_change : float or None
        What a difference must reach to count; None where no source gives it.
    verdict : str
        ``changed``, ``within repeatability``, ``lung volume differs`` or ``not comparable``; about the last
        against the first.
    why : str
        Why they cannot be compared, or cannot be judged; empty if they can.
    slope_per_year : float or None
        Of all points that can be compared; None over too short a time.
    source : str
        Of `least_change`: key of an entry in docs/references.md.
    confirmed : bool
        Whether that source was seen in print.
    """

    region: str
    quantity: str
    points: tuple[Point, ...]
    difference: float | None = None
    least_change: float | None = None
    verdict: str = "not comparable"
    why: str = ""
    slope_per_year: float | None = None
    source: str = ""
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two or more scans compared: every number, and the profile that defines those of the last scan."""

    changes: tuple[Change, ...]
    profile: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Is the scan good enough, on the whole and number by number.

    Attributes
    ----------
    overall : Status
        ``reported`` if nothing was found, else the worst that happens to a headline number.
    reasons : tuple of Reason
    calibration_hu : mapping
        Measured HU of known substances (outside air, tracheal air, ...).
    gate : mapping
        What the site changed in the rules; empty if nothing.
    """

    overall: Status
    reasons: tuple[Reason, ...] = ()
    calibration_hu: Mapping[str, float] = field(default_factory=dict)
    gate: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What a report tells of a scan that this one is compared with.

    Attributes
    ----------
    doubts : mapping
        Quantity of both lungs to its doubts; those without any are left out.
    """

    name: str
    date: str | None
    recon_kernel: str | None
    slice_mm: float | None
    doubts: Mapping[str, frozenset[Flag]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The whole result of one scan."""

    scan: Scan
    segmentation: Segmentation
    measured: tuple[Measured, ...]
    histograms: tuple[Histogram, ...]
    views: tuple[View, ...]
    projections: tuple[Projection, ...]
    verdict: Verdict
    options: Options
    software: Mapping[str, str]
    timings_s: Mapping[str, float]
    airways: tuple[BranchSize, ...] = ()
    """One per branch of `Segmentation.airways`, in its order."""
    references: tuple[Reference, ...] = ()
    uncertainties: tuple[Uncertainty, ...] = ()
    surfaces: tuple[Surface, ...] = ()
    statements: tuple[Statement, ...] = ()
    """What rules draft from the numbers, for a physician to edit or accept."""
    changes: tuple[Change, ...] = ()
    """Against priors, if any were given."""
    earlier: tuple[Earlier, ...] = ()
    """These priors."""
    order: Order | None = None
    """What people said about the study; None if nobody handed anything in."""
    signature: Signature | None = None
    """None while the report is a draft."""

    def get(self, region: str, quantity: str) -> Measured:
        """Return one number; KeyError if it was not asked for."""
        for one in self.measured:
            if one.region == region and one.quantity == quantity:
                return one
        raise KeyError(f"{region} {quantity}")

    def withholds(self, region: str, quantity: str) -> bool:
        """Tell whether this scan does not allow a number; then no picture may show it, either."""
        return any(
            one.status is Status.WITHHELD
            for one in self.measured
            if (one.region, one.quantity) == (region, quantity)
        )

    @property
    def flags(self) -> frozenset[Flag]:
        """Every doubt about the whole scan."""
        return self.scan.flags | self.segmentation.flags | {r.flag for r in self.verdict.reasons}
