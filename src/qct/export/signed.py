"""``signature.json`` in a result folder: who signed what; read back only if nothing was changed since."""

import json
from collections.abc import Mapping
from pathlib import Path

from qct.errors import ReadError
from qct.signature import SIGNED_FILES, Signature, digest_of

SIGNATURE = "signature.json"
"""Name of the file; a result folder that holds it is signed."""

REPORTS = ("report.html", "report.pdf", "report.txt")
"""What people read; set anew from the signed files and the signature, and after every addendum."""


def signature_json(signature: Signature, reports: Mapping[str, bytes]) -> bytes:
    """Return the file: the signature, and the digests of the reports that carry it."""
    record = signature.as_dict() | {"reports": {name: digest_of(reports[name]) for name in REPORTS}}
    return (json.dumps(record, ensure_ascii=False, indent=2) + "\n").encode()


def read_signature(folder: Path) -> Signature | None:
    """Read the signature of a result folder; None if it is not signed.

    Raises
    ------
    ReadError
        If the signature, or anything that it covers, is not what was signed.
    """
    path = folder / SIGNATURE
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        signature = Signature.from_dict(record)
        expected = {**signature.digests, **record["reports"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReadError(
            f"{SIGNATURE} in {folder.name} is not a signature as it was written: {error}",
            hint="Bring the folder back from a copy.",
        ) from error
    for name in (*SIGNED_FILES, *REPORTS):
        if digest_of(_content(folder, name)) != expected.get(name):
            raise ReadError(
                f"{name} in {folder.name} is not the one that was signed",
                hint="Bring the folder back from a copy.",
            )
    return signature


def digests(folder: Path) -> dict[str, str]:
    """Return the digests of what a signature covers.

    Raises
    ------
    ReadError
        If the folder is not a whole result.
    """
    return {name: digest_of(_content(folder, name)) for name in SIGNED_FILES}


def all_files(folder: Path) -> dict[str, bytes]:
    """Read everything in a result folder: name to content."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _content(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise ReadError(
            f"{folder.name} holds no {name} that can be read",
            hint="Name a folder that qct analyze of this version has written.",
        ) from error
