"""qct send: send DICOM objects to a PACS or DICOMweb server; what cannot be sent waits in a spool."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

PASSWORD = "QCT_DICOMWEB_PASSWORD"
TOKEN = "QCT_DICOMWEB_TOKEN"


def add_to(commands: Any) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "send",
        help="send DICOM objects to a PACS or DICOMweb server",
        description="Send DICOM objects; without objects, send what waits in the spool.",
        epilog=f"The password is read from {PASSWORD}, a bearer token from {TOKEN}.",
    )
    parser.add_argument("objects", type=Path, nargs="*", help="DICOM files, or folders of them")
    parser.add_argument(
        "--to",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="dicom://AETITLE@host:port or https://host/dicom-web; may be given more than once",
    )
    parser.add_argument("--spool", type=Path, required=True, help="folder where objects wait")
    parser.add_argument("--user", default="", help="name at the DICOMweb server")
    parser.add_argument("--ca", type=Path, help="file of certificates to trust")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Hand objects over to the spool, then send everything that waits."""
    from qct.errors import OptionError
    from qct.export.send import Credentials, Destination, hand_over, send_waiting

    if bool(args.objects) != bool(args.to):
        raise OptionError(
            "objects and destinations go together", hint="Name both, or only --spool to send again."
        )
    destinations = [Destination(url) for url in args.to]
    files = _files(args.objects)
    for to in destinations:
        hand_over(files, to, args.spool)
    login = Credentials(
        user=args.user,
        password=os.environ.get(PASSWORD, ""),
        bearer=os.environ.get(TOKEN, ""),
        ca_file=args.ca,
    )
    sys.stdout.write(f"{send_waiting(args.spool, login)} objects sent\n")
    return 0


def _files(paths: list[Path]) -> dict[str, bytes]:
    """Read DICOM files; names in the spool are numbers, for a name may tell who the patient is."""
    from qct.errors import ReadError

    found: list[Path] = []
    for path in paths:
        found += sorted(path.rglob("*.dcm")) if path.is_dir() else [path]
    files = {}
    for number, path in enumerate(found, start=1):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ReadError(f"{path} cannot be read", hint="Check the path.") from error
        if content[128:132] != b"DICM":
            raise ReadError(f"{path} is not a DICOM file", hint="Name objects of qct export.")
        files[f"{number:06d}.dcm"] = content
    if paths and not files:
        raise ReadError("there is no .dcm file to send", hint="Name a folder of qct export.")
    return files
