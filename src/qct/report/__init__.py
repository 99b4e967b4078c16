"""From an `Analysis` to a report that a physician edits and signs."""

from qct.report.build import build
from qct.report.document import Document
from qct.report.html import write_html
from qct.report.pdf import write_pdf
from qct.report.signed import signed
from qct.report.stored import document_from, document_json
from qct.report.text import write_text

__all__ = [
    "Document",
    "build",
    "document_from",
    "document_json",
    "signed",
    "write_html",
    "write_pdf",
    "write_text",
]
