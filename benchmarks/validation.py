"""How near to the truth one state of health is measured, over many digital people.

    python -m benchmarks.validation [--preset mild] [--seeds 10] [--json FILE]
    python -m benchmarks.validation --acquisitions PNG

Standard kernel, 1 mm, 100 mAs, 512 x 512: the acquisition that the limits of ``qct validate`` are for. Prints
the tables of docs/validation.md: every limit, what the truth's line between bronchi and small airways decides,
and every measured bronchus beside the one that was drawn. With ``--json`` the rows are kept, and people that
are in the file already are not measured again. ``--acquisitions`` draws what kernel and slice thickness do to a
severe and a mild chest beside published values, instead.
"""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from statistics import fmean, median, pstdev
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from qct.acquisition import KernelFamily
from qct.findings import Analysis
from qct.phantom import Chest, make_chest, preset, truth, write_series
from qct.phantom.disease import add_disease
from qct.phantom.imaging import take_image
from qct.phantom.model import build_model
from qct.phantom.trees import wall_mm
from qct.pipeline import analyze
from qct.validate.cases import EFFECT, FINE, JUDGED, Case
from qct.validate.figures import acquisition_effects
from qct.validate.judge import Row, error, judge, load_limits
from qct.validate.run import compare

LUMEN_CLASSES_MM = ((2.0, 3.0), (3.0, 4.0), (4.0, 6.0), (6.0, 10.0))
"""Drawn inner diameters that are told apart."""

MATCH_MM = 1.5
"""A measured point of a centre line belongs to a drawn bronchus whose axis is nearer than this."""

KERNELS = {
    KernelFamily.STANDARD: (),
    KernelFamily.SOFT: ("soft kernel",),
    KernelFamily.SHARP: ("sharp kernel",),
}
"""Every kernel and what it is called beside the standard one."""

Person = dict[str, Any]
"""``rows``, ``rules`` and ``bronchi`` of one person."""


