"""Key images for a PACS: every view of the report as a frame of one colour Secondary Capture.

Each frame is a square of `FRAME_PIXELS`: the picture with its regions in colour, sides, scale bar, and a
table of the headline numbers. Names and numbers of the patient are not drawn; the header has them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

from qct import canvas
from qct.export.dicom_instance import RESEARCH_USE, Stamp, as_file, new_instance, reference
from qct.export.dicom_source import Source
from qct.export.shown import is_told
from qct.findings import Analysis, Projection, View
from qct.flags import Status
from qct.quantities import HEADLINE, QUANTITIES, quantities_of
from qct.regions import AIRWAY, DENSE, LEFT_LUNG, LOBES, N_LABELS, RIGHT_LUNG, WHOLE_LUNG

SECONDARY_CAPTURE_CLASS = "1.2.840.10008.5.1.4.1.1.7.4"
"""Multi-frame True Color Secondary Capture Image Storage."""

FRAME_PIXELS = 1024
"""Side of a frame: fills a PACS viewport without being scaled down."""

FOOT_PIXELS = 245
"""Height of the table below a picture, which begins above it."""

PICTURE = (20, 61, 1004, 778)
"""Left, top, right and bottom of the room for a picture."""

SCALE_PIXELS = 90
"""What a map leaves of that room for its colour scale, on the right."""

DPI = 100
"""Points of letters are reckoned so."""

LUNG_WINDOW_HU = (-1350.0, 150.0)
"""Centre -600, width 1500: the usual lung window."""

OVERLAY_SHARE = 0.28
"""How much of a region's colour is mixed into the picture."""

BAR_MM = 50
"""Length of the scale bar."""

LOW_RAMP = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
"""Colours of little and much low attenuation on black (five stops of matplotlib's viridis, CC0)."""

DIM = "#bbbbbb"

FRAME_MS = 1000
"""How long a frame is shown if a viewer plays them."""

EDGE_LETTERS = {"axial": ("A", "P", "R", "L"), "coronal": ("H", "F", "R", "L")}
"""Top, bottom, left, right of a picture; a sagittal one shows the front on its left."""

SAGITTAL_LETTERS = ("H", "F", "A", "P")

Picture = npt.NDArray[np.uint8]


def key_images(analysis: Analysis, source: Source, stamp: Stamp) -> Dataset | None:
    """Make the Secondary Capture of all views and projections; None if there are none.

    Where this scan does not allow LAA-950, its projections are left out.
    """
    foot = draw_foot(analysis)
    drawings = [draw_view(view, foot) for view in analysis.views]
    if not analysis.withholds("whole_lung", "laa950_percent"):
        drawings += [draw_projection(one, foot) for one in analysis.projections]
    if not drawings:
        return None
    return capture(np.stack(drawings), source, stamp)


def capture(frames: npt.NDArray[np.uint8], source: Source, stamp: Stamp) -> Dataset:
    """Put pictures into a multi-frame Secondary Capture.

    Parameters
    ----------
    frames : (N, H, W, 3) uint8
        sRGB.
    """
    ds = new_instance(source, stamp, "sc", SECONDARY_CAPTURE_CLASS)
    ds.Modality = "OT"
    ds.SeriesDescription = "Lung CT key images (qct)"
    ds.ConversionType = "WSD"
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.PatientOrientation = None
    ds.BurnedInAnnotation = "YES"
    ds.RecognizableVisualFeatures = "NO"
    ds.ImageComments = RESEARCH_USE
    ds.SourceImageSequence = [reference(source.first)]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.NumberOfFrames, ds.Rows, ds.Columns = frames.shape[:3]
    ds.FrameTime = FRAME_MS
    ds.FrameIncrementPointer = 0x00181063
    ds.PixelData = np.ascontiguousarray(frames).tobytes()
    ds.LossyImageCompression = "00"
    return ds


def key_images_file(ds: Dataset) -> bytes:
    """Write key images, run-length encoded: without loss, and known to every viewer."""
    shape = ds.NumberOfFrames, ds.Rows, ds.Columns, ds.SamplesPerPixel
    frames = np.frombuffer(ds.PixelData, np.uint8, np.prod(shape)).reshape(shape)
    ds.PixelData = encapsulate([run_lengths(frame) for frame in frames])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return as_file(ds, RLELossless)


