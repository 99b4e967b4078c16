"""A `Document` as PDF, set by Typst: fonts embedded, no network, no system packages."""

import json
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from qct.report.document import Block, Document, Figure, Table


def write_pdf(document: Document) -> bytes:
    """Return the file, for A4."""
    import typst

    resources = files("qct.report")
    with TemporaryDirectory(prefix="qct-") as name, as_file(resources.joinpath("fonts")) as fonts:
        folder = Path(name)
        blocks = [_plain(block, folder) for block in document.blocks]
        content = {
            "title": document.title,
            "language": document.language,
            "banner": document.banner,
            "footer": document.footer,
            "identity": document.identity,
            "blocks": blocks,
        }
        (folder / "document.json").write_text(json.dumps(content), "utf-8")
        source = resources.joinpath("templates", "report.typ").read_bytes()
        (folder / "report.typ").write_bytes(source)
        made: bytes = typst.compile(str(folder / "report.typ"), font_paths=[str(fonts)])
    return made


def _plain(block: Block, folder: Path) -> dict[str, Any]:
    """Turn a block into what JSON can hold; pictures go into files beside it."""
    values: dict[str, Any] = {"kind": type(block).__name__}
    if isinstance(block, Figure):
        (folder / f"{block.name}.png").write_bytes(block.png)
        return values | {
            "path": f"{block.name}.png",
            "caption": block.caption,
            "width": block.width_percent,
        }
    values |= asdict(block)
    if isinstance(block, Table):
        values["strong"] = sorted(block.strong)
    return values
