"""Make a digital chest with known answers, as a DICOM series."""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from qct.errors import WriteError

SERIES_FOLDER, TRUTH_FILE = "dicom", "truth.json"

PRESET_NAMES = (
    *("healthy", "mild", "severe", "paraseptal", "panlobular", "one-lung", "ild"),
    *("valve-candidate", "pneumonia", "tumour", "paediatric-size"),
)

SETTINGS: dict[str, tuple[type, str]] = {
    "seed": (int, "which person (default 7)"),
    "laa": (float, "share of lung below -950 HU before imaging, percent"),
    "upper": (float, "0: holes everywhere alike, 1: nearly all in the upper half"),
    "hole_mm": (float, "smallest radius of a hole"),
    "lung_ml": (float, "volume of both lungs"),
    "fissure_mm": (float, "thickness of the fissures"),
    "incomplete": (float, "share of the fissures' area without a sheet, 0 to 1"),
    "n_nodules": (int, "how many nodules"),
    "consolidation_ml": (float, "airless part of the right lower lobe"),
    "reticulation": (float, "subpleural thickening at the base, 0 to 1"),
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
        help=__doc__,
        description="Writes OUT/dicom (the series) and OUT/truth.json (what it measures).",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    parser.add_argument("--preset", choices=PRESET_NAMES, default="healthy", help="state of health")
    for name, (kind, meaning) in SETTINGS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=meaning)
    parser.add_argument("--no-noise", action="store_true", help="leave the noise out")
    parser.add_argument(
        "--circle", action="store_true", help="pad outside a circular field of view"
    )
    parser.add_argument(
        "--compression", choices=("jpeg-ls", "jpeg2000", "rle", "none"), default="jpeg-ls"
    )
    parser.add_argument("--scout", action="store_true", help="add a localizer series")
    parser.add_argument("--dose-report", action="store_true", help="add a dose report")
    parser.add_argument("--labels", action="store_true", help="also write OUT/labels.npy (z, y, x)")
    parser.add_argument("--force", action="store_true", help="replace what OUT holds of a phantom")
    parser.add_argument("--json", action="store_true", help="say what was made as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the chest, write it, say what was made."""
    from qct.phantom import make_chest

    spec = _spec(args)
    _refuse_to_overwrite(args)
    chest = make_chest(spec)
    n_files = _write(chest, args)
    told = {
        "series": str(args.out / SERIES_FOLDER),
        "truth": str(args.out / TRUTH_FILE),
        "n_files": n_files,
        "shape": list(chest.volume.shape),
        "spacing_mm": [round(one, 6) for one in chest.volume.spacing_mm],
        "whole_lung": chest.truth["sampled"]["regions"]["whole_lung"],
    }
    sys.stdout.write(json.dumps(told) + "\n" if args.json else _sentence(told))
    return 0


def _spec(args: argparse.Namespace) -> Any:
    from qct.acquisition import KernelFamily
    from qct.errors import OptionError
    from qct.phantom import preset

    given = {name: getattr(args, name) for name in SETTINGS if getattr(args, name) is not None}
    if "kernel" in given:
        if given["kernel"] not in set(KernelFamily):
            msg = f"kernel = {given['kernel']!r} is none of soft, standard, sharp"
            raise OptionError(msg, hint="Leave it out for standard.")
        given["kernel"] = KernelFamily(given["kernel"])
    return preset(args.preset, noise=not args.no_noise, circle=args.circle, **given)


def _refuse_to_overwrite(args: argparse.Namespace) -> None:
    if not args.force and any((args.out / one).exists() for one in (SERIES_FOLDER, TRUTH_FILE)):
        msg = f"{args.out} holds a phantom already"
        raise WriteError(msg, hint="Name another folder, or replace it with --force.")


def _write(chest: Any, args: argparse.Namespace) -> int:
    """Write everything aside, then move it into place."""
    from qct.phantom import Compression, write_series

    partial = args.out / ".partial"
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        paths = write_series(
            chest,
            partial / SERIES_FOLDER,
            compression=Compression(args.compression),
            scout=args.scout,
            dose_report=args.dose_report,
        )
        (partial / TRUTH_FILE).write_text(json.dumps(chest.truth, indent=1) + "\n", "utf-8")
        if args.labels:
            import numpy as np

            np.save(partial / "labels.npy", chest.labels)
        shutil.rmtree(args.out / SERIES_FOLDER, ignore_errors=True)
        for one in sorted(partial.iterdir()):
            one.replace(args.out / one.name)
    except OSError as error:
        msg = f"{args.out} cannot be written: {error.strerror}"
        raise WriteError(msg, hint="Choose a folder that can be written to.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return len(paths)


def _sentence(told: dict[str, Any]) -> str:
    lung = told["whole_lung"]
    return (
        f"{told['n_files']} files in {told['series']}: {lung['volume_ml']['value']:.0f} mL of lung,"
        f" {lung['laa950_percent']['value']:.2f} % below -950 HU; all answers in {told['truth']}\n"
    )
