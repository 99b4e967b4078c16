"""Who answers for a report: the interpretation that a physician signed, and what was appended later.

A signature is bound to its content: `Signature.content_sha256` covers the digests of the files that lay
before the signer, the words that were signed, and who signed when. Nothing signed is changed; an `Addendum`
is appended, each bound to what it follows. The digests show a change that was made by mistake or in secret;
they do not prove who made it, as a cryptographic certificate would.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

SIGNED_FILES = ("analysis.json", "labels.nii.gz", "measurements.csv", "report.json")
"""Files of a result folder that a signature covers; the report that people read is set from them."""

SCHEMA = {"name": "qct-signature", "version": "1.0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedStatement:
    """A drafted statement that the signer took over.

    Attributes
    ----------
    key : str
        Name of the rule that drafted it.
    drafted : str
        What the software wrote.
    text : str
        What was signed.
    """

    key: str
    drafted: str
    text: str

    @property
    def is_edited(self) -> bool:
        """Whether the signer changed the words."""
        return self.text != self.drafted


@dataclass(frozen=True, slots=True, kw_only=True)
class Addendum:
    """Words appended to a signed report.

    Attributes
    ----------
    written_at : datetime
        With its offset from UTC.
    previous_sha256 : str
        `Signature.content_sha256`, or `sha256` of the addendum before.
    """

    text: str
    author: str
    credentials: str
    written_at: datetime
    previous_sha256: str

    def __post_init__(self) -> None:
        _check(self.text, self.author, self.credentials, self.written_at)

    @property
    def sha256(self) -> str:
        """Digest of these words and of all that they follow."""
        return digest_of(
            {
                "text": self.text,
                "author": self.author,
                "credentials": self.credentials,
                "written_at": self.written_at.isoformat(),
                "previous_sha256": self.previous_sha256,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The interpretation of one result, who signed it, and what exactly was signed.

    Attributes
    ----------
    interpretation : str
        The physician's words; paragraphs are parted by an empty line.
    impression : str
        The summary that is read first; empty if the interpretation says it all.
    signer : str
        ``Family, Given``, or a DICOM person name ``Family^Given``.
    credentials : str
        Such as ``MD``.
    signed_at : datetime
        With its offset from UTC.
    digests : mapping
        SHA-256 of every one of `SIGNED_FILES`, by file name.
    organization : str
        For whom the signer answers; empty if nobody has said so.
    statements : tuple of SignedStatement
        Drafted statements that the signer accepted, with or without edits.
    addenda : tuple of Addendum
        In the order in which they were written.
    """

    interpretation: str
    signer: str
    credentials: str
    signed_at: datetime
    digests: Mapping[str, str]
    impression: str = ""
    organization: str = ""
    statements: tuple[SignedStatement, ...] = ()
    addenda: tuple[Addendum, ...] = ()

    def __post_init__(self) -> None:
        _check(self.interpretation, self.signer, self.credentials, self.signed_at)
        previous = self.content_sha256
        for one in self.addenda:
            if one.previous_sha256 != previous:
                msg = f"the addendum of {one.written_at.isoformat()} does not follow what is before it"
                raise ValueError(msg)
            previous = one.sha256

    @property
    def content_sha256(self) -> str:
        """Digest of everything that was signed; addenda are not part of it."""
        return digest_of(
            {
                "interpretation": self.interpretation,
                "impression": self.impression,
                "signer": self.signer,
                "credentials": self.credentials,
                "organization": self.organization,
                "signed_at": self.signed_at.isoformat(),
                "digests": dict(self.digests),
                "statements": [_statement(one) for one in self.statements],
            }
        )

    @property
    def last_sha256(self) -> str:
        """What the next addendum follows."""
        return self.addenda[-1].sha256 if self.addenda else self.content_sha256

    def with_addendum(
        self, text: str, *, author: str, credentials: str, written_at: datetime
    ) -> Self:
        """Append words; what was signed stays as it is."""
        appended = Addendum(
            text=text,
            author=author,
            credentials=credentials,
            written_at=written_at,
            previous_sha256=self.last_sha256,
        )
        return replace(self, addenda=(*self.addenda, appended))

    def as_dict(self) -> dict[str, Any]:
        """Return what ``signature.json`` holds, as plain dictionaries, lists and strings."""
        return {
            "schema": SCHEMA,
            "interpretation": self.interpretation,
            "impression": self.impression,
            "signer": self.signer,
            "credentials": self.credentials,
            "organization": self.organization,
            "signed_at": self.signed_at.isoformat(),
            "digests": dict(self.digests),
            "statements": [_statement(one) for one in self.statements],
            "content_sha256": self.content_sha256,
            "addenda": [
                {
                    "text": one.text,
                    "author": one.author,
                    "credentials": one.credentials,
                    "written_at": one.written_at.isoformat(),
                    "previous_sha256": one.previous_sha256,
                    "sha256": one.sha256,
                }
                for one in self.addenda
            ],
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Read back what `as_dict` made.

        Raises
        ------
        ValueError
            If a digest does not fit what it is a digest of, or the layout is another.
        """
        try:
            signature = cls(
                interpretation=record["interpretation"],
                impression=record["impression"],
                signer=record["signer"],
                credentials=record["credentials"],
                organization=record["organization"],
                signed_at=datetime.fromisoformat(record["signed_at"]),
                digests=dict(record["digests"]),
                statements=tuple(SignedStatement(**one) for one in record["statements"]),
                addenda=tuple(_addendum(one) for one in record["addenda"]),
            )
            if record["content_sha256"] != signature.content_sha256:
                msg = "content_sha256 is not the digest of the signed content"
                raise ValueError(msg)
        except (KeyError, TypeError, AttributeError) as error:
            msg = "the signature does not have the layout of this version"
            raise ValueError(msg) from error
        return signature


def digest_of(content: bytes | Mapping[str, Any]) -> str:
    """Return the SHA-256 of bytes, or of a table written as JSON with sorted keys, in hexadecimal."""
    if not isinstance(content, bytes):
        content = json.dumps(content, sort_keys=True, ensure_ascii=False).encode()
    return hashlib.sha256(content).hexdigest()


def _statement(one: SignedStatement) -> dict[str, str]:
    return {"key": one.key, "drafted": one.drafted, "text": one.text}


def _addendum(record: Mapping[str, Any]) -> Addendum:
    values = {key: value for key, value in record.items() if key not in ("written_at", "sha256")}
    addendum = Addendum(written_at=datetime.fromisoformat(record["written_at"]), **values)
    if record["sha256"] != addendum.sha256:
        msg = "sha256 of an addendum is not the digest of its words"
        raise ValueError(msg)
    return addendum


def _check(text: str, who: str, credentials: str, when: datetime) -> None:
    """Refuse words without an author, an author without words, and a time that could be anywhere."""
    for name, value in (("text", text), ("name", who), ("credentials", credentials)):
        if not value.strip():
            msg = f"a signature or addendum without {name}"
            raise ValueError(msg)
    if when.tzinfo is None:
        msg = f"the time {when.isoformat()} has no offset from UTC"
        raise ValueError(msg)
