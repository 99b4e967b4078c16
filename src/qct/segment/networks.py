"""Neural networks of other people that find lungs and lobes; each an optional extra, imported when asked for.

None of them may fetch its weights unless the settings say so: a place without internet gets an answer at
once, and nothing leaves or enters the machine that nobody asked for. Labels are mapped by the names that a
network gives them.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qct.errors import NoLungsError, OptionError
from qct.findings import Progress, Segmentation, no_progress
from qct.flags import Flag
from qct.options import Options
from qct.regions import AIRWAY, Label
from qct.segment.imported import NUMBERS, key_of_name
from qct.segment.lungs import find_lungs
from qct.volume import PADDING_HU, Volume

Labels = npt.NDArray[np.uint8]

LUNGMASK_MODEL = "LTRCLobes"
LUNGMASK_WEIGHTS = "unet_ltrclobes-3a07043d.pth"
"""Name under which lungmask keeps the weights of that model."""

LUNGMASK_NAMES = {
    1: "left upper lobe",
    2: "left lower lobe",
    3: "right upper lobe",
    4: "right middle lobe",
    5: "right lower lobe",
}
"""What the numbers of lungmask's lobe model mean (its README)."""

TOTAL_ROIS = (
    "lung_upper_lobe_left",
    "lung_lower_lobe_left",
    "lung_upper_lobe_right",
    "lung_middle_lobe_right",
    "lung_lower_lobe_right",
    "trachea",
)
"""What TotalSegmentator is asked for."""

AIR_HU = -1024
"""What networks are shown where the scanner measured nothing."""


def segment_by_network(
    volume: Volume, options: Options, progress: Progress = no_progress
) -> Segmentation:
    """Find lobes with the network that the settings name.

    Parameters
    ----------
    volume : Volume
    options : Options
        `Options.segmenter`, `Options.weights`, `Options.allow_download`.
    progress : callable

    Returns
    -------
    Segmentation
        Lobes of the network; where it knows no airway, the airway that qct finds. No fissure is judged.

    Raises
    ------
    OptionError
        If the network is not installed, or its weights are not there and may not be fetched.
    NoLungsError
        If it finds no lung.
    """
    progress(f"asking {options.segmenter}", 0.1)
    numbers, names, record = NETWORKS[options.segmenter](volume, options)
    labels = _ours(numbers, names)
    if not ((labels > 0) & (labels != Label.AIRWAY)).any():
        raise NoLungsError(
            f"{options.segmenter} found no lung in the image",
            hint="Check that it is a chest CT, or leave --segmenter out.",
        )
    flags = {Flag.NETWORK_LABELS}
    if not (labels == Label.AIRWAY).any() and not _add_airway(volume, labels, progress):
        flags.add(Flag.AIRWAY_INCOMPLETE)
    return Segmentation(
        labels=labels, method={"segmenter": options.segmenter, **record}, flags=frozenset(flags)
    )


def _ours(numbers: npt.NDArray[Any], names: Mapping[int, str]) -> Labels:
    """Map the numbers of a network to ours by the names it gives them."""
    table = np.zeros(max(int(numbers.max(initial=0)), *names) + 1, np.uint8)
    for number, name in names.items():
        key = key_of_name(name)
        table[number] = NUMBERS.get(key, 0) if key else 0
    return np.ascontiguousarray(table[numbers])


def _add_airway(volume: Volume, labels: Labels, progress: Progress) -> bool:
    """Mark the airway that qct finds, outside the lungs' numbers; tell whether there is one."""
    try:
        found = find_lungs(volume, progress=lambda doing, done: progress(doing, 0.7 + 0.3 * done))
    except NoLungsError:
        return False
    airway = found.labels == Label.AIRWAY
    labels[airway] = NUMBERS[AIRWAY.key]
    return bool(airway.any())


# --- lungmask -----------------------------------------------------------------------------------


def _lungmask(
    volume: Volume, options: Options
) -> tuple[npt.NDArray[Any], Mapping[int, str], dict[str, Any]]:
    lungmask = _installed("lungmask", "lungmask")
    weights = _lungmask_weights(options)
    inferer = lungmask.LMInferer(
        modelname=LUNGMASK_MODEL,
        modelpath=None if weights is None else str(weights),
        tqdm_disable=True,
    )
    # (z, y, x) towards head, back and left is the order that lungmask expects of an array
    numbers = np.asarray(inferer.apply(_shown(volume)))
    record = {"model": LUNGMASK_MODEL, **_made_by("lungmask", weights)}
    return numbers, LUNGMASK_NAMES, record


