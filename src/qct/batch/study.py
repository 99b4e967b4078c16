"""One study, from its files to its result folder and its row; runs in a worker."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from qct.batch.discover import VOLUME_SUFFIXES, staged
from qct.batch.store import write_study
from qct.batch.worker import resolve
from qct.findings import Progress
from qct.options import Options

Measure = Callable[[Path, Options, Progress], dict[str, bytes]]
"""Turns one scan into the files of its result folder, ``analysis.json`` among them."""

MEASURE = "qct.batch.study:measure"
"""What measures a scan unless a test says otherwise."""

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a worker has to know to measure one study."""

    key: str
    parts: tuple[str, ...]
    out: str
    options: Mapping[str, Any] = field(default_factory=dict)
    known_hash: str | None = None
    """Content hash of the input when the result that is there was made."""
    measure: str = MEASURE


def measure(path: Path, options: Options, progress: Progress) -> dict[str, bytes]:
    """Measure one scan as ``qct analyze`` does."""
    from qct.pipeline import analyze, results

    started = datetime.now().astimezone().isoformat(timespec="seconds")
    analysis = analyze(path, options=options, progress=lambda d, s: progress(d, 0.8 * s))
    return results(analysis, lambda d, s: progress(d, 0.8 + 0.2 * s), started=started)


def run_study(task: Task, progress: Progress) -> dict[str, Any]:
    """Measure one study and write its folder.

    Returns
    -------
    dict
        ``input_hash``; ``record``, the row of the study, None if the input is what it was; ``bytes_in`` and
        ``bytes_out``.
    """
    with staged(task.parts) as (path, _):
        input_hash, bytes_in = hash_of(path)
        told = {"input_hash": input_hash, "bytes_in": bytes_in, "bytes_out": 0, "record": None}
        if input_hash == task.known_hash:
            return told
        files = resolve(task.measure)(path, Options.from_mapping(task.options), progress)
    record = record_of(json.loads(files["analysis.json"]))
    return told | {"record": record, "bytes_out": write_study(task.out, task.key, files)}


def hash_of(path: Path) -> tuple[str, int]:
    """Return the hash of everything under a path, names left out, and its bytes."""
    if not path.exists():
        return "", 0  # reading it says so
    is_alone = path.name.lower().endswith((".zip", *VOLUME_SUFFIXES))
    top = path if path.is_dir() or is_alone else path.parent  # one file stands for its series
    files = [path] if is_alone else sorted(p for p in top.rglob("*") if p.is_file())
    told, n_bytes = hashlib.blake2b(digest_size=16), 0
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                told.update(chunk)
                n_bytes += len(chunk)
    return told.hexdigest(), n_bytes


def record_of(analysis: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the tables need of an ``analysis.json``; nobody's name, number or date."""
    patient, acquisition = analysis.get("patient", {}), analysis.get("acquisition", {})
    grid = analysis.get("grid", {})
    facts = {
        "overall": analysis.get("verdict", {}).get("overall"),
        "flags": " ".join(sorted(analysis.get("flags", {}))),
        "sex": patient.get("sex"),
        "age_years": patient.get("age_years"),
        "height_m": patient.get("height_m"),
    }
    facts |= {
        name: acquisition.get(name)
        for name in ("manufacturer", "model", "recon_kernel", "kernel_family", "kvp", "slice_mm")
    }
    facts["n_slices"] = (grid.get("shape") or [None])[0]
    return {"facts": facts, "numbers": analysis["regions"]}
