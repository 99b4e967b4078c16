"""`qct.report.canvas`: a border is the same wherever its region lies."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from qct.canvas import _eroded, outline_of


def whole(inside, size):
    """Draw the border of a region on the whole picture at once."""
    grey = Image.fromarray(inside.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(1.2))
    region = np.asarray(grey.resize(size, Image.Resampling.BICUBIC)) > 127
    edge = region & ~_eroded(_eroded(region))
    return region, Image.fromarray(edge.astype(np.uint8) * 255).filter(
        ImageFilter.GaussianBlur(0.6)
    )


@pytest.mark.parametrize(
    "box",
    [
        np.s_[20:50, 30:60],
        np.s_[0:30, 0:20],
        np.s_[40:80, 70:100],
        np.s_[0:80, 0:100],
        np.s_[40:41, 50:51],
        np.s_[0:0, 0:0],
    ],
)
def test_a_border_is_that_of_the_whole_picture(box):
    inside = np.zeros((80, 100), bool)
    inside[box] = True
    region, edge = outline_of(inside, (230, 190))
    expected = whole(inside, (230, 190))
    np.testing.assert_array_equal(np.asarray(region) > 0, expected[0])
    np.testing.assert_array_equal(np.asarray(edge), np.asarray(expected[1]))