def _lungmask_weights(options: Options) -> Path | None:
    """Return the file of the weights; None lets lungmask fetch it."""
    if options.weights is not None:
        return _existing(options.weights)
    hub = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch"))
    kept = hub / "hub" / "checkpoints" / LUNGMASK_WEIGHTS
    if kept.is_file():
        return kept
    if options.allow_download:
        return None
    raise _no_weights("lungmask", kept)


# --- TotalSegmentator ---------------------------------------------------------------------------


def _totalsegmentator(
    volume: Volume, options: Options
) -> tuple[npt.NDArray[Any], Mapping[int, str], dict[str, Any]]:
    weights = None if options.weights is None else _existing(options.weights)
    with _environment("TOTALSEG_WEIGHTS_PATH", weights):
        api = _installed("totalsegmentator.python_api", "totalsegmentator")
        class_map = import_module("totalsegmentator.map_to_binary").class_map["total"]
        nibabel = import_module("nibabel")
        affine = np.eye(4)
        affine[:3, :3] = np.diag([-1.0, -1.0, 1.0]) @ volume.axes_mm[::-1].T
        affine[:3, 3] = np.diag([-1.0, -1.0, 1.0]) @ volume.origin_mm
        image = nibabel.Nifti1Image(_shown(volume).transpose(2, 1, 0), affine)
        with _kept_quiet(api, options, weights):
            found = api.totalsegmentator(
                image, None, ml=True, task="total", roi_subset=list(TOTAL_ROIS), quiet=True
            )
    numbers = np.asarray(found.dataobj).transpose(2, 1, 0).astype(np.uint8)
    if numbers.shape != volume.shape:
        raise OptionError(
            f"TotalSegmentator answered on the grid {numbers.shape}, not {volume.shape}",
            hint="Use another version of it, or leave --segmenter out.",
        )
    names = {number: name for number, name in class_map.items() if name in TOTAL_ROIS}
    return numbers, names, {"model": "total", **_made_by("TotalSegmentator", weights)}


@contextmanager
def _kept_quiet(api: Any, options: Options, weights: Path | None) -> Iterator[None]:
    """Keep TotalSegmentator from sending usage statistics, and from fetching what it may not fetch."""
    kept = {}
    silenced: dict[str, Callable[..., None]] = {"send_usage_stats": lambda *_, **__: None}
    if not options.allow_download:
        if not hasattr(api, "download_pretrained_weights"):
            raise OptionError(
                "this version of TotalSegmentator cannot be kept from fetching weights",
                hint="Allow it with --allow-download, or install version 2.",
            )
        silenced["download_pretrained_weights"] = lambda task: _check_dataset(task, weights)
    for name, stand_in in silenced.items():
        if hasattr(api, name):
            kept[name] = getattr(api, name)
            setattr(api, name, stand_in)
    try:
        yield
    finally:
        for name, own in kept.items():
            setattr(api, name, own)


def _check_dataset(task: Any, weights: Path | None) -> None:
    """Refuse to go on without the weights of one of its tasks, instead of fetching them."""
    home = Path(os.environ.get("TOTALSEG_HOME_DIR", Path.home() / ".totalsegmentator"))
    folder = weights or home / "nnunet" / "results"
    if not any(folder.glob(f"Dataset{int(task):03d}_*")):
        raise _no_weights("TotalSegmentator", folder / f"Dataset{int(task):03d}")


# --- both ---------------------------------------------------------------------------------------

NETWORKS: Mapping[str, Any] = {"lungmask": _lungmask, "totalsegmentator": _totalsegmentator}
"""By the name of the segmenter: from volume and settings to numbers, their names, and the record."""


def _shown(volume: Volume) -> npt.NDArray[np.int16]:
    """Return HU as networks were taught to see them: air where the scanner measured nothing."""
    return np.where(volume.hu == PADDING_HU, np.int16(AIR_HU), volume.hu)


def _installed(module: str, extra: str) -> Any:
    try:
        return import_module(module)
    except ImportError as missing:
        raise OptionError(
            f"the segmenter {extra} needs the package {missing.name or extra}",
            hint=f"pip install 'qct[{extra}]'",
        ) from missing


def _existing(path: str) -> Path:
    if not Path(path).exists():
        raise OptionError(f"there are no weights at {path}", hint="Check the path of --weights.")
    return Path(path)


def _no_weights(network: str, place: Path) -> OptionError:
    return OptionError(
        f"the weights of {network} are not at {place}",
        hint="Name them with --weights PATH, or let them be fetched with --allow-download.",
    )


def _made_by(package: str, weights: Path | None) -> dict[str, Any]:
    try:
        number = version(package)
    except PackageNotFoundError:
        number = "unknown"
    return {
        "package": package,
        "version": number,
        "weights": weights.name if weights else "its own",
    }


def _environment(name: str, value: Path | None) -> Any:
    return nullcontext() if value is None else _set_environment(name, str(value))


@contextmanager
def _set_environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
