"""The DICOM objects, made in a second process while this one makes the rest.

They keep one thread of Python busy for seconds. The second process is begun with the analysis: what it needs to
import, and the headers of the source images, it reads while the regions are found; what follows from the labels
alone it makes while they are measured.

Nothing depends on it. Where it cannot be begun, fails or is killed, the objects are made in this process, and
what is wrong with them is said there.
"""

import datetime as dt
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from qct.collector import collecting_seldom
from qct.cores import n_cores
from qct.findings import Analysis, Scan
from qct.volume import Volume

LOST = (OSError, EOFError, pickle.PickleError)
"""What talking to a process raises that has ended."""

Labels = npt.NDArray[np.uint8]

NO_LABELS: Labels = np.zeros((0, 0, 0), np.uint8)
"""Stands for labels that are told by themselves."""


class DicomApart:
    """The second process, as this one sees it; it is to be asked in the order of these methods."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._talk = ThreadPoolExecutor(1)  # a pipe is full after 64 kB: nobody waits for it here
        self._asked: list[Future[None]] = []
        self._framed: Labels | None = None

    def read(self, scan: Scan) -> None:
        """Let it read the headers of the images that a scan came from."""
        self._ask(scan)

    def frame(self, labels: Labels) -> None:
        """Let it make the frames of the segmentation."""
        self._framed = labels
        self._ask(labels)

    def make(self, analysis: Analysis, created: dt.datetime) -> None:
        """Let it make all but the PDF; labels that it has made frames of are not told again."""
        self._ask(_told(analysis, created, self._framed))

    def wrap(self, report_pdf: bytes) -> None:
        """Let it wrap the PDF."""
        self._ask(report_pdf)

    def made(self) -> dict[str, bytes] | None:
        """Wait for its files, by name; None if it has failed."""
        try:
            for asked in self._asked:
                asked.result()
            return self._talk.submit(self._answer).result()
        except LOST:
            return None

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._talk.shutdown()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what it was not told is flushed here
                stream.close()  # type: ignore[union-attr]

    def _ask(self, question: Any) -> None:
        self._asked.append(self._talk.submit(self._put, question))

    def _put(self, question: Any) -> None:
        assert self._process.stdin is not None
        _put(question, self._process.stdin)

    def _answer(self) -> dict[str, bytes]:
        assert self._process.stdout is not None
        answer: dict[str, bytes] = pickle.load(self._process.stdout)
        return answer


@contextmanager
def dicom_apart(most_threads: int = 0) -> Iterator[DicomApart | None]:
    """Have a second process for as long as the context lasts; None where it would take a core from this one.

    Parameters
    ----------
    most_threads : int
        As `qct.options.Options.threads`.
    """
    process = _begun() if most_threads != 1 and n_cores() > 1 else None
    if process is None:
        yield None
        return
    apart = DicomApart(process)
    try:
        yield apart
    finally:
        apart.end()


def usual_objects(
    analysis: Analysis,
    files: Mapping[str, bytes],
    created: dt.datetime,
    apart: DicomApart | None = None,
) -> dict[str, bytes]:
    """Make the usual objects, here and in the second process if there is one.

    Parameters
    ----------
    apart : DicomApart or None
        One that was let read the scan of the analysis, and make its objects with the same `created`.

    Raises
    ------
    OptionError, ReadError
        As `qct.export.dicom.dicom_objects`, whose bytes these are.
    """
    from qct.export.dicom import dicom_objects

    if apart is not None:
        apart.wrap(files["report.pdf"])
        made = apart.made()
        if made is not None:
            return made
    return dicom_objects(analysis, files, created=created)


def _begun() -> "subprocess.Popen[bytes] | None":
    command = [sys.executable, "-m", __name__]
    try:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None


def _told(analysis: Analysis, created: dt.datetime, framed: Labels | None) -> Any:
    """Return an analysis without labels, its labels if they are others than `framed`, and its stamp."""
    from qct.export.dicom_instance import stamp_of

    segmentation = analysis.segmentation
    bare = replace(analysis, segmentation=replace(segmentation, labels=NO_LABELS))
    labels = None if segmentation.labels is framed else segmentation.labels
    return bare, labels, stamp_of(analysis, created)


def _put(question: Any, stream: IO[bytes]) -> None:
    """Write a question; of a volume all but the pixels, which no object that is made apart shows."""
    pickler = pickle.Pickler(stream, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = {
        Volume: lambda volume: (_unseen, (volume.shape, volume.axes_mm, volume.origin_mm))
    }
    pickler.dump(question)
    stream.flush()


def _unseen(
    shape: tuple[int, int, int],
    axes_mm: npt.NDArray[np.float64],
    origin_mm: npt.NDArray[np.float64],
) -> Volume:
    """Return the grid of a volume; its memory is never touched, so it takes none."""
    return Volume(np.zeros(shape, np.int16), axes_mm, origin_mm)


def serve(questions: IO[bytes], answers: IO[bytes]) -> None:
    """Be the second process: answer what `DicomApart` asks; end when it is gone or anything is wrong."""
    from qct.export.dicom import USUAL, make_objects
    from qct.export.dicom_seg import frames_of
    from qct.export.dicom_source import read_source

    _load_early()
    source = read_source(pickle.load(questions))
    frames = frames_of(pickle.load(questions), source)
    analysis, new_labels, stamp = pickle.load(questions)
    if new_labels is not None:
        frames = frames_of(new_labels, source)
    early = [kind for kind in USUAL if kind != "pdf"]
    made = make_objects(analysis, {}, early, source, stamp, frames=frames)
    report = {"report.pdf": pickle.load(questions)}
    made |= make_objects(analysis, report, ["pdf"], source, stamp)
    pickle.dump(made, answers, pickle.HIGHEST_PROTOCOL)
    answers.flush()


def _load_early() -> None:
    """Load what first use would load: packages, the tables of the standard that highdicom reads, a kernel."""
    from qct.export.dicom_images import run_lengths
    from qct.export.dicom_sr import STRUCTURED_REPORT_CLASS
    from qct.export.extras import optional

    optional("highdicom.sr")
    optional("highdicom").SOPClass("1.2", "1.2", 1, "1.2", STRUCTURED_REPORT_CLASS, 1, "SR")
    run_lengths(np.zeros((1, 1, 3), np.uint8))


def _main() -> None:
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches both; the first process ends this one
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # whatever a package prints is no answer
        serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    with suppress(Exception), collecting_seldom():  # it is said where the objects are made again
        _main()
