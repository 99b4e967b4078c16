"""The ``qct`` command. One module per sub-command; no medicine, no heavy import before a command runs.

Each module named in `COMMANDS` has ``add_to(commands)``, which declares its parser and sets ``run``, a
function from the parsed arguments to an exit code. Whatever a command needs beyond `argparse` is imported
inside ``run``, so that ``qct --help`` answers at once.

Exit codes: 0 done · 1 a fault of qct itself · 2 wrong arguments or settings · 3 the scan cannot be read or must
not be measured · 4 the image does not show lungs · 5 the result cannot be written · 6 a
validation was not passed · 130 interrupted.
"""

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from qct import __version__
from qct.collector import collecting_seldom
from qct.errors import QctError

COMMANDS = (
    "analyze",
    "inspect",
    "segment",
    "batch",
    "cohort",
    "export",
    "import_labels",
    "send",
    "sign",
    "coding",
    "codes",
    "quantities",
    "compare",
    "phantom",
    "validate",
    "train_prior",
    "warmup",
)
"""Modules of this package, in the order in which ``qct --help`` lists them."""

DEBUG = "QCT_DEBUG"
"""Environment variable that lets a fault of qct show its traceback."""

EPILOG = """\
exit codes: 0 done, 1 fault of qct, 2 wrong arguments, 3 scan refused, 4 no lungs found,
5 cannot write, 6 validation not passed, 130 interrupted.   Research use only: not a cleared medical device.
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of ``qct`` with all sub-commands."""
    parser = argparse.ArgumentParser(
        prog="qct",
        description="Measure lungs in chest CT and draft the report.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"qct {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        import_module(f"qct.cli.{name}").add_to(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``qct``; the one place that turns an error into words and an exit code."""
    args = build_parser().parse_args(argv)
    try:
        with collecting_seldom():
            return int(args.run(args))
    except QctError as error:
        _tell(error, as_json=getattr(args, "json", False))
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("qct: interrupted; nothing half-written was left behind.\n")
        return 130
    except BrokenPipeError:  # the reader of our output has gone, e.g. ``qct inspect | head``
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        _tell(_as_fault(error), as_json=getattr(args, "json", False))
        return QctError.exit_code


def _as_fault(error: Exception) -> QctError:
    """Put a fault of our own into words; its details may name a patient, so only its place is told."""
    frames = traceback.extract_tb(error.__traceback__)
    place = next((f for f in reversed(frames) if "qct" in f.filename), frames[-1])
    return QctError(
        f"a fault of qct itself: {type(error).__name__} in {place.name}, line {place.lineno}",
        hint=f"Please report it; with {DEBUG}=1 in the environment the whole traceback is shown.",
    )


def _tell(error: QctError, *, as_json: bool) -> None:
    """Say what went wrong: on stderr for people, on stdout for machines."""
    if as_json:
        told = {
            "error": {"kind": type(error).__name__, "message": str(error), "hint": error.hint},
            "exit_code": error.exit_code,
        }
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    sys.stderr.write(f"qct: {error}\n")
    if error.hint:
        sys.stderr.write(f"hint: {error.hint}\n")
