"""From a draft and a signature to the signed report. What was measured is not touched."""

from dataclasses import replace

from qct.report.document import Box, Bullets, Document, Facts, Heading, Paragraph, Plain
from qct.report.wording import Wording, load_wording
from qct.signature import Addendum, Signature


def signed(draft: Document, signature: Signature) -> Document:
    """Put the physician's words where the draft left room, and take off the mark of a draft."""
    say = load_wording(draft.language)
    return replace(
        draft.filled(
            impression=(_impression(signature, say),),
            interpretation=_interpretation(signature, say),
        ),
        banner=say("banner_signed"),
        watermark="",
        dated=signature.signed_at.date().isoformat(),
        footer=say("footer_signed", who=readable_name(signature.signer), when=_when(signature)),
    )


def readable_name(name: str) -> str:
    """Turn a DICOM person name into words: the first group, family name first.

    >>> readable_name("Roe^Jane^^Dr")
    'Roe, Jane Dr'
    """
    family, _, rest = name.split("=")[0].partition("^")
    return ", ".join(
        part for part in (family.strip(), " ".join(rest.replace("^", " ").split())) if part
    )


def _impression(signature: Signature, say: Wording) -> Box:
    words = paragraphs(signature.impression or signature.interpretation)
    n = len(signature.addenda)
    note = say("signed.addenda_follow", n=n) if n else ""
    who = f"{readable_name(signature.signer)}, {signature.credentials}"
    return Box("signed", say("signed.impression", who=who, when=_when(signature)), words, note)


def _interpretation(signature: Signature, say: Wording) -> tuple[Plain, ...]:
    blocks: list[Plain] = [
        Heading(say("headings.interpretation")),
        *map(Paragraph, paragraphs(signature.interpretation)),
    ]
    if signature.impression:
        blocks += [
            Heading(say("interpretation.impression")),
            *map(Paragraph, paragraphs(signature.impression)),
        ]
    if signature.statements:
        blocks += [
            Paragraph(say("signed.statements")),
            Bullets(tuple(one.text for one in signature.statements)),
        ]
    rows = (
        ("signer", readable_name(signature.signer)),
        ("credentials", signature.credentials),
        ("organization", signature.organization),
        ("signed_at", _when(signature)),
    )
    blocks += [
        Facts(tuple((say(f"signed.{key}"), value) for key, value in rows if value)),
        Paragraph(say("signed.content", digest=signature.content_sha256)),
    ]
    for number, one in enumerate(signature.addenda, start=1):
        blocks += _addendum(number, one, say)
    return tuple(blocks)


def _addendum(number: int, one: Addendum, say: Wording) -> list[Plain]:
    rows = (
        ("author", readable_name(one.author)),
        ("credentials", one.credentials),
        ("written_at", _moment(one.written_at)),
    )
    return [
        Heading(say("signed.addendum", n=number)),
        *map(Paragraph, paragraphs(one.text)),
        Facts(tuple((say(f"signed.{key}"), value) for key, value in rows)),
        Paragraph(say("signed.content", digest=one.sha256)),
    ]


def paragraphs(text: str) -> tuple[str, ...]:
    """Part a text at empty lines; a line break within a paragraph becomes a blank."""
    parts = "\n".join(line.strip() for line in text.splitlines()).split("\n\n")
    return tuple(" ".join(part.split()) for part in parts if part.strip())


def _when(signature: Signature) -> str:
    return _moment(signature.signed_at)


def _moment(when: object) -> str:
    return f"{when:%Y-%m-%d %H:%M %z}"
