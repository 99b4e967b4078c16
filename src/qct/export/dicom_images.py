"""Key images for a PACS: every view of the report as a frame of one colour Secondary Capture.

Each frame is a square of `FRAME_PIXELS`: the picture with its regions in colour, sides, scale bar, and a
table of the headline numbers. Names and numbers of the patient are not drawn; the header has them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

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

LUNG_WINDOW_HU = (-1350.0, 150.0)
"""Centre -600, width 1500: the usual lung window."""

OVERLAY_SHARE = 0.28
"""How much of a region's colour is mixed into the picture."""

BAR_MM = 50
"""Length of the scale bar."""

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
    figure = _figure()
    _table(figure, analysis)
    figure.text(0.02, 0.012, f"qct {analysis.software['qct']}. {RESEARCH_USE}", color="#bbbbbb")
    return _pixels(figure)[-FOOT_PIXELS:]


def draw_view(view: View, foot: Picture) -> Picture:
    """Draw one view above its foot: (FRAME_PIXELS, FRAME_PIXELS, 3) sRGB."""
    figure, axes = _canvas()
    low, high = LUNG_WINDOW_HU
    grey = np.clip((view.hu.astype(np.float32) - low) / (high - low), 0, 1)
    rgb = np.repeat(grey[..., None], 3, axis=2)
    colours = _colour_table()[view.labels]
    coloured = (view.labels > 0)[..., None]
    rgb = np.where(coloured, (1 - OVERLAY_SHARE) * rgb + OVERLAY_SHARE * colours, rgb)
    aspect = view.pixel_mm[0] / view.pixel_mm[1]
    axes.imshow(rgb, interpolation="bilinear", aspect=aspect)
    _edge(axes, SAGITTAL_LETTERS if view.plane == "sagittal" else EDGE_LETTERS[view.plane])
    _scale_bar(axes, view.hu.shape, view.pixel_mm[1])
    title = f"{view.name.replace('_', ' ').capitalize()}, {view.position_mm:.0f} mm"
    return _finished(figure, title, foot)


def draw_projection(one: Projection, foot: Picture) -> Picture:
    """Draw one projection with its colour scale above its foot."""
    figure, axes = _canvas()
    aspect = one.pixel_mm[0] / one.pixel_mm[1]
    image = axes.imshow(one.values, cmap="viridis", aspect=aspect, vmin=0)
    bar = figure.colorbar(image, cax=figure.add_axes((0.90, 0.27, 0.02, 0.60)))
    bar.ax.tick_params(colors="white", labelsize=11)
    axes.set_position((0.02, 0.25, 0.86, 0.68))
    _edge(axes, SAGITTAL_LETTERS if "sagittal" in one.name else EDGE_LETTERS["coronal"])
    title = one.name.replace("_", " ").replace("laa", "LAA-") + ", percent along the line of sight"
    return _finished(figure, title, foot)


def _colour_table() -> npt.NDArray[np.float32]:
    """Colour of every label number, 0 to 1."""
    table = np.zeros((N_LABELS, 3), np.float32)
    for region in (RIGHT_LUNG, LEFT_LUNG, *LOBES, AIRWAY):
        rgb = [int(region.colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        for label in region.labels:
            table[int(label)] = table[int(label) + DENSE] = rgb
    return table


def _figure() -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(FRAME_PIXELS / 100, FRAME_PIXELS / 100), dpi=100, facecolor="black")


def _canvas() -> tuple[Any, Any]:
    figure = _figure()
    axes = figure.add_axes((0.02, 0.24, 0.96, 0.70))
    axes.set_axis_off()
    return figure, axes


def _edge(axes: Any, letters: Sequence[str]) -> None:
    """Write which way the patient lies at the four edges of the picture."""
    places = ((0.5, 0.985), (0.5, 0.015), (0.015, 0.5), (0.985, 0.5))
    aligned = (("center", "top"), ("center", "bottom"), ("left", "center"), ("right", "center"))
    for letter, (x, y), (across, up) in zip(letters, places, aligned, strict=True):
        text = axes.text(x, y, letter, transform=axes.transAxes, fontsize=18, ha=across, va=up)
        _stand_out(text)


def _scale_bar(axes: Any, shape: tuple[int, ...], pixel_mm: float) -> None:
    length = BAR_MM / pixel_mm
    y, x = 0.96 * shape[0], 0.03 * shape[1]
    axes.plot([x, x + length], [y, y], color="black", linewidth=6, solid_capstyle="butt")
    axes.plot([x, x + length], [y, y], color="white", linewidth=3, solid_capstyle="butt")
    _stand_out(axes.text(x + length / 2, y - 0.012 * shape[0], f"{BAR_MM} mm", ha="center"))


def _stand_out(text: Any) -> None:
    """Make white letters legible on white and on black."""
    from matplotlib.patheffects import withStroke

    text.set_color("white")
    text.set_path_effects([withStroke(linewidth=3, foreground="black")])


def _finished(figure: Any, title: str, foot: Picture) -> Picture:
    """Add title and foot, and take the pixels."""
    figure.text(0.02, 0.965, title, color="white", fontsize=16, va="center")
    pixels = _pixels(figure)
    pixels[-FOOT_PIXELS:] = foot
    return pixels


def _pixels(figure: Any) -> Picture:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _table(figure: Any, analysis: Analysis) -> None:
    """Write the headline numbers of lungs and lobes, with the colour of each."""
    quantities = quantities_of(analysis.options.profile)
    columns = [0.25 + 0.175 * n for n in range(len(HEADLINE))]
    for x, key in zip(columns, HEADLINE, strict=True):
        figure.text(x, 0.222, quantities[key].label, color="white", fontsize=11)
    for row, region in enumerate((WHOLE_LUNG, RIGHT_LUNG, LEFT_LUNG, *LOBES)):
        y = 0.198 - 0.0215 * row
        if region in LOBES:
            figure.text(0.02, y, "■", color=region.colour, fontsize=13)
        figure.text(0.045, y, region.name, color="white", fontsize=12)
        for x, key in zip(columns, HEADLINE, strict=True):
            figure.text(x, y, _cell(analysis, region.key, key), color="white", fontsize=12)


def _cell(analysis: Analysis, region: str, quantity: str) -> str:
    try:
        one = analysis.get(region, quantity)
    except KeyError:
        return ""
    if not is_told(one):
        return one.status.value.replace("_", " ")
    return QUANTITIES[quantity].text(one.value) + " *" * (one.status is Status.CAVEAT)
