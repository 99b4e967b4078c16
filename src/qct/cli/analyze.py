"""qct analyze: measure one scan and write its report."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qct.options import POSITIONS, PROFILES, SEGMENTERS, SEXES, TOLD, Options

if TYPE_CHECKING:
    from qct.findings import Analysis, Progress
    from qct.order import Order

HEADLINES = ("volume_ml", "mean_hu", "perc15_hu", "laa950_percent")
"""What is printed at the end of a run, for each lung and lobe."""


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "analyze",
        help="measure one scan and write its report",
        description="Measure the lungs and lobes of one chest CT and write the report.",
    )
    parser.add_argument("scan", type=Path, help="folder, zip file, DICOMDIR or DICOM file")
    add_segmentation_to(parser)
    add_measuring_to(parser)
    parser.set_defaults(run=run)


def add_measuring_to(parser: argparse.ArgumentParser) -> None:
    """Declare all but the scan and its regions: what is measured, judged and written."""
    default = Options()
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("--force", action="store_true", help="replace results already there")
    parser.add_argument("--series", metavar="UID", help="measure this series, whatever the ranking")
    parser.add_argument("--profile", choices=PROFILES, default=default.profile)
    parser.add_argument(
        "--laa",
        type=int,
        action="append",
        default=[],
        metavar="T",
        help="also measure low attenuation below -T HU, e.g. 920; may be repeated",
    )
    parser.add_argument(
        "--percentile",
        type=int,
        action="append",
        default=[],
        metavar="Q",
        help="also measure the Qth percentile of HU; may be repeated",
    )
    parser.add_argument(
        "--peel-mm", type=float, default=default.peel_mm, help="depth of the peel (%(default)g)"
    )
    parser.add_argument(
        "--normalise",
        action="store_true",
        help="also measure low attenuation as a soft reconstruction kernel would show it",
    )
    parser.add_argument(
        "--prior",
        type=Path,
        action="append",
        default=[],
        metavar="RESULT",
        help="result folder of an earlier scan, to compare with; may be repeated",
    )
    add_person_to(parser)
    add_acquisition_to(parser)
    add_report_to(parser)
    parser.add_argument(
        "--threads", type=int, default=default.threads, help="threads to use; 0 means every core"
    )
    parser.add_argument(
        "--dicom",
        action="store_true",
        help="also write SEG, SR, key images and the PDF as DICOM, ready for the PACS",
    )
    parser.add_argument("--json", action="store_true", help="print analysis.json on stdout")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def add_segmentation_to(parser: argparse.ArgumentParser) -> None:
    """Declare who finds the regions, and what a person has to say about them."""
    parser.add_argument("--segmenter", choices=SEGMENTERS, default=Options().segmenter)
    parser.add_argument(
        "--weights", metavar="PATH", help="weights of the network, for places without a network"
    )
    parser.add_argument(
        "--allow-download", action="store_true", help="let a network fetch its weights"
    )
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="measure these regions (SEG, NIfTI, NRRD, MHA)"
    )
    parser.add_argument(
        "--lungs",
        type=Path,
        metavar="FILE",
        help="corrected lungs, for the lobes to be fitted into",
    )


def add_person_to(parser: argparse.ArgumentParser) -> None:
    """Declare what reference values need to know of the patient."""
    who = parser.add_argument_group(
        "patient", "for reference values, where the header does not say it or says it wrong"
    )
    who.add_argument("--age", type=float, metavar="YEARS", dest="age_years")
    who.add_argument("--sex", choices=SEXES)
    who.add_argument("--height-cm", type=float, metavar="CM")
    who.add_argument("--weight-kg", type=float, metavar="KG")


def person_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return what was said about the patient, by the name of its setting."""
    return {name: getattr(args, name) for name in ("age_years", "sex", "height_cm", "weight_kg")}


def add_acquisition_to(parser: argparse.ArgumentParser) -> None:
    """Declare what the gate needs to know of the acquisition, and the gate's own table."""
    how = parser.add_argument_group(
        "acquisition",
        "for the gate, where the header does not say it (NIfTI, NRRD, MHA say little)",
    )
    how.add_argument("--kernel", metavar="NAME", dest="recon_kernel")
    how.add_argument("--manufacturer", metavar="NAME")
    how.add_argument("--kvp", type=float, metavar="KV")
    how.add_argument("--slice-thickness-mm", type=float, metavar="MM", dest="slice_mm")
    how.add_argument("--ctdi-vol-mgy", type=float, metavar="MGY")
    how.add_argument("--contrast", choices=("yes", "no"), dest="has_contrast")
    how.add_argument("--position", choices=POSITIONS, dest="patient_position")
    parser.add_argument(
        "--gate", type=Path, metavar="FILE", help="the site's own acquisition rules (docs/gate.md)"
    )


