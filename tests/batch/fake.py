"""A stand-in for measuring, to be named as ``fake:measure``: what it does stands in the study's files."""

import errno
import hashlib
import json
import os
import signal
import time

from qct.errors import NoLungsError


def _no_space(descriptor):
    raise OSError(errno.ENOSPC, "No space left on device")


def measure(path, options, progress):
    progress("pretending", 0.5)
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    content = b"".join(p.read_bytes() for p in files)
    text = content.decode(errors="replace")
    if "crash" in text:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "exit" in text:
        os._exit(7)
    if "killed" in text:
        os.kill(os.getpid(), signal.SIGKILL)
    if "memory" in text:
        raise MemoryError
    if "fault" in text:
        raise ValueError("Doe^Jane")
    if "hang" in text:
        time.sleep(3600)
    if "nolungs" in text:
        raise NoLungsError("no lungs", hint="Send a chest.")
    time.sleep(0.6 if "slow" in text else 0.02)
    if options.series_uid == "full":  # stands for a disk that has filled up
        os.fsync = _no_space
    number = int(hashlib.sha256(content).hexdigest()[:6], 16) / 7
    numbers = {"volume_ml": {"value": number, "unit": "mL", "status": "reported", "flags": []}}
    analysis = {"regions": {"whole_lung": numbers}, "verdict": {"overall": "reported"}}
    return {"analysis.json": json.dumps(analysis).encode(), "report.html": b"<p>"}