def run_lengths(frame: Picture) -> bytes:
    """Encode a colour frame (H, W, samples): a segment for each sample, behind a table of them (PS3.5 G.5)."""
    from qct.kernels.compiled import read_only
    from qct.kernels.pixels import pack_runs

    segments = []
    for sample in np.moveaxis(frame, -1, 0):
        packed = pack_runs(read_only(sample)).tobytes()
        segments.append(packed + b"\0" * (len(packed) % 2))
    begins = np.cumsum([64, *(len(one) for one in segments[:-1])])
    table = np.zeros(16, "<u4")
    table[: len(segments) + 1] = [len(segments), *begins]
    return table.tobytes() + b"".join(segments)


def draw_foot(analysis: Analysis) -> Picture:
    """Draw what stands below every picture, once: (FOOT_PIXELS, FRAME_PIXELS, 3) sRGB."""
    foot = Image.new("RGB", (FRAME_PIXELS, FOOT_PIXELS))
    _table(foot, analysis)
    words = f"qct {analysis.software['qct']}. {RESEARCH_USE}"
    _write(foot, (20, FOOT_PIXELS - 12), words, 10, colour=DIM)
    return np.asarray(foot)


def draw_view(view: View, foot: Picture) -> Picture:
    """Draw one view above its foot: (FRAME_PIXELS, FRAME_PIXELS, 3) sRGB."""
    low, high = LUNG_WINDOW_HU
    grey = 255 * np.clip((view.hu.astype(np.float32) - low) / (high - low), 0, 1)
    rgb = np.repeat(grey[..., None], 3, axis=2)
    coloured = view.labels > 0
    colours = _colour_table()[view.labels[coloured]]
    rgb[coloured] = (1 - OVERLAY_SHARE) * rgb[coloured] + OVERLAY_SHARE * colours
    frame, place = _framed(rgb.round().astype(np.uint8), view.pixel_mm, PICTURE, foot)
    _edge(frame, place, SAGITTAL_LETTERS if view.plane == "sagittal" else EDGE_LETTERS[view.plane])
    _scale_bar(frame, place)
    _title(frame, f"{view.name.replace('_', ' ').capitalize()}, {view.position_mm:.0f} mm")
    return np.asarray(frame)


def draw_projection(one: Projection, foot: Picture) -> Picture:
    """Draw one projection with its colour scale above its foot."""
    steps = canvas.ramp(LOW_RAMP)
    known = np.isfinite(one.values)
    colours = canvas.low_colours(one.values, steps) * known[..., None]
    left, top, right, bottom = PICTURE
    room = left, top, right - SCALE_PIXELS, bottom
    frame, place = _framed(colours, one.pixel_mm, room, foot)
    _colour_scale(frame, steps)
    _edge(frame, place, SAGITTAL_LETTERS if "sagittal" in one.name else EDGE_LETTERS["coronal"])
    what = one.name.replace("_", " ").replace("laa", "LAA-")
    _title(frame, what + ", percent along the line of sight")
    return np.asarray(frame)


def _colour_table() -> npt.NDArray[np.float32]:
    """Colour of every label number, 0 to 255."""
    table = np.zeros((N_LABELS, 3), np.float32)
    for region in (RIGHT_LUNG, LEFT_LUNG, *LOBES, AIRWAY):
        for label in region.labels:
            table[int(label)] = table[int(label) + DENSE] = canvas.rgb(region.colour)
    return table


@dataclass(frozen=True, slots=True)
class _Place:
    """Where on its frame a picture lies, and its scale."""

    left: int
    top: int
    width: int
    height: int
    px_per_mm: float


