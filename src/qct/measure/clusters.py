"""Describe how low-attenuation areas clump: few large ones, or many small ones."""

from dataclasses import dataclass

import cc3d
import numpy as np
import numpy.typing as npt

from qct.boxes import box_of
from qct.quantities import CLUSTER_EDGES_MM, CLUSTER_FIT_MM3
from qct.regions import WHOLE_LUNG
from qct.volume import PADDING_HU, Volume

THRESHOLD_HU = -950
"""Voxels below it are low (HU) [gevenois1996]."""

MIN_SIZES = 8
"""Fewer different cluster volumes than this do not make a line."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters of low attenuation in both lungs.

    Attributes
    ----------
    n : int
        How many clusters there are.
    exponent : float or None
        D: the number of clusters of at least v mm3 falls as v to the power -D. None where too few sizes
        occur.
    r_squared : float or None
        How well the line fits in the double-logarithmic plot.
    fit_mm3 : (float, float)
        Where it was fitted.
    n_fitted : int
        Clusters within that range.
    largest_ml : float
        Volume of the largest; 0 where there is none.
    share_percent : tuple of float
        Share of the low volume in clusters of equivalent diameter under the first of
        `qct.quantities.CLUSTER_EDGES_MM`, between the edges, and above; all 0 where there is no cluster.
    """

    n: int
    exponent: float | None
    r_squared: float | None
    fit_mm3: tuple[float, float]
    n_fitted: int
    largest_ml: float
    share_percent: tuple[float, ...]


def laa_clusters(
    volume: Volume, labels: npt.NDArray[np.uint8], *, or_equal: bool = False
) -> Clusters:
    """Measure the clusters of low attenuation in both lungs.

    Parameters
    ----------
    volume : Volume
        Scan in full inspiration.
    labels : (Z, Y, X) uint8
        `qct.regions.Label` numbers; airways and airless lung are left out.
    or_equal : bool
        A voxel at the threshold counts as low.

    Returns
    -------
    clusters : Clusters

    Raises
    ------
    ValueError
        If `labels` is on another grid than `volume`.

    Notes
    -----
    Voxels that touch by a face, an edge or a corner belong to one cluster. The exponent is the slope of a
    least-squares line through (log volume, log number of clusters at least so large), one point per volume
    that occurs [1]_.

    References
    ----------
    .. [1] Mishima M, Hirai T, Itoh H, et al. Complexity of terminal airspace geometry assessed by lung
    computed
       tomography in normal subjects and patients with chronic obstructive pulmonary disease. Proc Natl
       Acad Sci USA 1999;96:8829-8834.
    """
    if labels.shape != volume.shape:
        msg = f"labels {labels.shape} are not on the grid {volume.shape}"
        raise ValueError(msg)
    is_lung = np.zeros(256, bool)
    is_lung[list(WHOLE_LUNG.labels)] = True
    below_hu = THRESHOLD_HU + or_equal
    box = box_of(labels) or (slice(0), slice(0), slice(0))
    named, inside = labels[box], volume.hu[box]
    low = np.empty(named.shape, bool)
    for z, hu in enumerate(inside):  # slice by slice: no second array of the whole volume
        low[z] = is_lung.take(named[z]) & (hu < below_hu) & (hu != PADDING_HU)
    return clusters_of(low, 1000.0 * volume.voxel_ml)


def clusters_of(low: npt.NDArray[np.bool_], voxel_mm3: float) -> Clusters:
    """Measure the clusters of a (Z, Y, X) mask of low voxels."""
    return _described(cluster_voxels(low), voxel_mm3)


def cluster_voxels(low: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the number of voxels of every cluster of a (Z, Y, X) mask, the largest first."""
    box = box_of(low)
    if box is None:
        return np.empty(0, np.int64)
    cropped = np.ascontiguousarray(low[box])
    numbered = cc3d.connected_components(cropped, connectivity=26)
    sizes = np.bincount(numbered[cropped])[1:].astype(np.int64)
    return np.sort(sizes)[::-1]


def _described(n_voxels: npt.NDArray[np.int64], voxel_mm3: float) -> Clusters:
    mm3 = np.asarray(n_voxels * voxel_mm3, np.float64)
    chosen = mm3[(mm3 >= CLUSTER_FIT_MM3[0]) & (mm3 <= CLUSTER_FIT_MM3[1])]
    exponent, r_squared = power_law(mm3, CLUSTER_FIT_MM3)
    diameter_mm = np.cbrt(6.0 * mm3 / np.pi)
    in_class = np.bincount(
        np.digitize(diameter_mm, CLUSTER_EDGES_MM),
        weights=n_voxels,
        minlength=len(CLUSTER_EDGES_MM) + 1,
    )
    share = 100.0 * in_class / max(int(n_voxels.sum()), 1)
    return Clusters(
        int(n_voxels.size),
        exponent,
        r_squared,
        CLUSTER_FIT_MM3,
        int(chosen.size),
        float(mm3.max(initial=0.0)) / 1000.0,
        tuple(share.tolist()),
    )


def power_law(
    mm3: npt.NDArray[np.float64], fit_mm3: tuple[float, float]
) -> tuple[float | None, float | None]:
    """Fit the number of clusters of at least v mm3 by a power of v; return exponent D and R squared."""
    sizes, counts = np.unique(mm3, return_counts=True)
    at_least = np.cumsum(counts[::-1])[::-1]
    inside = (sizes >= fit_mm3[0]) & (sizes <= fit_mm3[1])
    if np.count_nonzero(inside) < MIN_SIZES:
        return None, None
    x, y = np.log(sizes[inside]), np.log(at_least[inside])
    slope = float(np.cov(x, y, ddof=0)[0, 1] / x.var())
    r_squared = float(np.corrcoef(x, y)[0, 1] ** 2)
    return -slope, r_squared
