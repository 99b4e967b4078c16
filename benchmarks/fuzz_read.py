"""Damage real files and read them: each must give a scan, or a refusal in words that leaves nothing behind.

    python benchmarks/fuzz_read.py DATA --cases 10000          # DATA: folder of real scans (docs/data.md)
    python benchmarks/fuzz_read.py DATA --guided 30          # minutes, guided by coverage (pip install atheris)

A case fails if anything but a `qct.errors.QctError` comes out, if ``qct analyze`` answers a refused scan with
exit code 0 or 1, a traceback, no hint or a file in its output, or if it takes longer than `MOST_SECONDS`. What
failed is kept in ``--keep``, one folder per case, with the seed that made it.
"""

import argparse
import contextlib
import faulthandler
import io
import os
import random
import shutil
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

MOST_SECONDS = 10.0
"""A case that takes longer hangs."""

Files = dict[str, bytes]
"""Name in the folder that is handed in: content."""

LONG_VRS = (b"OB", b"OW", b"OF", b"OD", b"OL", b"SQ", b"UC", b"UN", b"UR", b"UT")
"""Value representations whose length takes four bytes (PS3.5 7.1.2)."""

ODD_VALUES = (
    b"",
    b"0",
    b"-1",
    b"1e308",
    b"-1e400",
    b"nan",
    b"inf",
    b"4294967296",
    b"1\\1",
    b"1\\1\\1\\1\\1\\1\\1\\1\\1",
    b"\\\\\\\\",
    b"0\\0\\0\\0\\0\\0",
    b"\xff\xff",
    b"\x00\x00",
    b"\x01\x00",
    b"\xff\x7f",
    b"\x00\x00\x00\x00\x00\x00\xf0\x7f",
    b"ISO 2022 IR 87",
    b"GB18030",
    b"\x1b$B\x1b(B",
    b"YES",
    b"DERIVED\\SECONDARY",
    b"1.2.840.10008.1.2.4.70",
    b"1.2.840.10008.1.2.2",
    b"A" * 300,
)
"""What an element may turn into."""


def header_elements(data: bytes) -> list[tuple[int, int, int]]:
    """Walk the elements in front of the pixels: start, start of the value, end."""
    found, at = [], 132 if data[128:132] == b"DICM" else 0
    while at + 8 <= len(data) and data[at : at + 4] != b"\xe0\x7f\x10\x00":
        if data[at + 4 : at + 6] in LONG_VRS:
            value = at + 12
            (length,) = struct.unpack("<I", data[at + 8 : at + 12].ljust(4, b"\0"))
        elif data[at + 4 : at + 6].isalpha() and data[at + 4 : at + 6].isupper():
            value = at + 8
            (length,) = struct.unpack("<H", data[at + 6 : at + 8])
        else:
            value = at + 8
            (length,) = struct.unpack("<I", data[at + 4 : at + 8])
        if length == 0xFFFFFFFF:  # step into a sequence
            length = 0
        if value + length > len(data):
            break
        found.append((at, value, value + length))
        at = value + length
    return found


def flip(data: bytes, chance: random.Random, end: int | None = None) -> bytes:
    """Change some bytes."""
    spoiled = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        if spoiled:
            spoiled[chance.randrange(min(end or len(spoiled), len(spoiled)))] = chance.randrange(
                256
            )
    return bytes(spoiled)


def flip_header(data: bytes, chance: random.Random) -> bytes:
    """Change some bytes in front of the pixels."""
    elements = header_elements(data)
    return flip(data, chance, elements[-1][2] if elements else min(len(data), 400))


def cut(data: bytes, chance: random.Random) -> bytes:
    """End early, most often among the pixels."""
    return data[: int(len(data) * chance.random() ** chance.choice((0.2, 1, 4)))]


def blank(data: bytes, chance: random.Random) -> bytes:
    """Overwrite a stretch, as a bad sector does."""
    at, n = chance.randrange(len(data) + 1), chance.choice((1, 16, 512, 4096))
    return data[:at] + bytes((chance.choice((0, 255)),)) * len(data[at : at + n]) + data[at + n :]


