"""Nothing of the patient is left in a folder that `qct export --deidentify` wrote, nor in what it printed."""

import base64
import gzip
import io
import re
import zlib

import pymupdf
import pytest
from PIL import Image
from tests.export.analysis_builder import analysis_of, read_bytes, signed
from tests.export.test_deidentify import needles, plant, unpacked
from tests.read import series

from qct.cli import main
from qct.export import write_folder
from qct.pipeline import results
from qct.read import read_scan

pytest.importorskip("highdicom")
FORMATS = "seg,sr,sc,pdf,pm,fhir,hl7,csv,parquet,json,nifti,report"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A de-identified and a plain export of one planted scan, in folders with telling names."""
    top = tmp_path_factory.mktemp("Plantedpath")
    source = series.write(top / "in", plant)
    analysis = signed(analysis_of(read_scan(source)))
    write_folder(top / "result", results(analysis))
    return top, source


def export(exported, out, *more):
    top, source = exported
    args = ["export", str(top / "result"), "--source", str(source), "-o", str(out)]
    assert main([*args, "--format", FORMATS, *more]) == 0
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file()
    }


def every_text(content):
    """All that can be read out of a file: unpacked, decoded, and as a PDF or picture reader reads it."""
    for part in unpacked(content):
        yield part
        if part[:5] == b"%PDF-":
            yield from pdf_texts(part)
        if part[:4] == b"\x89PNG":
            yield repr(Image.open(io.BytesIO(part)).info).encode()
        for packed in re.findall(rb"base64,([A-Za-z0-9+/=]+)", part):
            yield from every_text(base64.b64decode(packed))


def pdf_texts(content):
    with pymupdf.open(stream=content, filetype="pdf") as document:
        yield repr(document.metadata).encode()
        yield document.get_xml_metadata().encode()
        for number in range(1, document.xref_length()):
            yield document.xref_object(number).encode()
            if document.xref_is_stream(number):
                yield document.xref_stream(number) or b""
        for page in document:
            yield page.get_text().encode()


def found(files, words):
    return {
        (name, word)
        for name, content in files.items()
        for part in every_text(content)
        for word in words
        if word.lower() in part.lower()
    }


def test_no_planted_word_is_in_any_file_its_name_or_the_output(exported, tmp_path, capsys):
    words = needles(exported[1]) | {b"muster", b"moderate emphysema"}
    files = export(exported, tmp_path / "out", "--deidentify")
    told = capsys.readouterr()
    assert found(files, words) == set()
    printed = (told.out + told.err).replace(str(tmp_path), "")
    assert not [w for w in words if w.decode().lower() in (" ".join(files) + printed).lower()]
    assert len(files) == 14


def test_the_search_reads_every_kind_of_file(exported, tmp_path):
    """The same search finds the patient in every plain file that names one."""
    files = export(exported, tmp_path / "out")
    words = needles(exported[1]) - {b"Plantedpath"}
    silent = set(files) - {name for name, _ in found(files, words)}
    assert silent <= {"measurements.csv", "measurements.parquet", "labels.nii.gz"}


def test_the_search_looks_into_what_is_packed():
    word = b"Plantedname"
    stream = zlib.compress(b"xx" + word)
    pdf = b"1 0 obj\n<<>>\nstream\n" + stream + b"\nendstream"
    for content in (gzip.compress(word), pdf, base64.b64encode(b"x" * 200 + word)):
        assert found({"one": content}, {word})


def test_dates_move_together_in_every_file(exported, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(32)))
    files = export(exported, tmp_path / "out", "--deidentify", "--secret", str(secret))
    days = {read_bytes(c).StudyDate for name, c in files.items() if name.endswith(".dcm")}
    assert len(days) == 1
    day = days.pop()
    assert f"{day[:4]}-{day[4:6]}-{day[6:]}".encode() in files["fhir.json"]
