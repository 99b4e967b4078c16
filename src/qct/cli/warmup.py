"""qct warmup: compile the kernels ahead of the first scan, for installations and container images."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "warmup",
        help="compile the kernels ahead of the first scan",
        description="Measures a small digital chest, so that every kernel is compiled and kept. "
        "The compiled code lies beside the package or, where that cannot be written, in the user's cache; "
        "NUMBA_CACHE_DIR names another folder.",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure a small chest from its DICOM files to its report."""
    from tempfile import TemporaryDirectory
    from time import perf_counter

    from qct.cli.analyze import shown_progress
    from qct.kernels.ahead import compile_beside, compile_declared, note_compiled
    from qct.kernels.compiled import cache_folder
    from qct.phantom import make_chest, preset, write_series
    from qct.pipeline import analyze, results

    begin = perf_counter()
    with (
        compile_beside(),
        TemporaryDirectory(prefix="qct-") as name,
        shown_progress(quiet=args.quiet) as progress,
    ):
        progress("making a small chest", 0.0)
        chest = make_chest(preset("mild", size=128, slice_mm=3.0, model_mm=2.0))
        write_series(chest, Path(name) / "dicom")
        analysis = analyze(
            Path(name), progress=lambda doing, share: progress(doing, 0.2 + 0.6 * share)
        )
        results(analysis, lambda doing, share: progress(doing, 0.8 + 0.2 * share))
        compile_declared()  # the small chest is not compressed, many scans are
    note_compiled()
    if not args.quiet:
        seconds = perf_counter() - begin
        where = cache_folder()
        kept = f"kept in {where}" if where else "not kept: no folder can be written"
        sys.stdout.write(f"warm after {seconds:.0f} s; compiled code is {kept}\n")
    return 0