def splice(data: bytes, chance: random.Random) -> bytes:
    """Drop or insert bytes, so that what follows is out of step."""
    at, n = chance.randrange(len(data) + 1), chance.choice((1, 2, 8, 100))
    return data[:at] + (b"" if chance.random() < 0.5 else chance.randbytes(n)) + data[at + n :]


def change_element(data: bytes, chance: random.Random) -> bytes:
    """Give an element another value, length or representation; drop it, or say it twice."""
    elements = header_elements(data)
    if not elements:
        return flip(data, chance)
    start, value, end = chance.choice(elements)
    what = chance.choice(("value", "value", "value", "drop", "twice", "length", "vr"))
    if what == "drop":
        return data[:start] + data[end:]
    if what == "twice":
        return data[:end] + data[start:end] + data[end:]
    head = bytearray(data[start:value])
    new = data[value:end]
    if what == "vr":
        head[4:6] = chance.choice((b"UN", b"SQ", b"DS", b"US", b"FD", b"LO", b"OB", b"AT", b"??"))
    elif what == "length":
        head[-2:] = chance.randbytes(2)
    else:
        new = chance.choice(ODD_VALUES)
        new += b" " * (len(new) % 2)
        head[-2:] = struct.pack("<H", len(new))
        if len(head) == 12:
            head[-4:] = struct.pack("<I", len(new))
    return data[:start] + bytes(head) + new + data[end:]


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    change_element,
    change_element,
    change_element,
    flip_header,
    flip_header,
    flip,
    cut,
    blank,
    splice,
)


def damaged(files: Files, chance: random.Random) -> Files:
    """Damage some files of a folder: one, or each in its own way."""
    names = sorted(files)
    chosen = names if chance.random() < 0.2 else [chance.choice(names)]
    spoiled = dict(files)
    for name in chosen:
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            spoiled[name] = chance.choice(DAMAGES)(spoiled[name], chance)
    return spoiled


