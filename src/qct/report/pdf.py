"""A `Document` as PDF, set by Typst: fonts embedded, no network, no system packages."""

import json
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from qct.report.document import Block, Document, Figure, Slot, Table

ARCHIVE: Literal["a-2a"] = "a-2a"
"""PDF/A-2a (ISO 19005-2): for archives, with fonts inside, tagged for who cannot see it."""

TAGGED: Literal["ua-1"] = "ua-1"
"""PDF/UA-1 (ISO 14289-1): tagged; what is left of the standard where there is no date, which PDF/A asks for."""

TYPST_PAPERS = {"a4": "a4", "letter": "us-letter"}


def write_pdf(document: Document) -> bytes:
    """Return the file, PDF/A-2a where the document has a date. Its metadata has title and date, no patient."""
    import typst

    fonts = as_file(files("qct").joinpath("fonts"))
    with TemporaryDirectory(prefix="qct-") as name, fonts as font_folder:
        folder = Path(name)
        content = {
            "title": document.title,
            "language": document.language,
            "paper": TYPST_PAPERS[document.paper],
            "banner": document.banner,
            "watermark": document.watermark,
            "footer": document.footer,
            "identity": document.identity,
            "dated": document.dated,
            "blocks": [_plain(block, folder) for block in document.blocks],
        }
        (folder / "document.json").write_text(json.dumps(content), "utf-8")
        source = files("qct.report").joinpath("templates", "report.typ").read_bytes()
        (folder / "report.typ").write_bytes(source)
        made: bytes = typst.compile(
            str(folder / "report.typ"),
            font_paths=[str(font_folder)],
            ignore_system_fonts=True,
            pdf_standards=ARCHIVE if document.dated else TAGGED,
        )
    return made


def _plain(block: Block, folder: Path) -> dict[str, Any]:
    """Turn a block into what JSON can hold; pictures go into files beside it."""
    values: dict[str, Any] = {"kind": type(block).__name__}
    if isinstance(block, Slot):
        return values | {"blocks": [_plain(one, folder) for one in block.blocks]}
    if isinstance(block, Figure):
        (folder / f"{block.name}.png").write_bytes(block.png)
        return values | {
            "path": f"{block.name}.png",
            "caption": block.caption,
            "alternative": block.alternative,
            "width": block.width_percent,
            "least": block.least_percent,
        }
    values |= asdict(block)
    if isinstance(block, Table):
        values |= {"strong": sorted(block.strong), "words": sorted(block.words)}
    return values