def _framed(
    picture: Picture,
    pixel_mm: tuple[float, float],
    room: tuple[int, int, int, int],
    foot: Picture,
) -> tuple[Image.Image, _Place]:
    """Set a picture into a frame above the foot, as large as the room allows, in its middle."""
    left, top, right, bottom = room
    high_mm, wide_mm = (n * mm for n, mm in zip(picture.shape[:2], pixel_mm, strict=True))
    scale = min((right - left) / wide_mm, (bottom - top) / high_mm)
    width, height = max(round(scale * wide_mm), 1), max(round(scale * high_mm), 1)
    at = (left + right - width) // 2, (top + bottom - height) // 2
    frame = Image.new("RGB", (FRAME_PIXELS, FRAME_PIXELS))
    frame.paste(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR), at)
    frame.paste(Image.fromarray(foot), (0, FRAME_PIXELS - FOOT_PIXELS))
    return frame, _Place(*at, width, height, scale)


def _write(
    frame: Image.Image,
    at: tuple[float, float],
    text: str,
    points: float,
    *,
    colour: str = canvas.WHITE,
    anchor: str = "ls",
    stands_out: bool = False,
) -> None:
    """Write a word; one that stands out is legible on white, too."""
    canvas.write(
        frame,
        at,
        text,
        points=points,
        colour=colour,
        halo=canvas.BLACK if stands_out else "",
        anchor=anchor,
        dpi=DPI,
    )


def _title(frame: Image.Image, text: str) -> None:
    _write(frame, (20, 36), text, 16, anchor="lm")


def _edge(frame: Image.Image, place: _Place, letters: Sequence[str]) -> None:
    """Write which way the patient lies at the four edges of the picture."""
    middle_x, middle_y = place.left + place.width / 2, place.top + place.height / 2
    right, bottom = place.left + place.width, place.top + place.height
    places = (
        ((middle_x, place.top + 10), "ma"),
        ((middle_x, bottom - 10), "ms"),
        ((place.left + 12, middle_y), "lm"),
        ((right - 12, middle_y), "rm"),
    )
    for letter, (at, anchor) in zip(letters, places, strict=True):
        _write(frame, at, letter, 18, anchor=anchor, stands_out=True)


def _scale_bar(frame: Image.Image, place: _Place) -> None:
    """Draw a bar of `BAR_MM` in the lower left corner."""
    left, y = place.left + 0.03 * place.width, place.top + 0.96 * place.height
    right = left + BAR_MM * place.px_per_mm
    canvas.bar(frame, left, right, y)
    above = (left + right) / 2, y - 9
    _write(frame, above, f"{BAR_MM} mm", 10, anchor="ms", stands_out=True)


def _colour_scale(frame: Image.Image, steps: npt.NDArray[np.uint8]) -> None:
    """Draw the scale to the right of a map: the same in every study."""
    _, top, right, bottom = PICTURE
    left, upper, height = right - SCALE_PIXELS + 14, top + 50, bottom - top - 100
    frame.paste(Image.fromarray(steps[::-1, None]).resize((20, height)), (left, upper))
    for percent in canvas.LOW_TICKS:
        y = upper + height * (1 - float(canvas.share_of_scale(np.array(percent))))
        _write(frame, (left + 28, y), f"{percent} %", 11, anchor="lm")


def _table(foot: Image.Image, analysis: Analysis) -> None:
    """Write the headline numbers of lungs and lobes, with the colour of each."""
    quantities = quantities_of(analysis.options.profile)
    columns = [256 + 179 * n for n in range(len(HEADLINE))]
    for x, key in zip(columns, HEADLINE, strict=True):
        _write(foot, (x, 18), quantities[key].label, 11)
    for row, region in enumerate((WHOLE_LUNG, RIGHT_LUNG, LEFT_LUNG, *LOBES)):
        y = 42 + 22 * row
        if region in LOBES:
            ImageDraw.Draw(foot).rectangle((22, y - 12, 34, y), fill=region.colour)
        _write(foot, (46, y), region.name, 12)
        for x, key in zip(columns, HEADLINE, strict=True):
            _write(foot, (x, y), _cell(analysis, region.key, key), 12)


def _cell(analysis: Analysis, region: str, quantity: str) -> str:
    try:
        one = analysis.get(region, quantity)
    except KeyError:
        return ""
    if not is_told(one):
        return one.status.value.replace("_", " ")
    return QUANTITIES[quantity].text(one.value) + " *" * (one.status is Status.CAVEAT)