def put(files: Files, folder: Path) -> Path:
    """Write the files; return what is handed in: the folder, or its only archive or volume file."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    only = next(iter(files))
    return folder / only if len(files) == 1 or only == "DICOMDIR" else folder


def check(path: Path, out: Path, *, at_the_door: bool = True) -> str:
    """Read what was handed in; return how it ended. AssertionError or any other error is a failure."""
    from qct.errors import QctError
    from qct.read import read_scan

    refusal: QctError | None = None
    try:
        read_scan(path)
    except QctError as error:
        refusal = error
    if refusal is None:
        return "read"
    assert str(refusal)
    assert refusal.hint, f"no hint: {refusal}"
    if at_the_door:
        _check_door(path, out)
    return type(refusal).__name__


def _check_door(path: Path, out: Path) -> None:
    """Ask the commands about a scan that is refused."""
    from qct.cli import main

    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        inspected = main(["inspect", str(path)])
        code = main(["analyze", str(path), "-o", str(out), "--quiet"])
    assert code in (2, 3), f"exit code {code}: {said.getvalue()}"
    assert "Traceback" not in said.getvalue()
    assert inspected in (0, 2, 3), f"exit code {inspected}: {said.getvalue()}"
    assert not out.exists(), "a refused scan left files"


# --- what is damaged ----------------------------------------------------------------------------


def sources(data: Path) -> dict[str, Files]:
    """Collect short pieces of the real scans, by name."""
    found: dict[str, Files] = {}
    for name in ("ricord1a", "lung1_001", "lung_dx_a0001/kernel_b"):
        found[name] = _piece(data / "ct" / name, 4)
    found["cip"] = _piece(data / "cip/ct-64-dicom", 8)
    found["tilted"] = _piece(data / "formats/gantry_tilt/ge_uneven", 5)
    found["enhanced"] = {"one": (data / "formats/eCT_Supplemental.dcm").read_bytes()}
    found["legacy"] = {"one": (data / "formats/enhanced/legacy_converted/mf.dcm").read_bytes()}
    for path in sorted((data / "formats/transfer_syntaxes").iterdir()):
        found[path.name] = _three_of(path)
    for path in sorted((data / "formats").glob("*.dcm")):
        found[path.name] = {path.name: path.read_bytes()}
    found["zip"] = {"study.zip": _zipped(found["cip"])}
    found |= _volume_files(data / "cip/ct-64.nrrd")
    return found


def _piece(folder: Path, n: int) -> Files:
    """Take neighbouring slices from the middle of a series."""
    import pydicom

    paths = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix != ".md"]
    heads = [(pydicom.dcmread(p, stop_before_pixels=True, force=True), p) for p in paths]
    placed = [
        (float(ds.ImagePositionPatient[2]), p) for ds, p in heads if "ImagePositionPatient" in ds
    ]
    placed.sort()
    middle = placed[len(placed) // 2 : len(placed) // 2 + n]
    return {f"{k:02d}": path.read_bytes() for k, (_, path) in enumerate(middle)}


def _three_of(path: Path) -> Files:
    """Make three slices of one, for one slice alone is refused before its pixels are read."""
    import pydicom

    files = {}
    for k in range(3):
        ds = pydicom.dcmread(path)
        ds.ImagePositionPatient[2] = ds.ImagePositionPatient[2] + 5 * k
        ds.SOPInstanceUID += f".{k}"
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        whole = io.BytesIO()
        ds.save_as(whole)
        files[f"{k}"] = whole.getvalue()
    return files


def _zipped(files: Files) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"study/{name}", content)
    return packed.getvalue()


def _volume_files(nrrd: Path) -> dict[str, Files]:
    import SimpleITK as sitk

    image, found = sitk.Cast(sitk.ReadImage(str(nrrd)), sitk.sitkInt16), {}
    with tempfile.TemporaryDirectory() as aside:
        for name in ("a.nii", "a.nii.gz", "a.nrrd", "a.mha"):
            sitk.WriteImage(image[:, :, 30:42], f"{aside}/{name}")
            found[name] = {name: Path(aside, name).read_bytes()}
    return found


# --- the two ways to run ------------------------------------------------------------------------


def one_case(files: Files, seed: int, keep: Path) -> str:
    """Run one case; what fails is kept."""
    spoiled = damaged(files, random.Random(seed))
    with tempfile.TemporaryDirectory(prefix="fuzz-") as aside:
        (folder := Path(aside, "scan")).mkdir()
        path, started = put(spoiled, folder), time.monotonic()
        faulthandler.dump_traceback_later(10 * MOST_SECONDS, exit=True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ended = check(path, Path(aside, "out"))
            took = time.monotonic() - started
            assert took < MOST_SECONDS, f"took {took:.1f} s"
        except BaseException:
            shutil.copytree(folder, keep / f"case-{seed}", dirs_exist_ok=True)
            (keep / f"case-{seed}.txt").write_text(traceback.format_exc())
            ended = "FAILED"
        faulthandler.cancel_dump_traceback_later()
    return ended


def run_cases(data: Path, cases: range, keep: Path) -> Counter[str]:
    """Run many cases, the sources in turn; print what they came to."""
    pieces = list(sources(data).items())
    ends: Counter[str] = Counter()
    slowest, started = 0.0, time.monotonic()
    for n in cases:
        name, files = pieces[n % len(pieces)]
        before = time.monotonic()
        ended = one_case(files, n, keep)
        slowest = max(slowest, time.monotonic() - before)
        ends[ended] += 1
        if ended == "FAILED":
            print(f"case {n} ({name}) failed, see {keep}/case-{n}.txt", flush=True)
        if n % 500 == 499:
            print(f"{n + 1}: {time.monotonic() - started:.0f} s, {dict(ends)}", flush=True)
    print(f"{len(cases)} cases in {time.monotonic() - started:.0f} s, slowest {slowest:.1f} s")
    for ended, count in ends.most_common():
        print(f"  {count:6} {ended}")
    return ends


KINDS = (
    "slice",
    "alone",
    "enhanced",
    "DICOMDIR",
    "study.zip",
    "a.nii",
    "a.nrrd",
    "a.mha",
    "a.nii.gz",
)
"""What the first byte of a guided case chooses."""


def small_seeds(data: Path) -> Iterator[bytes]:
    """Yield whole files with few pixels: a mutation more often hits what is read."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless
    from tests.read import series

    with tempfile.TemporaryDirectory() as aside:
        for k, syntax in enumerate(
            (ExplicitVRLittleEndian, RLELossless, JPEGLSLossless, JPEG2000Lossless)
        ):

            def pack(ds: object, _: int, syntax: str = syntax) -> None:
                if syntax != ExplicitVRLittleEndian:
                    series.compress(ds, syntax)

            folder = series.write(Path(aside, str(k)), pack, n=3, syntax=syntax)
            yield bytes((0,)) + (folder / "001").read_bytes()
        path = series.save(series.enhanced(3), Path(aside, "multi"))
        yield bytes((2,)) + path.read_bytes()
    for path in sorted((data / "formats").rglob("*.dcm")):
        whole = path.read_bytes()
        elements = header_elements(whole)
        end = elements[-1][2] if elements else 4000
        yield bytes((0,)) + whole[: end + 3000]
        if len(whole) < 20_000:
            yield bytes((1,)) + whole
    yield bytes((3,)) + (data / "formats/gantry_tilt/philips/S2010/DIRFILE").read_bytes()
    cip = _piece(data / "cip/ct-64-dicom", 3)
    yield bytes((0,)) + cip["01"]
    yield bytes((4,)) + _zipped(cip)
    for kind, files in zip(
        (5, 8, 6, 7), _volume_files(data / "cip/ct-64.nrrd").values(), strict=True
    ):
        yield bytes((kind,)) + next(iter(files.values()))


