"""Bronchi drawn into a block of lung: a trachea, two main bronchi, and lobar ones with two branches each."""

import numpy as np
from scipy.ndimage import gaussian_filter

from qct.kernels.draw import draw_capsules
from qct.regions import Label
from qct.volume import Volume

FINE_MM = 0.5
SIZE_MM = (110, 80, 150)
"""(z, y, x) of the block."""

MIDDLE_MM = 75.0

WALLS = {8.0: 1.5, 6.0: 1.2, 4.0: 1.0, 2.2: 0.8}
"""Wall by radius of the lumen, mm."""

TUBES = (
    ((110, 40, 75), (80, 40, 75), 8.0),
    ((80, 40, 75), (68, 40, 50), 6.0),
    ((80, 40, 75), (64, 40, 105), 6.0),
    ((68, 40, 50), (82, 38, 32), 4.0),
    ((68, 40, 50), (48, 40, 44), 4.0),
    ((82, 38, 32), (98, 30, 18), 2.2),
    ((82, 38, 32), (84, 54, 12), 2.2),
    ((48, 40, 44), (34, 16, 36), 2.2),
    ((48, 40, 44), (20, 50, 34), 2.2),
    ((64, 40, 105), (78, 34, 122), 4.0),
    ((64, 40, 105), (40, 46, 112), 4.0),
    ((78, 34, 122), (98, 30, 130), 2.2),
    ((78, 34, 122), (66, 18, 138), 2.2),
    ((40, 46, 112), (18, 56, 104), 2.2),
    ((40, 46, 112), (20, 34, 124), 2.2),
)
"""Start and end (z, y, x) and radius of the lumen, mm; the right side of the patient is at low x."""

BRANCHES = len(TUBES)


def drawn_bronchi(lung_hu=-860.0, noise_hu=20.0, hole=False, arteries=False):
    """Return a volume of 1 mm voxels and its labels.

    `hole` opens a bronchus to a bulla beside it; `arteries` puts one beside each of the narrowest.
    """
    hu = np.full([round(side / FINE_MM) for side in SIZE_MM], lung_hu, np.float32)
    spacing = np.full(3, FINE_MM)
    tubes = np.array([[*a, *b, r, r] for a, b, r in TUBES], np.float64)
    wide = tubes.copy()
    wide[:, 6:] += np.array([WALLS[r] for _, _, r in TUBES])[:, None]
    if hole:
        draw_capsules(hu, np.array([[30.0, 14, 60, 30, 14, 60, 12, 12]]), -990.0, spacing, FINE_MM)
    mediastinum = np.array([[110.0, 40, 75, 88, 40, 75, 14, 14]])
    draw_capsules(hu, mediastinum, 20.0, spacing, FINE_MM)
    if arteries:
        beside = wide[tubes[:, 6] < 3].copy()
        beside[:, [1, 4]] += 2 * beside[:, 6:7] - 0.5 + 0.3
        beside[:, 6:] -= 0.5
        draw_capsules(hu, beside, 40.0, spacing, FINE_MM)
    draw_capsules(hu, wide, 20.0, spacing, FINE_MM)
    draw_capsules(hu, tubes, -990.0, spacing, FINE_MM)
    if hole:
        draw_capsules(
            hu, np.array([[40.0, 26, 40, 32, 15, 52, 1.2, 1.2]]), -990.0, spacing, FINE_MM
        )
    hu = gaussian_filter(hu, 0.6 / FINE_MM)
    coarse = hu.reshape(SIZE_MM[0], 2, SIZE_MM[1], 2, SIZE_MM[2], 2).mean(axis=(1, 3, 5))
    coarse += np.random.default_rng(3).normal(0, noise_hu, coarse.shape)
    z, y, x = np.indices(SIZE_MM) + 0.5
    labels = np.where(x < MIDDLE_MM, Label.RIGHT_LUNG, Label.LEFT_LUNG).astype(np.uint8)
    labels[100:] = 0
    trachea = (np.hypot(y - 40, x - 75) < 9) & (z > 80)
    labels[trachea] = Label.AIRWAY
    axes = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], np.float64)
    volume = Volume(np.rint(coarse).astype(np.int16), axes, np.full(3, 0.5))
    return volume, labels
