"""qct phantom: make a digital chest with known answers, as DICOM."""

import argparse
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from qct.errors import WriteError

SERIES_FOLDER, TRUTH_FILE = "dicom", "truth.json"
DISPLACEMENT_FILE = "displacement.npz"

PRESET_NAMES = (
    *("healthy", "mild", "severe", "paraseptal", "panlobular", "one-lung", "ild"),
    *("valve-candidate", "pneumonia", "tumour", "paediatric-size"),
)

COMPRESSIONS = ("jpeg-ls", "jpeg-lossless", "jpeg2000", "rle", "deflated", "implicit", "none")

SETTINGS: dict[str, tuple[type, str]] = {
    "seed": (int, "which person (default 7)"),
    "laa": (float, "share of lung below -950 HU before imaging, percent"),
    "upper": (float, "0: holes everywhere alike, 1: nearly all in the upper half"),
    "emphysema": (str, "centrilobular, panlobular or paraseptal"),
    "hole_mm": (float, "smallest radius of a hole"),
    "cluster_d": (float, "exponent D of the holes' volumes"),
    "n_bullae": (int, "how many bullae"),
    "bulla_mm": (float, "diameter of a bulla"),
    "wall": (float, "thickness of bronchial walls over the usual"),
    "lung_ml": (float, "volume of both lungs"),
    "fissure_mm": (float, "thickness of the fissures"),
    "incomplete": (float, "share of the fissures' area without a sheet, 0 to 1"),
    "n_nodules": (int, "how many nodules"),
    "consolidation_ml": (float, "airless part of the right lower lobe"),
    "ground_glass_ml": (float, "hazy part of the left lower lobe"),
    "tumour_mm": (float, "diameter of a mass in the right upper lobe"),
    "effusion_ml": (float, "fluid behind the right lung"),
    "reticulation": (float, "subpleural thickening at the base, 0 to 1"),
    "honeycomb": (float, "share of the reticulated lung that is cysts, 0 to 1"),
    "fat_mm": (float, "fat under the skin beyond the usual"),
    "exhale_mm": (float, "how much higher the diaphragm stands in expiration"),
    "date": (int, "which of the person's scans, a year apart each (default 1)"),
    "tilt_deg": (float, "tilt of the gantry"),
    "off_x_mm": (float, "how far the image lies off the middle, to the left"),
    "off_y_mm": (float, "the same, to the back"),
    "cut_base_mm": (float, "how much of the bases was not scanned"),
    "motion_mm": (float, "how far the heart's border moves during a slice"),
    "drift_hu": (float, "beam hardening: how much too low the middle reads"),
    "streaks_hu": (float, "streaks where little light comes through"),
    "floor_hu": (int, "lowest HU that is stored, -1024 or -1000"),
    "kernel": (str, "soft, standard or sharp"),
    "slice_mm": (float, "slice thickness"),
    "step_mm": (float, "distance of slices (default: the thickness)"),
    "size": (int, "rows and columns"),
    "fov_mm": (float, "width of the image"),
    "exposure_mas": (float, "tube current-time product; less is noisier"),
    "model_mm": (float, "voxel of the model the image is made from"),
}
"""Options that are fields of the spec."""


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "phantom",
        help="make a digital chest with known answers, as DICOM",
        description="Writes OUT/dicom (the series), OUT/truth.json (what it measures) and, in expiration, "
        "OUT/displacement.npz (where every voxel was in inspiration).",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    parser.add_argument("--preset", choices=PRESET_NAMES, default="healthy", help="state of health")
    for name, (kind, meaning) in SETTINGS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=meaning)
    parser.add_argument(
        "--laa-lobes",
        metavar="LOBE=PERCENT,...",
        help="share by lobe instead, such as right_upper_lobe=20,left_upper_lobe=10",
    )
    parser.add_argument(
        "--breath",
        choices=("inspiration", "expiration", "both"),
        default="inspiration",
        help="level of the breath; both: OUT/inspiration and OUT/expiration, one study",
    )
    parser.add_argument(
        "--progression",
        type=float,
        metavar="POINTS",
        help="two scans a year apart, OUT/date1 and OUT/date2; so much more LAA on the second",
    )
    parser.add_argument("--arms-down", action="store_true", help="arms beside the body")
    parser.add_argument(
        "--accessory",
        action="store_true",
        help="a left minor and a right inferior accessory fissure",
    )
    parser.add_argument("--no-noise", action="store_true", help="leave the noise out")
    parser.add_argument(
        "--circle", action="store_true", help="pad outside a circular field of view"
    )
    parser.add_argument(
        "--compression",
        choices=COMPRESSIONS,
        default="jpeg-ls",
        help="transfer syntax, all lossless (default jpeg-ls)",
    )
    parser.add_argument(
        "--enhanced", action="store_true", help="one Enhanced CT object instead of a file per slice"
    )
    parser.add_argument("--scout", action="store_true", help="add a localizer series")
    parser.add_argument("--dose-report", action="store_true", help="add a dose report")
    parser.add_argument("--labels", action="store_true", help="also write OUT/labels.npy (z, y, x)")
    parser.add_argument("--force", action="store_true", help="replace what OUT holds of a phantom")
    parser.add_argument("--json", action="store_true", help="say what was made as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make every chest that is asked for, write it, say what was made."""
    from qct.phantom import make_chest

    specs = _specs(args)
    for name in specs:
        _refuse_to_overwrite(args.out / name, force=args.force)
    told = [_write(make_chest(spec), args.out / name, args) for name, spec in specs.items()]
    if args.json:
        sys.stdout.write(json.dumps(told[0] if len(told) == 1 else told) + "\n")
    else:
        sys.stdout.writelines(_sentence(one) for one in told)
    return 0


def _specs(args: argparse.Namespace) -> dict[str, Any]:
    """Return the folder (below OUT) and the spec of every scan of the person."""
    from qct.phantom.spec import Breath

    spec = _spec(args)
    dates = {"": spec}
    if args.progression is not None:
        later = replace(spec, date=spec.date + 1, laa=spec.laa + args.progression)
        dates = {f"date{one.date}": one for one in (spec, later)}
    if args.breath != "both":
        return {name: replace(one, breath=Breath(args.breath)) for name, one in dates.items()}
    return {
        str(Path(name) / breath.value): replace(one, breath=breath)
        for name, one in dates.items()
        for breath in Breath
    }


def _spec(args: argparse.Namespace) -> Any:
    from qct.acquisition import KernelFamily
    from qct.phantom import preset
    from qct.phantom.spec import Emphysema

    given = {name: getattr(args, name) for name in SETTINGS if getattr(args, name) is not None}
    for name, kind in (("kernel", KernelFamily), ("emphysema", Emphysema)):
        if name in given:
            given[name] = _word(name, given[name], kind)
    if args.laa_lobes:
        given["laa_lobes"] = _by_lobe(args.laa_lobes)
    for name in ("circle", "arms_down", "accessory"):
        given[name] = getattr(args, name)
    return preset(args.preset, noise=not args.no_noise, **given)


def _word(name: str, given: str, kind: Any) -> Any:
    """Return the member of an enumeration; `ChestSpec` knows which of them it can draw."""
    from qct.errors import OptionError

    if given not in set(kind):
        msg = f"{name} = {given!r} is not known"
        raise OptionError(msg, hint=f"Known: {', '.join(kind)}.")
    return kind(given)


def _by_lobe(text: str) -> dict[str, float]:
    from qct.errors import OptionError

    try:
        pairs = (part.split("=") for part in text.split(","))
        return {lobe.strip(): float(percent) for lobe, percent in pairs}
    except ValueError as error:
        msg = f"--laa-lobes {text} is not of the form LOBE=PERCENT,LOBE=PERCENT"
        raise OptionError(msg, hint="For example right_upper_lobe=20,left_upper_lobe=10") from error


def _refuse_to_overwrite(out: Path, *, force: bool) -> None:
    if not force and any((out / one).exists() for one in (SERIES_FOLDER, TRUTH_FILE)):
        msg = f"{out} holds a phantom already"
        raise WriteError(msg, hint="Name another folder, or replace it with --force.")


def _write(chest: Any, out: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Write everything aside, then move it into place; return what was made."""
    from qct.phantom import Compression, write_series

    partial = out / ".partial"
    try:
        out.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        paths = write_series(
            chest,
            partial / SERIES_FOLDER,
            compression=Compression(args.compression),
            enhanced=args.enhanced,
            scout=args.scout,
            dose_report=args.dose_report,
        )
        (partial / TRUTH_FILE).write_text(json.dumps(chest.truth, indent=1) + "\n", "utf-8")
        _write_arrays(chest, partial, labels=args.labels)
        shutil.rmtree(out / SERIES_FOLDER, ignore_errors=True)
        for one in sorted(partial.iterdir()):
            one.replace(out / one.name)
    except OSError as error:
        msg = f"{out} cannot be written: {error.strerror}"
        raise WriteError(msg, hint="Choose a folder that can be written to.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return {
        "series": str(out / SERIES_FOLDER),
        "truth": str(out / TRUTH_FILE),
        "n_files": len(paths),
        "shape": list(chest.volume.shape),
        "spacing_mm": [round(one, 6) for one in chest.volume.spacing_mm],
        "whole_lung": chest.truth["sampled"]["regions"]["whole_lung"],
    }


def _write_arrays(chest: Any, folder: Path, *, labels: bool) -> None:
    import numpy as np

    if labels:
        np.save(folder / "labels.npy", chest.labels)
    if chest.displacement is not None:
        np.savez_compressed(
            folder / DISPLACEMENT_FILE,
            vectors_mm=chest.displacement.vectors_mm,
            wall_mm=chest.displacement.wall_mm,
            origin_mm=chest.displacement.origin_mm,
            step_mm=chest.displacement.step_mm,
        )


def _sentence(told: dict[str, Any]) -> str:
    lung = told["whole_lung"]
    return (
        f"{told['n_files']} files in {told['series']}: {lung['volume_ml']['value']:.0f} mL of lung,"
        f" {lung['laa950_percent']['value']:.2f} % below -950 HU; all answers in {told['truth']}\n"
    )
