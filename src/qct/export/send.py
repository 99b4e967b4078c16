"""Send objects to a PACS or a DICOMweb server, and lose none when it is down.

Objects wait in a spool folder, one sub-folder per destination and hand-over; each file is deleted when the
other side has confirmed it. What could not be sent stays, and is sent the next time.
"""

import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from qct.errors import OptionError, WriteError
from qct.export.extras import optional

ATTEMPTS = 4
"""How often an object is tried before it is left in the spool."""

FIRST_WAIT_S = 1.0
"""Wait before the second attempt; doubled each time."""

TIMEOUT_S = 30.0

PLAIN = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
"""What every PACS takes."""

JOB = "job.json"
CALLING_TITLE = "QCT"

RETRIED_STATUS = (408, 425, 429, 500, 502, 503, 504)
"""HTTP status after which trying again may help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a DICOMweb server asks for; never stored in the spool.

    Attributes
    ----------
    bearer : str
        Token; goes before `user` and `password`.
    ca_file : Path or None
        Certificates to trust instead of the system's.
    """

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    bearer: str = field(default="", repr=False)
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to: ``dicom://AE@host:port`` (C-STORE) or the ``http(s)://`` root of a DICOMweb service."""

    url: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        is_dicom = parts.scheme == "dicom" and parts.username and parts.hostname and _port(parts)
        is_web = parts.scheme in ("http", "https") and parts.hostname and not parts.username
        if not (is_dicom or is_web):
            raise OptionError(
                "a destination is not an address that objects can be sent to",
                hint="Write dicom://AETITLE@host:port or https://host/dicom-web; no password in it.",
            )

    @property
    def is_web(self) -> bool:
        """Whether it is a DICOMweb server."""
        return self.url.startswith("http")


class NotSentError(WriteError):
    """An object was not taken; `may_retry` tells whether trying again may help."""

    def __init__(self, message: str, *, may_retry: bool) -> None:
        super().__init__(message)
        self.may_retry = may_retry


def hand_over(files: Mapping[str, bytes], to: Destination, spool: Path) -> Path:
    """Put objects into the spool; returns their folder. Once this returns they are safe on disk."""
    name = secrets.token_hex(8)
    aside, job = spool / f".{name}", spool / name
    try:
        aside.mkdir(parents=True)
        spool.chmod(0o700)
        for file, content in files.items():
            _write(aside / file, content)
        _write(aside / JOB, json.dumps({"destination": to.url}).encode())
        aside.rename(job)
    except OSError as error:
        raise WriteError(
            f"the spool {spool} cannot be written: {error.strerror or error}",
            hint="Name a folder that you may write to, on a disk with free space.",
        ) from error
    return job


def waiting(spool: Path) -> list[Path]:
    """Jobs in the spool, oldest first."""
    jobs = [path.parent for path in spool.glob(f"*/{JOB}") if not path.parent.name.startswith(".")]
    return sorted(jobs, key=lambda job: (job.stat().st_mtime, job.name))


