from dataclasses import replace
from datetime import UTC, datetime

import pytest

from qct.signature import Signature, SignedStatement

WHEN = datetime(2024, 3, 5, 16, 20, tzinfo=UTC)
SIGNED = Signature(
    interpretation="Mild emphysema of both upper lobes.",
    impression="Mild emphysema.",
    signer="Roe, Jane",
    credentials="MD",
    organization="General Hospital",
    signed_at=WHEN,
    digests={"analysis.json": "ab" * 32},
    statements=(SignedStatement(key="laa", drafted="LAA-950 is 12.3 %.", text="LAA-950: 12.3 %."),),
)
APPENDED = SIGNED.with_addendum(
    "Seen beside the prior.", author="Poe, Ann", credentials="MD", written_at=WHEN
).with_addendum("Read again.", author="Roe, Jane", credentials="MD", written_at=WHEN)


def test_a_signature_comes_back_from_its_record_as_it_was():
    assert Signature.from_dict(APPENDED.as_dict()) == APPENDED


@pytest.mark.parametrize(
    "change",
    [
        {"interpretation": "No emphysema."},
        {"impression": ""},
        {"signer": "Poe, Ann"},
        {"credentials": "PhD"},
        {"organization": ""},
        {"signed_at": datetime(2024, 3, 6, tzinfo=UTC)},
        {"digests": {"analysis.json": "cd" * 32}},
        {"statements": ()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_part_of_what_was_signed_moves_its_digest(change):
    assert replace(SIGNED, **change).content_sha256 != SIGNED.content_sha256


def test_an_addendum_leaves_the_digest_of_what_was_signed():
    assert APPENDED.content_sha256 == SIGNED.content_sha256
    assert APPENDED.last_sha256 != SIGNED.last_sha256


@pytest.mark.parametrize(
    "tamper",
    [
        lambda record: record | {"interpretation": "No emphysema."},
        lambda record: record | {"addenda": record["addenda"][1:]},
        lambda record: record | {"addenda": record["addenda"][::-1]},
        lambda record: (
            record | {"addenda": [record["addenda"][0] | {"text": "."}, record["addenda"][1]]}
        ),
        lambda record: {key: value for key, value in record.items() if key != "digests"},
        lambda record: record | {"signed_at": None},
        lambda record: record | {"statements": [{"key": "laa"}]},
    ],
    ids=["words", "first gone", "turned", "addendum words", "no digests", "no time", "layout"],
)
def test_a_record_that_was_changed_is_refused(tamper):
    with pytest.raises(ValueError, match=r"digest|follow|layout"):
        Signature.from_dict(tamper(APPENDED.as_dict()))


@pytest.mark.parametrize("field", ["interpretation", "signer", "credentials"])
def test_nothing_is_signed_without_words_name_and_credentials(field):
    with pytest.raises(ValueError, match="without"):
        replace(SIGNED, **{field: "  "})


def test_a_time_needs_its_offset():
    with pytest.raises(ValueError, match="offset"):
        replace(SIGNED, signed_at=datetime(2024, 3, 5))  # noqa: DTZ001


def test_a_statement_knows_whether_it_was_edited():
    assert SIGNED.statements[0].is_edited
    assert not replace(SIGNED.statements[0], text=SIGNED.statements[0].drafted).is_edited
