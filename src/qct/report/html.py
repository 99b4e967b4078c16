"""A `Document` as one self-contained HTML file."""

import re
from base64 import b64decode, b64encode
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from qct.report.document import Document


def write_html(document: Document) -> bytes:
    """Return the file: UTF-8, no network, pictures inside; prints on A4 and Letter."""
    return template("report.html").render(document=document).encode()


def pictures_of(page: bytes) -> list[bytes]:
    """Return the pictures that `write_html` put into a page, in their order."""
    return [b64decode(one) for one in re.findall(rb'src="data:image/png;base64,([^"]*)"', page)]


@cache
def template(name: str) -> Template:
    """Load a template of this package."""
    environment = Environment(
        loader=PackageLoader("qct.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda data: b64encode(data).decode()
    environment.filters["kind"] = lambda block: type(block).__name__
    return environment.get_template(name)