def send_waiting(
    spool: Path,
    credentials: Credentials | None = None,
    *,
    attempts: int = ATTEMPTS,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Send everything that waits; returns how many objects arrived.

    Raises
    ------
    WriteError
        If objects remain in the spool; says how many and why.
    """
    n_sent, troubles = 0, []
    for job in waiting(spool):
        to = Destination(json.loads((job / JOB).read_text(encoding="utf-8"))["destination"])
        try:
            n_sent += _send_job(job, to, credentials or Credentials(), attempts, sleep)
        except NotSentError as trouble:
            troubles.append(str(trouble))
    n_left = sum(len(_objects(job)) for job in waiting(spool))
    if n_left:
        raise WriteError(
            f"{n_left} objects were not sent and wait in {spool}: {'; '.join(troubles)}",
            hint="Run qct send again when the destination answers.",
        )
    return n_sent


def _send_job(
    job: Path,
    to: Destination,
    credentials: Credentials,
    attempts: int,
    sleep: Callable[[float], None],
) -> int:
    n_before = len(_objects(job))
    for attempt in range(attempts):
        try:
            store = _stow if to.is_web else _c_store
            for path in store(_objects(job), to, credentials):
                path.unlink()
            break
        except NotSentError as trouble:
            if not trouble.may_retry or attempt == attempts - 1:
                raise
            sleep(FIRST_WAIT_S * 2**attempt)
    (job / JOB).unlink()
    job.rmdir()
    return n_before


def _objects(job: Path) -> list[Path]:
    return sorted(path for path in job.iterdir() if path.name != JOB)


# --- C-STORE ------------------------------------------------------------------------------------


def _c_store(paths: list[Path], to: Destination, credentials: Credentials) -> Iterable[Path]:
    """Send by C-STORE; yields each path as it is confirmed."""
    net = optional("pynetdicom")
    parts = urlsplit(to.url)
    _reach(str(parts.hostname), int(parts.port or 0))
    entity = net.AE(ae_title=CALLING_TITLE)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = TIMEOUT_S
    entity.connection_timeout = TIMEOUT_S
    loaded = [(path, dcmread(path)) for path in paths]
    for wanted in dict.fromkeys((str(ds.SOPClassUID), _syntax(ds)) for _, ds in loaded):
        entity.add_requested_context(wanted[0], [wanted[1]])
    for sop_class in dict.fromkeys(str(ds.SOPClassUID) for _, ds in loaded):
        entity.add_requested_context(sop_class, PLAIN)
    association = entity.associate(parts.hostname, parts.port, ae_title=parts.username)
    if not association.is_established:
        raise NotSentError(f"{parts.hostname} does not answer as {parts.username}", may_retry=True)
    try:
        for path, ds in loaded:
            _as_accepted(ds, association.accepted_contexts)
            status = association.send_c_store(ds)
            _refuse_status(status, parts.hostname)
            yield path
    finally:
        association.release()


def _reach(host: str, port: int) -> None:
    """Knock first: a host that is down is told apart from one that does not want us."""
    try:
        socket.create_connection((host, port), TIMEOUT_S).close()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise NotSentError(f"{host} port {port}: {reason}", may_retry=True) from error


def _as_accepted(ds: Dataset, contexts: Iterable[Any]) -> None:
    """Turn an object into a transfer syntax that the other side takes, if it must be."""
    taken = [
        str(context.transfer_syntax[0])
        for context in contexts
        if context.abstract_syntax == ds.SOPClassUID
    ]
    if not taken:
        raise NotSentError("the destination does not take this kind of object", may_retry=False)
    if _syntax(ds) in taken:
        return
    if ds.file_meta.TransferSyntaxUID.is_encapsulated:
        ds.decompress(generate_instance_uid=False)
    plain = [one for one in PLAIN if str(one) in taken]
    ds.file_meta.TransferSyntaxUID = plain[0] if plain else ds.file_meta.TransferSyntaxUID
    _reencode(ds)


def _reencode(ds: Dataset) -> None:
    """Write and read again, so that the data set is encoded the way its file meta says."""
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    fresh = dcmread(buffer)
    ds.__dict__.update(fresh.__dict__)


def _refuse_status(status: Dataset, host: str | None) -> None:
    """Accept success and warnings (PS3.4 table B.2-1)."""
    if "Status" not in status:
        raise NotSentError(f"{host} broke the connection", may_retry=True)
    code = int(status.Status)
    if code != 0 and not 0xB000 <= code <= 0xBFFF:
        is_short_of_room = 0xA700 <= code <= 0xA7FF
        raise NotSentError(f"{host} refused with status 0x{code:04X}", may_retry=is_short_of_room)


def _syntax(ds: Dataset) -> str:
    return str(ds.file_meta.TransferSyntaxUID)


# --- STOW-RS ------------------------------------------------------------------------------------


def _stow(paths: list[Path], to: Destination, credentials: Credentials) -> Iterable[Path]:
    """Send by STOW-RS, one object per request, so that a large study cannot run into a limit."""
    requests = optional("requests")
    with requests.Session() as session:
        session.trust_env = False
        if credentials.bearer:
            session.headers["Authorization"] = f"Bearer {credentials.bearer}"
        elif credentials.user:
            session.auth = (credentials.user, credentials.password)
        if credentials.ca_file is not None:
            session.verify = str(credentials.ca_file)
        for path in paths:
            _post(requests, session, path, to)
            yield path


def _post(requests: Any, session: Any, path: Path, to: Destination) -> None:
    boundary = secrets.token_hex(16)
    body = b"".join(
        (
            f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode(),
            path.read_bytes(),
            f"\r\n--{boundary}--\r\n".encode(),
        )
    )
    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
    headers = {"Content-Type": kind, "Accept": "application/dicom+json"}
    host = urlsplit(to.url).hostname
    try:
        answer = session.post(
            f"{to.url.rstrip('/')}/studies",
            data=body,
            headers=headers,
            timeout=TIMEOUT_S,
            allow_redirects=False,
        )
    except requests.exceptions.RequestException as error:
        raise NotSentError(f"{host}: {type(error).__name__}", may_retry=True) from error
    failed = _failed(answer)
    if answer.status_code not in (200, 202) or failed:
        reason = f"{host} answered {answer.status_code}" + " and refused the object" * failed
        raise NotSentError(reason, may_retry=answer.status_code in RETRIED_STATUS)


def _failed(answer: Any) -> bool:
    """Whether the answer names an object that was not stored (Failed SOP Sequence)."""
    try:
        told = answer.json()
    except ValueError:
        return False
    record = told[0] if isinstance(told, list) and told else told
    return isinstance(record, dict) and bool(record.get("00081198", {}).get("Value"))


def _port(parts: Any) -> int | None:
    try:
        port: int | None = parts.port
    except ValueError:
        return None
    return port


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
