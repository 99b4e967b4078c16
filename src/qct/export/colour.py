"""Colours as DICOM wants them."""

import numpy as np

WHITE_D50 = (0.96422, 1.0, 0.82521)
"""Reference white of the profile connection space (ICC.1:2010, 7.2.16)."""

SRGB_TO_D50 = (
    (0.4360747, 0.3850649, 0.1430804),
    (0.2225045, 0.7168786, 0.0606169),
    (0.0139322, 0.0971045, 0.7141733),
)
"""Linear sRGB to XYZ, adapted to D50 by Bradford's method (Lindbloom)."""


def cielab_of(colour: str) -> tuple[int, int, int]:
    """Turn ``#rrggbb`` into the unsigned 16-bit L*, a*, b* of DICOM (PS3.3 C.10.7.1.1).

    >>> cielab_of("#ffffff")
    (65535, 32896, 32896)
    >>> cielab_of("#000000")
    (0, 32896, 32896)
    """
    srgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    x, y, z = (_f(v) for v in np.array(SRGB_TO_D50) @ linear / np.array(WHITE_D50))
    lightness = (116 * y - 16) * 65535 / 100
    a, b = (500 * (x - y) + 128) * 257, (200 * (y - z) + 128) * 257
    whole = [int(np.clip(np.rint(v), 0, 65535)) for v in (lightness, a, b)]
    return whole[0], whole[1], whole[2]


def _f(ratio: float) -> float:
    """CIE 15:2004, equation 8.4."""
    if ratio > (6 / 29) ** 3:
        return float(ratio ** (1 / 3))
    return float(ratio * (29 / 6) ** 2 / 3 + 4 / 29)