def run_guided(data: Path, minutes: float, keep: Path) -> None:
    """Let coverage guide the damage; libFuzzer stops at the first failure and leaves its input."""
    import atheris

    import qct.kernels.pixels

    with atheris.instrument_imports(include=["pydicom", "qct.read", "qct.cli"]):
        import pydicom  # noqa: F401

        import qct.cli.analyze
        import qct.read  # noqa: F401
    corpus = keep / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for n, seed in enumerate(small_seeds(data)):
        (corpus / f"seed-{n:03d}").write_bytes(seed)
    from tests.read import series

    room = Path(tempfile.mkdtemp(prefix="fuzz-"))
    series.write(room / "good", n=3)
    good = {p.name: p.read_bytes() for p in (room / "good").iterdir()}
    found = keep / "found"
    found.mkdir(exist_ok=True)

    def target(case: bytes) -> None:
        kind = KINDS[case[0] % len(KINDS)] if case else "alone"
        files = {kind: case[1:]}
        if kind == "slice":
            files = good | {"001": case[1:]}
        folder = room / "scan"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        path, started = put(files, folder), time.monotonic()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                check(path, room / "out", at_the_door=case[-1:] < b"\x20")
            assert time.monotonic() - started < MOST_SECONDS, "too slow"
        except Exception:
            place = traceback.format_exc()
            known = found / f"{abs(hash(place[-300:])) % 10**8}"
            known.with_suffix(".bin").write_bytes(case)
            known.with_suffix(".txt").write_text(place)

    def mutator(case: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if len(case) > 200 and chance.random() < 0.5:
            return (case[:1] + chance.choice(DAMAGES)(case[1:], chance))[:most]
        return atheris.Mutate(case, most)

    options = [
        f"-max_total_time={minutes * 60:.0f}",
        "-max_len=60000",
        "-timeout=60",
        "-rss_limit_mb=3000",
        f"-artifact_prefix={keep}/",
        "-print_final_stats=1",
        str(corpus),
    ]
    atheris.Setup([sys.argv[0], *options], target, custom_mutator=mutator)
    atheris.Fuzz()


def main() -> None:
    """Run one of the two ways."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--guided", type=float, metavar="MINUTES")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-read"))
    args = parser.parse_args()
    args.keep.mkdir(parents=True, exist_ok=True)
    if args.guided:
        run_guided(args.data, args.guided, args.keep)
        return
    ends = run_cases(args.data, range(args.first, args.first + args.cases), args.keep)
    os._exit(1 if ends["FAILED"] else 0)


if __name__ == "__main__":
    main()
