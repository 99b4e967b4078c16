"""From an `Analysis` to a report that a physician edits and signs."""

from qct.report.build import build
from qct.report.document import Document
from qct.report.html import write_html
from qct.report.pdf import write_pdf

__all__ = ["Document", "build", "write_html", "write_pdf"]
