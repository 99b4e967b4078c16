"""How the cost of one analysis grows: with slices, with the size of the lungs, with threads.

    python -m benchmarks.growth WORK [--plot FILE.svg]

WORK keeps the digital chests (some GB) from one run to the next.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.end_to_end import run_apart

SIZE = 512
SLICES_MM = {"x 1": 2.0, "x 2": 1.0, "x 4": 0.5}
LUNGS_ML = {"small": 2800.0, "usual": 5200.0, "large": 7600.0}
SEED = 7


@dataclass(frozen=True)
class Case:
    """One chest, and on how many threads it is measured."""

    what: str
    name: str
    slice_mm: float = 1.0
    lung_ml: float = 5200.0
    threads: int = 0

    def folder(self, work: Path) -> Path:
        """Where its series lies."""
        return work / f"chest_{self.slice_mm:g}mm_{self.lung_ml:.0f}ml"


def cases() -> list[Case]:
    """Every chest that is measured."""
    return [
        *(Case("slices", name, slice_mm=mm) for name, mm in SLICES_MM.items()),
        *(Case("lungs", name, lung_ml=ml) for name, ml in LUNGS_ML.items()),
        Case("threads", "1", threads=1),
        Case("threads", "all"),
    ]


def make(case: Case, work: Path) -> int:
    """Write the chest's series if it is not there; return the number of slices."""
    folder = case.folder(work)
    told = folder / "made.json"
    if not told.exists():
        from qct.phantom import make_chest, preset, write_series

        spec = preset("mild", seed=SEED, size=SIZE, slice_mm=case.slice_mm, lung_ml=case.lung_ml)
        chest = make_chest(spec)
        write_series(chest, folder / "dicom")
        told.write_text(json.dumps({"slices": chest.volume.shape[0]}))
    return int(json.loads(told.read_text())["slices"])


def measure(work: Path) -> list[dict[str, object]]:
    """Analyse every chest once, each in a process of its own, after one run that warms up."""
    rows: list[dict[str, object]] = []
    for case in cases():
        slices = make(case, work)
        scan = case.folder(work) / "dicom"
        if not rows:
            run_apart(scan, threads=case.threads)
        whole = run_apart(scan, threads=case.threads)["whole"]
        rows.append({"what": case.what, "case": case.name, "slices": slices, **whole})
    return rows


def table(rows: list[dict[str, object]]) -> str:
    """Lay the figures out as a Markdown table."""
    lines = [
        "| what | case | slices | wall s | CPU s | peak GB |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row['what']} | {row['case']} | {row['slices']} |"
        f" {row['wall_s']:.1f} | {row['cpu_s']:.1f} | {row['peak_gb']:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


def plot(rows: list[dict[str, object]], path: Path) -> None:
    """Draw wall time, CPU time and memory for each family of cases."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    families = list(dict.fromkeys(row["what"] for row in rows))
    with rc_context({"svg.hashsalt": "qct", "font.size": 8}):
        figure = Figure(figsize=(7.5, 2.6), layout="constrained")
        FigureCanvasSVG(figure)
        for axes, family in zip(figure.subplots(1, len(families)), families, strict=True):
            own = [row for row in rows if row["what"] == family]
            names = [f"{row['case']}\n{row['slices']} slices" for row in own]
            axes.plot(names, [row["wall_s"] for row in own], "o-", color="#0072b2", label="wall s")
            axes.plot(names, [row["cpu_s"] for row in own], "s--", color="#d55e00", label="CPU s")
            axes.plot(
                names, [row["peak_gb"] for row in own], "^:", color="#009e73", label="peak GB"
            )
            axes.set_title(family)
            axes.set_ylim(bottom=0)
        axes.legend()
        figure.savefig(path, format="svg", metadata={"Date": None})


def main() -> None:
    """Print the table; draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    rows = measure(args.work)
    print(table(rows))
    if args.plot:
        plot(rows, args.plot)


if __name__ == "__main__":
    main()
