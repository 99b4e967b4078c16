"""Drawing on pixels: what figures need of lines, outlines, words, colours and scales. Pillow, no display."""

import io
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

DPI = 180
WIDTH = 1260
"""Pixels across a page between its margins: 7 inches."""

INK = "#1b2733"
SOFT = "#56636f"
WHITE = "#ffffff"
BLACK = "#000000"

LOW_TICKS = (0, 5, 20, 45, 80)
"""Percent on the scale of low attenuation, evenly spaced; one scale for all pictures, so that maps compare."""

RIM = 6
"""Pixels around a region that its border, which is blurred, may reach into."""

Mask = npt.NDArray[np.bool_]


@cache
def _font_bytes(weight: str) -> bytes:
    return files("qct").joinpath("fonts", f"OpenSans-{weight}.ttf").read_bytes()


@cache
def font(points: float, weight: str = "Regular", dpi: int = DPI) -> Any:
    """Return the package's own font, so that pictures look alike on every machine."""
    return ImageFont.truetype(io.BytesIO(_font_bytes(weight)), round(points * dpi / 72))


def write(
    picture: Image.Image,
    at: tuple[float, float],
    text: str,
    *,
    points: float = 7,
    colour: str = INK,
    halo: str = "",
    anchor: str = "la",
    weight: str = "Regular",
    dpi: int = DPI,
) -> None:
    """Write a word; `anchor` as in Pillow, `halo` the colour of a rim that parts it from the ground."""
    ImageDraw.Draw(picture).text(
        at,
        text,
        font=font(points, weight, dpi),
        fill=colour,
        anchor=anchor,
        stroke_width=2 if halo else 0,
        stroke_fill=halo or None,
    )


def enlarged(picture: npt.NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    """Bring grey or colour pixels to (width, height)."""
    return Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)


def outline_of(inside: Mask, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """Return a region at (width, height) with a smooth border, and that border, as masks of 0 to 255."""
    grey = Image.fromarray(inside.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(1.2))
    region = np.asarray(grey.resize(size, Image.Resampling.BICUBIC)) > 127
    around = box_around(region, RIM)
    part = region[around]
    edge = part & ~_eroded(_eroded(part))
    thin = Image.fromarray(edge.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(0.6))
    border = Image.new("L", size)
    border.paste(thin, (around[1].start, around[0].start))
    return Image.fromarray(region.astype(np.uint8) * 255), border


def box_around(region: Mask, rim: int = 0) -> tuple[slice, slice]:
    """Return the rows and columns of a region and `rim` pixels around it, within the picture."""
    seen = [np.flatnonzero(region.any(axis=axis)) for axis in (1, 0)]
    rows, columns = (
        slice(max(int(at[0]) - rim, 0), int(at[-1]) + 1 + rim) if at.size else slice(0, 1)
        for at in seen
    )
    return rows, columns


def _eroded(region: Mask) -> Mask:
    """Take off one pixel all around; beyond the picture the region is taken to go on."""
    left = region.copy()
    left[1:] &= region[:-1]
    left[:-1] &= region[1:]
    left[:, 1:] &= region[:, :-1]
    left[:, :-1] &= region[:, 1:]
    return left


def mixed(lower: str, upper: str, share: float) -> tuple[int, int, int]:
    """Mix two colours, ``#rrggbb``.

    >>> mixed("#000000", "#ffffff", 0.5)
    (128, 128, 128)
    """
    a, b = rgb(lower), rgb(upper)
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def rgb(colour: str) -> tuple[int, int, int]:
    """Return the parts of ``#rrggbb``."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def ramp(colours: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Return (256, 3) steps through `colours`, evenly spaced."""
    stops = np.array([rgb(colour) for colour in colours], float)
    at = np.linspace(0, len(stops) - 1, 256)
    parts = [np.interp(at, np.arange(len(stops)), stops[:, c]) for c in range(3)]
    return np.stack(parts, axis=1).round().astype(np.uint8)


def share_of_scale(percent: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return where percent lie on the scale of `LOW_TICKS`, 0 to 1: the square root, so that little is seen."""
    share: npt.NDArray[Any] = np.sqrt(np.clip(percent / LOW_TICKS[-1], 0.0, 1.0))
    return share


def low_colours(percent: npt.NDArray[Any], steps: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Colour low attenuation by the (256, 3) steps of its scale; what is not known as if there were none."""
    return steps[(255 * share_of_scale(np.nan_to_num(percent))).astype(np.uint8)]


def bar(picture: Image.Image, left: float, right: float, y: float) -> None:
    """Draw a white bar with a black rim."""
    pen = ImageDraw.Draw(picture)
    pen.rectangle((left - 2, y - 4, right + 2, y + 4), fill="black")
    pen.rectangle((left, y - 2, right, y + 2), fill="white")


def png(picture: Image.Image) -> bytes:
    """Return the file; equal pictures are equal bytes."""
    stream = io.BytesIO()
    picture.save(stream, "png", compress_level=3, dpi=(DPI, DPI))
    return stream.getvalue()
