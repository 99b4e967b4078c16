"""qct sign: sign the report of one analysis, append to a signed one, or check it."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from qct.errors import NothingToReadError


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "sign",
        help="sign the report of one analysis, or append to a signed one",
        description="Bind a physician's interpretation to a result folder. What is signed is never "
        "changed; addenda are appended.",
    )
    parser.add_argument("result", type=Path, help="result folder of qct analyze")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--interpretation", type=Path, metavar="FILE", help="text that is signed")
    what.add_argument("--addendum", type=Path, metavar="FILE", help="text that is appended")
    what.add_argument("--check", action="store_true", help="say who signed, if nothing was changed")
    what.add_argument("--statements", action="store_true", help="list the drafted statements")
    parser.add_argument("--impression", type=Path, metavar="FILE", help="summary for page one")
    parser.add_argument("--signer", metavar="NAME", help='"Family, Given"')
    parser.add_argument("--credentials", metavar="TEXT", help="such as MD")
    parser.add_argument("--organization", metavar="NAME", default="")
    parser.add_argument(
        "--accept", metavar="KEY", action="append", default=[], help="take over this statement"
    )
    parser.add_argument(
        "--edit",
        metavar=("KEY", "TEXT"),
        nargs=2,
        action="append",
        default=[],
        help="take over this statement in other words",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Sign, append, check or list."""
    if not args.result.is_dir():
        raise NothingToReadError(
            f"there is no folder {args.result}", hint="Name a folder that qct analyze has written."
        )
    if args.statements:
        return _list(args.result)
    if args.check:
        return _check(args.result)
    from qct.errors import OptionError
    from qct.export.folder import replace_folder
    from qct.export.signed import read_signature

    if not args.signer or not args.credentials:
        raise OptionError(
            "nobody is named who answers for the words", hint="Give --signer and --credentials."
        )
    with _alone(args.result):
        replace_folder(args.result, _appended(args) if args.addendum else _signed(args))
        signature = read_signature(args.result)
    sys.stdout.write(
        f"{args.result / 'report.pdf'}\n{signature.last_sha256 if signature else ''}\n"
    )
    return 0


def _signed(args: argparse.Namespace) -> dict[str, bytes]:
    from qct.pipeline import sign
    from qct.signature import Signature

    signature = Signature(
        interpretation=_words(args.interpretation),
        impression=_words(args.impression) if args.impression else "",
        signer=args.signer,
        credentials=args.credentials,
        organization=args.organization,
        signed_at=_now(),
        digests={},
    )
    accepted: dict[str, str | None] = dict.fromkeys(args.accept)
    return sign(args.result, signature, accepted | dict(args.edit))


def _appended(args: argparse.Namespace) -> dict[str, bytes]:
    from qct.pipeline import append

    return append(
        args.result,
        _words(args.addendum),
        author=args.signer,
        credentials=args.credentials,
        written_at=_now(),
    )


def _now() -> datetime:
    return datetime.now().astimezone().replace(microsecond=0)


def _words(path: Path) -> str:
    from qct.cli.coding import text_of
    from qct.errors import OptionError

    text = text_of(path, "text to sign").strip()
    if not text:
        raise OptionError(f"{path.name} holds no words", hint="Write the text into the file first.")
    return text


def _check(result: Path) -> int:
    from qct.errors import SignedError
    from qct.export.signed import read_signature

    signature = read_signature(result)
    if signature is None:
        raise SignedError(f"{result.name} is not signed", hint="Sign it with --interpretation.")
    people = [(signature.signed_at, signature.signer, signature.credentials)]
    people += [(one.written_at, one.author, one.credentials) for one in signature.addenda]
    for when, who, credentials in people:
        sys.stdout.write(f"{when.isoformat()} {who}, {credentials}\n")
    sys.stdout.write(f"unchanged since: {signature.last_sha256}\n")
    return 0


def _list(result: Path) -> int:
    from qct.pipeline import drafted

    for one in drafted(result):
        sys.stdout.write(f"{one.key}\n  {one.text}\n")
    return 0


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other `qct sign` touch the folder; where the system has no such lock, go on without."""
    import os

    from qct.errors import ReadError

    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows does not open folders
        yield
        return
    except OSError as error:
        raise ReadError(
            f"{folder.name} is no result folder", hint="Name a folder that qct analyze has written."
        ) from error
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