def main() -> None:
    """Measure everybody and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="mild")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--json", type=Path, help="keep every row here")
    parser.add_argument("--acquisitions", type=Path, metavar="PNG", help="draw what they do")
    args = parser.parse_args()
    if args.acquisitions:
        args.acquisitions.write_bytes(acquisitions())
        return
    people: dict[str, Person] = {}
    if args.json and args.json.exists():
        people = json.loads(args.json.read_text())
    for seed in range(1, args.seeds + 1):
        name = f"{args.preset} {seed}"
        if name not in people:
            people[name] = measured(name, args.preset, seed)
            print(f"# {name}", flush=True)
        if args.json:
            args.json.write_text(json.dumps(people, default=dict))
    rows = [Row(**row) for one in people.values() for row in one["rows"]]
    for table in (limits(rows), rules(people.values()), bronchi(people.values()), errors(rows)):
        print("\n" + "\n".join(table))


def measured(name: str, health: str, seed: int) -> Person:
    """Make one person, measure it, and put everything beside its truth."""
    case = Case(name, preset(health, seed=seed, **FINE), JUDGED, name)
    chest = make_chest(case.spec)
    with TemporaryDirectory(prefix="qct-validation-") as folder:
        write_series(chest, Path(folder) / "series")
        analysis = analyze(Path(folder) / "series")
    return {
        "rows": [asdict(row) for row in compare(case, chest, analysis)],
        "rules": under_each_rule(chest, analysis),
        "bronchi": matched(chest, analysis),
    }


def acquisitions() -> bytes:
    """Print LAA-950 of two people with every kernel and thickness, and draw how it moves."""
    rows = []
    for state, seed in (("severe", 1), ("mild", 1)):
        spec = preset(state, seed=seed, **FINE)
        model = build_model(spec)
        add_disease(model, spec)
        person = f"{state} {seed}"
        for kernel, slice_mm in product(KERNELS, (1.0, 5.0)):
            name = " and ".join([*KERNELS[kernel], *(["5 mm"] if slice_mm > 1 else [])])
            image = take_image(model, replace(spec, kernel=kernel, slice_mm=slice_mm))
            found = truth.measure(
                image.volume.hu, truth.without_airways(image), image.volume.voxel_ml
            )
            laa = {
                key: one["laa950_percent"]["value"] for key, one in found.items() if key != "airway"
            }
            print(
                f"| {person} | {name or 'standard kernel, 1 mm'} | {laa['whole_lung']:.1f} |",
                flush=True,
            )
            case, purpose = (f"{person}, {name}", EFFECT) if name else (person, JUDGED)
            rows += [
                Row(case, purpose, person, key, "laa950_percent", None, "", {"imaged": value})
                for key, value in laa.items()
            ]
    return acquisition_effects(rows, load_limits()["published"])


# --- tables -------------------------------------------------------------------------------------


def limits(rows: Sequence[Row]) -> Iterable[str]:
    """Yield the limits and whether they are met, as Markdown."""
    yield "| number | of | truth | n | bias | SD | mean abs. | worst | limit | |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for one in judge(rows, load_limits()):
        if one.n and one.mean_absolute is not None:
            where = {5: "lobes", 3: "lungs"}.get(len(one.regions), one.regions[0])
            told = (one.bias, one.precision, one.mean_absolute, one.worst)
            cells = " | ".join(f"{value:.2f}{one.unit and ' %'}" for value in told)
            verdict = "met" if one.passed else "**missed**"
            yield f"| `{one.quantity}` | {where} | {one.truth} | {one.n} | {cells} | {one.limit} | {verdict} |"


def rules(people: Iterable[Person]) -> Iterable[str]:
    """Yield how volume and mean density of both lungs err by where the truth takes airways out."""
    yield "| airways left out of the truth | volume, % | worst | mean density, HU | worst |"
    yield "| --- | --- | --- | --- | --- |"
    everybody = list(people)
    for rule in everybody[0]["rules"]:
        cells = []
        for quantity in ("volume_ml", "mean_hu"):
            off = [one["rules"][rule][quantity] for one in everybody]
            cells += [f"{fmean(off):+.2f}", f"{max(map(abs, off)):.2f}"]
        yield f"| {rule} | {' | '.join(cells)} |"


def bronchi(people: Iterable[Person]) -> Iterable[str]:
    """Yield the errors of lumen and wall area by the drawn lumen."""
    pairs = np.array([pair for one in people for pair in one["bronchi"]], np.float64).reshape(-1, 4)
    yield "| drawn lumen, mm | bronchi | lumen, median % | 80 % within | wall area, median % | 80 % within |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for low, high in LUMEN_CLASSES_MM:
        here = pairs[(pairs[:, 1] >= low) & (pairs[:, 1] < high)]
        if len(here):
            cells = []
            for found, drawn in ((here[:, 0], here[:, 1]), (here[:, 2], here[:, 3])):
                off = 100 * (found / drawn - 1)[np.isfinite(found)]
                cells += [f"{np.median(off):+.1f}", f"{np.percentile(np.abs(off), 80):.0f}"]
            yield f"| {low:g} to {high:g} | {len(here)} | {' | '.join(cells)} |"


def errors(rows: Sequence[Row]) -> Iterable[str]:
    """Yield the error of every number of every region against every truth, as plain text."""
    for region, quantity in dict.fromkeys((row.region, row.quantity) for row in rows):
        chosen = [row for row in rows if (row.region, row.quantity) == (region, quantity)]
        for which in ("sampled", "imaged", "model"):
            off = [v for row in chosen if (v := error(row, which, "difference")) is not None]
            if off:
                yield (
                    f"{region:20} {quantity:28} {which:8} n {len(off):3}  bias {fmean(off):8.2f}  sd "
                    f"{pstdev(off):7.2f}  median {median(off):8.2f}  worst {max(map(abs, off)):8.2f}"
                )


# --- one person ---------------------------------------------------------------------------------


def under_each_rule(chest: Chest, analysis: Analysis) -> Mapping[str, Mapping[str, float]]:
    """Return the errors of both lungs against the truth, and against truths with other airways left out."""
    sampled = chest.truth["sampled"]
    by_rule = {f"to generation {g}": r for g, r in sampled["by_airway_generation"].items()}
    by_rule["lumen of 2 mm or 2 voxels (the rule)"] = sampled["regions"]
    told = {}
    for rule, regions in by_rule.items():
        true = {key: one["value"] for key, one in regions["whole_lung"].items()}
        found = {key: analysis.get("whole_lung", key).value for key in ("volume_ml", "mean_hu")}
        told[rule] = {
            "volume_ml": 100 * (found["volume_ml"] / true["volume_ml"] - 1),
            "mean_hu": found["mean_hu"] - true["mean_hu"],
        }
    return told


def matched(chest: Chest, analysis: Analysis) -> list[list[float]]:
    """Return (lumen, drawn lumen, wall area, drawn wall area) of every measured bronchus that was drawn."""
    tree = chest.trees.airways.segments
    start, along = tree[:, :3], tree[:, 3:6] - tree[:, :3]
    length2 = np.maximum((along**2).sum(1), 1e-9)
    found = []
    branches = analysis.segmentation.airways.branches if analysis.segmentation.airways else ()
    for branch, size in zip(branches, analysis.airways, strict=True):
        n = len(branch.line_mm)
        points = branch.line_mm[n // 4 : max(n // 4 + 1, n - n // 4), ::-1]
        off = points[:, None] - start
        share = np.clip((off * along).sum(2) / length2, 0, 1)
        away = np.linalg.norm(off - share[..., None] * along, axis=2)
        nearest = away.argmin(1)
        at = np.arange(len(points))
        near = away[at, nearest] < MATCH_MM
        if size.lumen_mm is None or np.count_nonzero(near) < len(points) / 2:
            continue
        nearest, part = nearest[near], share[at, nearest][near]
        radius = (1 - part) * tree[nearest, 6] + part * tree[nearest, 7]
        wall = chest.spec.wall * wall_mm(tree[nearest, 7])
        area = (
            np.nan
            if size.wall_mm is None
            else np.pi * size.wall_mm * (size.lumen_mm + size.wall_mm)
        )
        drawn_area = np.median(np.pi * wall * (2 * radius + wall))
        found.append([size.lumen_mm, float(2 * np.median(radius)), float(area), float(drawn_area)])
    return found


if __name__ == "__main__":
    main()
