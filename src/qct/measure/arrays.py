"""Measure plain numpy arrays: no file, no lobe, no report."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.measure.clusters import Clusters, clusters_of
from qct.measure.density import Extras, density_of
from qct.measure.lungs import measure
from qct.quantities import PROFILES
from qct.volume import PADDING_HU, Volume

Values = Mapping[str, float | None]
"""Value by key of `qct.quantities`; None where a number is undefined."""

MOST_LABELS = 255
"""More different labels than this are refused."""


def measure_density(
    volume: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    spacing_mm: Sequence[float],
    profile: str = "default",
    laa_hu: Sequence[int] = (),
    percentiles: Sequence[int] = (),
) -> dict[int, Values]:
    """Measure volume and density of every labelled region.

    Parameters
    ----------
    volume : (Z, Y, X) int or float
        Hounsfield units. Fractions are rounded to whole HU. NaN stands for nothing measured and may occur
        outside the labels only.
    labels : (Z, Y, X) bool or int
        A mask, which is region 1, or a region number per voxel, with gaps or without; 0 is background.
    spacing_mm : (z, y, x)
        Distance between voxel centres.
    profile : str
        Name in `qct.quantities.PROFILES`.
    laa_hu : sequence of int
        Thresholds beyond those of the dictionary: 920 stands for -920 HU.
    percentiles : sequence of int
        Percentiles beyond those of the dictionary.

    Returns
    -------
    regions : dict
        For every number that occurs, in ascending order: value by key of `qct.quantities`. A region is
        described however small; the skewness of one voxel, for instance, is None. No label, no entry.

    Raises
    ------
    ValueError
        If the arrays are not 3-D or not of one shape, labels are no whole numbers from 0 on, a labelled
        value is NaN or no HU, the spacing is not three positive lengths, or there is no such profile.

    Examples
    --------
    A block of 1000 voxels of 1 mm, a tenth of it emphysema:

    >>> import numpy as np
    >>> import qct
    >>> hu = np.full((10, 10, 10), -850)
    >>> hu[0] = -970
    >>> lung = qct.measure_density(hu, hu < -500, spacing_mm=(1, 1, 1))[1]
    >>> lung["volume_ml"], lung["laa950_percent"], lung["mean_hu"]
    (1.0, 10.0, -862.0)
    """
    if profile not in PROFILES:
        msg = f"profile {profile!r} is none of {', '.join(PROFILES)}"
        raise ValueError(msg)
    numbers, marks = _numbered(labels)
    hu, voxel_ml = _hu(volume, marks, spacing_mm)
    extras = Extras(tuple(laa_hu), tuple(percentiles))
    found = density_of(hu, marks, voxel_ml, profile=profile, extras=extras)
    return {numbers[mark]: values for mark, values in found.items()}


def measure_lungs(
    volume: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    spacing_mm: Sequence[float],
    profile: str = "default",
) -> dict[str, Values]:
    """Measure lungs, lobes, thirds, core and peel.

    Parameters
    ----------
    volume : (Z, Y, X) int or float
        As for `measure_density`; z towards the head, y towards the back, x towards the patient's left.
    labels : (Z, Y, X) int
        `qct.regions.Label` numbers (1 to 5 are lungmask's lobes), plus `qct.regions.DENSE` where airless.
    spacing_mm : (z, y, x)
        Distance between voxel centres.
    profile : str
        Name in `qct.quantities.PROFILES`.

    Returns
    -------
    regions : dict
        By region key: value by key of `qct.quantities`. A region of under 1000 voxels keeps its volume only.

    Raises
    ------
    ValueError
        As `measure_density`, and if a label is none of `qct.regions`.

    Examples
    --------
    >>> import numpy as np
    >>> import qct
    >>> hu = np.full((40, 20, 20), -850)
    >>> lobes = np.repeat([1, 2], 20)[:, None, None] * np.ones(hu.shape, int)
    >>> found = qct.measure_lungs(hu, lobes, spacing_mm=(1, 1, 1))
    >>> found["left_upper_lobe"]["volume_ml"], found["left_lung"]["mean_hu"]
    (8.0, -850.0)
    """
    if profile not in PROFILES:
        msg = f"profile {profile!r} is none of {', '.join(PROFILES)}"
        raise ValueError(msg)
    numbers, marks = _numbered(labels)
    lookup = np.array([0, *(numbers[mark] for mark in range(1, len(numbers) + 1))])
    if lookup.max(initial=0) > MOST_LABELS:
        msg = f"label {lookup.max()} is no region"
        raise ValueError(msg)
    hu, _ = _hu(volume, marks, spacing_mm)
    dz, dy, dx = map(float, spacing_mm)
    measured = measure(
        Volume.from_spacing(hu, (dz, dy, dx)), lookup.astype(np.uint8)[marks], profile=profile
    ).measured
    found: dict[str, dict[str, float | None]] = {}
    for one in measured:
        found.setdefault(one.region, {})[one.quantity] = one.value
    return dict(found)


def measure_clusters(
    volume: npt.ArrayLike,
    mask: npt.ArrayLike,
    *,
    spacing_mm: Sequence[float],
    below_hu: int = -950,
) -> Clusters:
    """Describe how low attenuation clumps: number, sizes and the exponent D of 26-connected clusters.

    Parameters
    ----------
    volume : (Z, Y, X) int or float
        As for `measure_density`.
    mask : (Z, Y, X) bool or int
        Where to look.
    spacing_mm : (z, y, x)
        Distance between voxel centres.
    below_hu : int
        Voxels below it are low.

    Raises
    ------
    ValueError
        As `measure_density`.

    Examples
    --------
    >>> import numpy as np
    >>> import qct
    >>> hu = np.full((10, 10, 10), -850)
    >>> hu[2, 2, 2:5] = hu[7, 7, 7] = -980
    >>> found = qct.measure_clusters(hu, hu < -500, spacing_mm=(1, 1, 1))
    >>> found.n, found.largest_ml
    (2, 0.003)
    """
    _, marks = _numbered(mask)
    hu, voxel_ml = _hu(volume, marks, spacing_mm)
    return clusters_of((marks > 0) & (hu < below_hu) & (hu != PADDING_HU), 1000.0 * voxel_ml)


def _numbered(labels: npt.ArrayLike) -> tuple[dict[int, int], npt.NDArray[np.uint8]]:
    """Return the label of every number, and the array of numbers; they count from 1 what occurs."""
    given = np.asarray(labels)
    if given.ndim != 3 or given.dtype.kind not in "biu":
        msg = f"labels are {given.ndim}-D {given.dtype}, expected 3-D whole numbers"
        raise ValueError(msg)
    if given.size and given.min() < 0:
        msg = f"label {given.min()} is below 0"
        raise ValueError(msg)
    occurring = [int(label) for label in np.unique(given) if label]
    if len(occurring) > MOST_LABELS:
        msg = f"{len(occurring)} different labels, expected at most {MOST_LABELS}"
        raise ValueError(msg)
    marks = np.searchsorted(np.array([0, *occurring]), given).astype(np.uint8)
    return dict(enumerate(occurring, start=1)), marks


def _hu(
    volume: npt.ArrayLike, marks: npt.NDArray[np.uint8], spacing_mm: Sequence[float]
) -> tuple[npt.NDArray[np.int16], float]:
    """Return whole HU and the volume of a voxel (mL), or say what is wrong."""
    given: npt.NDArray[Any] = np.asarray(volume)
    if given.shape != marks.shape:
        msg = f"labels {marks.shape} are not on the grid {given.shape}"
        raise ValueError(msg)
    if given.dtype.kind not in "iuf":
        msg = f"volume is {given.dtype}, expected numbers"
        raise ValueError(msg)
    lengths = np.asarray(spacing_mm, float)
    if lengths.shape != (3,) or not (np.isfinite(lengths) & (lengths > 0)).all():
        msg = f"spacing_mm = {spacing_mm} is not three positive lengths (z, y, x)"
        raise ValueError(msg)
    voxel_ml = float(lengths.prod()) / 1000.0
    if given.dtype == np.int16:
        return given, voxel_ml
    is_hu = np.abs(given) <= np.iinfo(np.int16).max  # False for NaN
    n_odd = np.count_nonzero(~is_hu & (marks > 0))
    if n_odd:
        msg = (
            f"{n_odd} labelled voxels hold NaN or no HU; label them 0 if nothing was measured there"
        )
        raise ValueError(msg)
    return np.where(is_hu, np.rint(np.where(is_hu, given, 0)), PADDING_HU).astype(
        np.int16
    ), voxel_ml
