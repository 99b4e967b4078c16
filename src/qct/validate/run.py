"""Make each chest, send it through the installed pipeline, and put every number beside its truth."""

import hashlib
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from qct.errors import QctError
from qct.findings import Analysis, Progress, no_progress
from qct.phantom import Chest, make_chest, write_series
from qct.phantom.truth import airway_at
from qct.pipeline import analyze
from qct.validate.cases import Case
from qct.validate.judge import Outcome, Row, judge, load_limits

TRUTHS = ("model", "sampled", "imaged")


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """One acceptance run.

    Attributes
    ----------
    started : datetime
        With its time zone.
    kind : str
        ``quick`` or ``full``.
    rows : tuple of Row
        Every number of every case.
    outcomes : tuple of Outcome
        Every limit, and whether it is met.
    failures : mapping
        Case to what stopped it.
    installation : mapping
        Versions, digest of the program, machine.
    """

    started: datetime
    kind: str
    cases: tuple[Case, ...]
    rows: tuple[Row, ...]
    outcomes: tuple[Outcome, ...]
    failures: Mapping[str, str]
    installation: Mapping[str, str]
    seconds: float

    @property
    def passed(self) -> bool:
        """Tell whether every case was measured and every limit that applies is met."""
        return not self.failures and all(one.passed is not False for one in self.outcomes)


def validate(cases: Sequence[Case], *, kind: str, progress: Progress = no_progress) -> Validation:
    """Measure every case and judge the whole.

    A case that the pipeline refuses is a failure of the validation, not an error.
    """
    start, began = datetime.now().astimezone(), perf_counter()
    rows: list[Row] = []
    failures: dict[str, str] = {}
    software: Mapping[str, str] = {}
    for k, case in enumerate(cases):

        def told(doing: str, share: float, done: int = k, name: str = case.name) -> None:
            progress(f"{name}: {doing}", (done + share) / len(cases))

        try:
            found, software = measure_case(case, progress=told)
        except QctError as error:
            failures[case.name] = str(error)
        else:
            rows += found
    return Validation(
        started=start,
        kind=kind,
        cases=tuple(cases),
        rows=tuple(rows),
        outcomes=judge(rows, load_limits()),
        failures=failures,
        installation={**software, **_machine()},
        seconds=round(perf_counter() - began, 1),
    )


def measure_case(
    case: Case, *, progress: Progress = no_progress
) -> tuple[list[Row], Mapping[str, str]]:
    """Make one chest, analyse it as DICOM files, compare; also return the versions that did it."""
    with TemporaryDirectory(prefix="qct-validate-") as name:
        progress("making the chest", 0.0)
        chest = make_chest(case.spec)
        progress("writing the series", 0.45)
        write_series(chest, Path(name) / "series")
        analysis = analyze(
            Path(name) / "series",
            progress=lambda doing, share: progress(doing, 0.5 + 0.5 * share),
        )
    return compare(case, chest, analysis), analysis.software


def compare(case: Case, chest: Chest, analysis: Analysis) -> list[Row]:
    """Put every measured number that has a truth beside it."""
    truths = {which: chest.truth[which]["regions"] for which in TRUTHS}
    rows = []
    for one in analysis.measured:
        known = {
            which: regions[one.region][one.quantity]["value"]
            for which, regions in truths.items()
            if one.quantity in regions.get(one.region, {})
        }
        if "airways" in chest.truth:
            known |= _airway_truth(one.quantity, chest, analysis)
        if known:
            rows.append(
                Row(
                    case.name,
                    case.purpose,
                    case.person,
                    one.region,
                    one.quantity,
                    one.value,
                    one.status.value,
                    known,
                )
            )
    return rows


def _airway_truth(quantity: str, chest: Chest, analysis: Analysis) -> dict[str, float]:
    """Return what was drawn: for means over segmental bronchi, those that were measured, at their middles."""
    if quantity == "pi10_mm":
        return {"model": chest.truth["airways"]["pi10_mm"]}
    name = quantity.removeprefix("segmental_")
    tree = analysis.segmentation.airways
    if name == quantity or tree is None:
        return {}
    measured = [k for k in tree.segmental if analysis.airways[k].wall_area_percent is not None]
    if not measured:
        return {}
    drawn = [
        airway_at(chest.trees.airways, chest.spec.wall, line[len(line) // 2])
        for line in (tree.branches[k].line_mm for k in measured)
    ]
    lumen, wall = np.array(drawn).T
    share = 100 * (1 - (lumen / (lumen + 2 * wall)) ** 2)
    means = {"lumen_mm": lumen, "wall_mm": wall, "wall_area_percent": share}
    return {"model": float(means[name].mean())}


def _machine() -> dict[str, str]:
    """Describe where this ran, and the program by the digest of all its files."""
    return {
        "program sha256": program_digest(),
        "machine": platform.node(),
        "processor": platform.processor() or platform.machine(),
        "system": platform.platform(),
        "cores": str(os.cpu_count()),
    }


def program_digest() -> str:
    """Hash every file of the installed package, by name and content."""
    digest = hashlib.sha256()
    root = Path(str(files("qct")))
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
