"""Which lobe borders a scan shows, and gaps in the lines of those that it does not."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from qct.findings import Analysis
from qct.regions import LOBES, Fissure, Label
from qct.report.wording import Wording

MEETING: Mapping[Fissure, tuple[tuple[Label, ...], tuple[Label, ...]]] = {
    Fissure.RIGHT_OBLIQUE: (
        (Label.RIGHT_UPPER_LOBE, Label.RIGHT_MIDDLE_LOBE),
        (Label.RIGHT_LOWER_LOBE,),
    ),
    Fissure.RIGHT_HORIZONTAL: ((Label.RIGHT_UPPER_LOBE,), (Label.RIGHT_MIDDLE_LOBE,)),
    Fissure.LEFT_OBLIQUE: ((Label.LEFT_UPPER_LOBE,), (Label.LEFT_LOWER_LOBE,)),
}
"""Lobes on either side of a fissure."""

DASH_PX = 9.0
"""Length of a dash, and of a gap."""

BESIDE_PX = 3.0
"""Pixels of a label map on either side of a border that its line may lie on."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """What a picture must not show as if it were known.

    Attributes
    ----------
    fissures : frozenset of Fissure
        Whose border is a population average.
    lobes : frozenset of str
        Region keys of lobes whose volume is withheld.
    """

    fissures: frozenset[Fissure] = frozenset()
    lobes: frozenset[str] = frozenset()


def unseen(analysis: Analysis) -> Unseen:
    """Return what a scan does not show of its lobes."""
    fits = analysis.segmentation.fissures
    fissures = (one.fissure for one in fits if one.support == "population average")
    lobes = (one.key for one in LOBES if analysis.withholds(one.key, "volume_ml"))
    return Unseen(frozenset(fissures), frozenset(lobes))


def explained(what: Unseen, say: Wording) -> str:
    """Say what dashes and question marks mean, after a caption; empty where there are none."""
    marks = (("dashed", what.fissures), ("unknown_lobes", what.lobes))
    return "".join(f" {say(f'captions.{key}')}" for key, those in marks if those)


def gaps(
    labels: npt.NDArray[np.uint8], size: tuple[int, int], fissures: frozenset[Fissure]
) -> Image.Image | None:
    """Return where lines are left out, at (width, height), as a mask of 0 to 255; None for nowhere.

    Dashes are counted by the distance from one end of a border.
    """
    open_ = np.zeros(size[::-1], bool)
    for fissure in sorted(fissures):
        for one, other in product(*MEETING[fissure]):
            near = _near(labels, one, other)
            if near.any():
                large = Image.fromarray(near).resize(size, Image.Resampling.NEAREST)
                open_ |= np.asarray(large) & _every_second(near, size)
    return Image.fromarray(open_.astype(np.uint8) * 255) if open_.any() else None


def _near(labels: npt.NDArray[np.uint8], one: int, other: int) -> npt.NDArray[np.bool_]:
    """Return the pixels of two lobes that lie close to the other of them."""
    near = np.zeros(labels.shape, bool)
    if (labels == one).any() and (labels == other).any():
        for mine, others in ((one, other), (other, one)):
            away = ndimage.distance_transform_edt(labels != others)
            near |= (labels == mine) & (away <= BESIDE_PX)
    return near


def _every_second(near: npt.NDArray[np.bool_], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Part the picture into rings around one end of a border; every second of them is True."""
    points = np.argwhere(near).astype(float)
    _, _, along = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    end = points[(points @ along[0]).argmin()]
    row, column = end * (size[1] / near.shape[0], size[0] / near.shape[1])
    y, x = np.ogrid[: size[1], : size[0]]
    rings: npt.NDArray[np.bool_] = (np.hypot(y - row, x - column) // DASH_PX) % 2 == 1
    return rings