def acquisition_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return what was said about the acquisition, by the name of its setting."""
    told = {name: getattr(args, name) for name in TOLD}
    if told["has_contrast"] is not None:
        told["has_contrast"] = told["has_contrast"] == "yes"
    return told


def add_report_to(parser: argparse.ArgumentParser) -> None:
    """Declare what the report is to hold, and how it is to be set."""
    report = parser.add_argument_group("report")
    report.add_argument(
        "--order", type=Path, metavar="FILE", help="order.toml, worklist item or HL7 order"
    )
    report.add_argument("--language", default="en", metavar="CODE", help="en or de; default en")
    report.add_argument("--paper", choices=("a4", "letter"), default="a4")


def order_of(args: argparse.Namespace) -> "Order | None":
    """Return what the order says; None without one."""
    if args.order is None:
        return None
    from qct.read.order import read_order

    return read_order(args.order)


def run(args: argparse.Namespace) -> int:
    """Measure one scan, write its folder, print its table."""
    options = Options(
        series_uid=args.series,
        profile=args.profile,
        segmenter=args.segmenter,
        threads=args.threads,
        weights=args.weights,
        allow_download=args.allow_download,
        laa_hu=tuple(args.laa),
        percentiles=tuple(args.percentile),
        peel_mm=args.peel_mm,
        normalise=args.normalise,
        **person_of(args),
        **acquisition_of(args),
    )
    from qct.export import check_folder, write_folder
    from qct.export.dicom_apart import dicom_apart
    from qct.kernels.ahead import compile_beside, note_compiled
    from qct.pipeline import analyze, results
    from qct.report.wording import check_language

    started = datetime.now().astimezone().isoformat(timespec="seconds")
    order = order_of(args)
    check_language(args.language)
    check_folder(args.output, force=args.force)
    if args.dicom:
        from qct.export.extras import check_installed

        check_installed("highdicom")  # before the work, not after it
    beside = dicom_apart(args.threads) if args.dicom else nullcontext()
    with (
        compile_beside(args.threads),
        beside as apart,
        shown_progress(quiet=args.quiet or args.json) as progress,
    ):
        analysis = analyze(
            args.scan,
            options=options,
            labels=args.labels,
            lungs=args.lungs,
            gate=args.gate,
            order=order,
            priors=args.prior,
            progress=lambda doing, share: progress(doing, 0.8 * share),
            apart=apart,
        )
        files = results(
            analysis,
            lambda doing, share: progress(doing, 0.8 + 0.2 * share),
            dicom=args.dicom,
            language=args.language,
            paper=args.paper,
            started=started,
            apart=apart,
        )
        write_folder(args.output, files, force=args.force)
    note_compiled()
    if args.json:
        sys.stdout.write(files["analysis.json"].decode())
    elif not args.quiet:
        sys.stdout.write(summary(analysis))
        sys.stdout.write(f"\nreport: {args.output / 'report.html'}\n")
        sys.stdout.write(f"        {args.output / 'report.pdf'}\n")
    return 0


def summary(analysis: "Analysis") -> str:
    """Lay out the headline numbers as a table, one line per lung and lobe."""
    from qct.quantities import QUANTITIES
    from qct.regions import LEFT_LUNG, LOBES, RIGHT_LUNG, WHOLE_LUNG

    lines = [f"{'':20}" + "".join(f"{QUANTITIES[key].label[:24]:>26}" for key in HEADLINES)]
    for region in (WHOLE_LUNG, RIGHT_LUNG, LEFT_LUNG, *LOBES):
        cells = []
        for key in HEADLINES:
            one = analysis.get(region.key, key)
            word = QUANTITIES[key].text(one.value) if one.value is not None else one.status.value
            cells.append(f"{word.replace('_', ' ') + ('*' if one.status == 'caveat' else ''):>26}")
        lines.append(f"{region.name:20}" + "".join(cells))
    lines += [f"* {reason.says}" for reason in analysis.verdict.reasons]
    return "\n".join(lines) + "\n"


@contextmanager
def shown_progress(*, quiet: bool) -> "Iterator[Progress]":
    """Show one bar on stderr: what is being done, the share done, the time it took."""
    from qct.findings import no_progress

    if quiet:
        yield no_progress
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:32}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("starting", total=1.0)

        def progress(doing: str, share: float) -> None:
            bar.update(task, description=doing, completed=share)

        yield progress
        bar.update(task, description="done", completed=1.0)
