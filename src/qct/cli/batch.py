"""qct batch: measure many studies, and go on where a run stopped."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qct.options import PROFILES, Options

if TYPE_CHECKING:
    from qct.batch.discover import Unit
    from qct.worklist import Entry

NOTHING_MEASURED = 3
"""Exit code if not one study has a result: that of a refused scan."""


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    default = Options()
    parser = commands.add_parser(
        "batch",
        help="measure many studies, and go on where a run stopped",
        description="Measure every study of an archive. The same command again does only what is missing.",
    )
    parser.add_argument(
        "studies", help="folder, zip file, DICOMDIR, URL, or CSV of paths and covariates"
    )
    parser.add_argument("-o", "--output", required=True, help="folder (or URL) for the results")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 fits cores and memory")
    parser.add_argument("--threads", type=int, default=default.threads, help="threads per process")
    parser.add_argument("--timeout", type=float, default=1800.0, help="longest time for a study, s")
    parser.add_argument("--profile", choices=PROFILES, default=default.profile)
    parser.add_argument("--retry", action="store_true", help="try again what the machine failed at")
    parser.add_argument("--dask", metavar="ADDRESS", help="tcp://scheduler:8786, or local")
    parser.add_argument("--ledger", type=Path, help="local folder of the ledger if OUTPUT is a URL")
    parser.add_argument("--json", action="store_true", help="one JSON object per event on stdout")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the batch; 0 if any study has a result."""
    from qct.batch.run import Settings, run_batch

    options = Options(profile=args.profile, threads=args.threads)
    settings = Settings(
        workers=args.workers,
        timeout_s=args.timeout,
        retry=args.retry,
        dask=args.dask,
        ledger=args.ledger,
    )
    with _shown(as_json=args.json, quiet=args.quiet) as shown:
        home = run_batch(args.studies, args.output, options, settings, shown)
    if not args.json and not args.quiet:
        sys.stdout.write(f"{home / 'summary.html'}\n")
    has_result = any(home.joinpath("studies").iterdir()) or shown.n_done > 0
    return 0 if has_result else NOTHING_MEASURED


class _Shown:
    """Tells a person, or a machine, what happens."""

    def __init__(self, bar: Any, *, as_json: bool) -> None:
        self._bar, self._as_json = bar, as_json
        self._task: Any = None
        self.n_done = 0

    def planned(self, units: "list[Unit]", waiting: "list[Unit]") -> None:
        refused = sum(unit.refusal is not None for unit in units)
        self._say(
            {"event": "plan", "studies": len(units), "refused": refused, "to_do": len(waiting)}
        )
        if self._bar is not None:
            self._bar.console.print(
                f"studies: {len(units)}, of them refused by their headers: {refused}; to do: {len(waiting)}"
            )
            for unit in units:
                why = unit.refusal["message"] if unit.refusal else unit.chosen
                self._line(f"  {unit.source}: {why or 'as listed'}")
            self._task = self._bar.add_task("studies", total=len(waiting))

    def ended(self, entry: "Entry") -> None:
        is_done = entry.state == "done"
        self.n_done += is_done
        why = "" if is_done else f"{entry.record['kind']}: {entry.record['message']}"
        wall_s = entry.cost.get("wall_s")
        told = {"event": "study", "study": entry.key, "state": entry.state.value, "wall_s": wall_s}
        self._say(told if is_done else told | {"kind": entry.record["kind"], "message": why})
        if self._bar is not None and self._task is not None:
            took = "" if wall_s is None else f" {wall_s:.1f} s"
            self._line(f"{'done   ' if is_done else 'refused'} {entry.source}{took} {why}")
            self._bar.advance(self._task)

    def _say(self, told: dict[str, Any]) -> None:
        if self._as_json:
            sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
            sys.stdout.flush()

    def _line(self, text: str) -> None:
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _shown(*, as_json: bool, quiet: bool) -> Iterator[_Shown]:
    if as_json or quiet:
        yield _Shown(None, as_json=as_json)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield _Shown(bar, as_json=False)
