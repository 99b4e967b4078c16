"""Key images: the picture as large as its room allows, in its proportions, in the colours that are told."""

import numpy as np
import pytest

from qct import canvas
from qct.export.dicom_images import (
    FOOT_PIXELS,
    FRAME_PIXELS,
    LOW_RAMP,
    LUNG_WINDOW_HU,
    OVERLAY_SHARE,
    PICTURE,
    draw_projection,
    draw_view,
)
from qct.findings import Projection, View
from qct.regions import DENSE, LOBES, Label

FOOT = np.full((FOOT_PIXELS, FRAME_PIXELS, 3), 7, np.uint8)
MIDDLE_HU = sum(LUNG_WINDOW_HU) / 2


def view(labels, *, plane="coronal", pixel_mm=(1.0, 1.0)):
    hu = np.full(labels.shape, MIDDLE_HU, np.int16)
    return View(
        name="coronal_middle",
        plane=plane,
        position_mm=5.0,
        pixel_mm=pixel_mm,
        hu=hu,
        labels=labels,
    )


def projection(values):
    return Projection(name="laa950_coronal", pixel_mm=(1.0, 1.0), values=values)


def extent(frame):
    """Rows and columns of what is not black in the room of the picture."""
    left, top, right, bottom = PICTURE
    seen = frame[top:bottom, left:right].any(axis=2)
    return seen.any(axis=1).sum(), seen.any(axis=0).sum()


@pytest.mark.parametrize(
    ("shape", "pixel_mm", "proportion"),
    [((100, 100), (1.0, 1.0), 1.0), ((50, 100), (2.5, 1.0), 1.25), ((30, 200), (1.0, 1.0), 0.15)],
)
def test_a_picture_keeps_its_proportions_and_fills_its_room(shape, pixel_mm, proportion):
    frame = draw_view(view(np.zeros(shape, np.uint8), pixel_mm=pixel_mm), FOOT)
    assert frame.shape == (FRAME_PIXELS, FRAME_PIXELS, 3)
    rows, columns = extent(frame)
    left, top, right, bottom = PICTURE
    assert rows / columns == pytest.approx(proportion, rel=0.02)
    assert rows == bottom - top or columns == right - left
    np.testing.assert_array_equal(frame[-FOOT_PIXELS:], FOOT)


@pytest.mark.parametrize("dense", [0, DENSE])
def test_a_region_shows_its_colour_through(dense):
    labels = np.full((100, 100), Label.RIGHT_UPPER_LOBE + dense, np.uint8)
    labels[:, 60:] = 0
    frame = draw_view(view(labels), FOOT)
    left, top, right, bottom = PICTURE
    y, x = (top + bottom) // 2, (left + right) // 2
    (lobe,) = (one for one in LOBES if Label.RIGHT_UPPER_LOBE in one.labels)
    mixed = (1 - OVERLAY_SHARE) * 127.5 + OVERLAY_SHARE * np.array(canvas.rgb(lobe.colour))
    np.testing.assert_allclose(frame[y + 60, x - 60], mixed, atol=1)
    np.testing.assert_allclose(frame[y + 60, x + 200], 127.5, atol=1)


@pytest.mark.parametrize(("percent", "share"), [(0.0, 0.0), (20.0, 0.5), (80.0, 1.0), (100.0, 1.0)])
def test_a_map_has_the_colours_of_one_scale(percent, share):
    values = np.full((100, 100), np.nan)
    values[20:80, 20:80] = percent
    frame = draw_projection(projection(values), FOOT)
    _, top, _, bottom = PICTURE
    y, x = (top + bottom) // 2 + 60, 400
    np.testing.assert_array_equal(frame[y, x], canvas.ramp(LOW_RAMP)[int(255 * share)])
    assert not frame[top + 40, x].any()  # nothing is known there
