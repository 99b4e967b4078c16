"""A real PACS for tests: Orthanc with DICOMweb, on loopback, with its data in a temporary folder."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

PLUGIN_FOLDERS = ("/usr/share/orthanc/plugins", "/usr/lib/orthanc")
START_S = 40.0
PASSWORD = "only-for-this-test"


def program() -> str | None:
    return shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")


def plugin() -> Path | None:
    for folder in PLUGIN_FOLDERS:
        found = sorted(Path(folder).glob("libOrthancDicomWeb.so*"))
        if found:
            return found[0]
    return None


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@dataclass
class Orthanc:
    dicom_port: int
    http_port: int

    @property
    def dicom(self) -> str:
        return f"dicom://ORTHANC@127.0.0.1:{self.dicom_port}"

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.http_port}/dicom-web"


@contextlib.contextmanager
def running(folder: Path, dicom_port: int | None = None, http_port: int | None = None):
    """Start Orthanc; it is ended with the block, by its own process."""
    one = Orthanc(dicom_port or free_port(), http_port or free_port())
    settings = {
        "StorageDirectory": str(folder / "data"),
        "IndexDirectory": str(folder / "data"),
        "Plugins": [str(plugin())],
        "DicomAet": "ORTHANC",
        "DicomPort": one.dicom_port,
        "HttpPort": one.http_port,
        "RemoteAccessAllowed": True,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {"qct": PASSWORD},
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen(
            [program(), str(folder / "orthanc.json")], stdout=log, stderr=log, cwd=folder
        )
        try:
            _await(one, process, folder / "orthanc.log")
            yield one
        finally:
            process.terminate()
            process.wait(20)


def _await(one: Orthanc, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", one.http_port), 1),
        ):
            socket.create_connection(("127.0.0.1", one.dicom_port), 1).close()
            return
        time.sleep(0.2)
    raise RuntimeError(f"Orthanc did not start: {log.read_text(errors='replace')[-800:]}")


def get(one: Orthanc, path: str, accept: str = "application/dicom+json") -> bytes:
    import base64

    token = base64.b64encode(f"qct:{PASSWORD}".encode()).decode()
    request = urllib.request.Request(
        f"{one.web}/{path}", headers={"Accept": accept, "Authorization": f"Basic {token}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read()
