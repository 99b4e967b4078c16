import pytest

from qct.errors import WriteError
from qct.worklist import Entry, State, Worklist


def test_what_is_known_of_a_study_survives_a_new_plan_and_a_new_process(tmp_path):
    with Worklist(tmp_path / "l.sqlite") as ledger:
        ledger.plan([Entry(key="a", source="a", signature="1")])
        ledger.finish(Entry(key="a", source="a", signature="1", state=State.DONE, made_of="1"))
    with Worklist(tmp_path / "l.sqlite") as ledger:
        ledger.plan([Entry(key="a", source="a", signature="2", covariates={"age": "3"})])
        (one,) = ledger.planned()
    assert (one.state, one.made_of, one.signature) == (State.DONE, "1", "2")
    assert one.covariates == {"age": "3"}


def test_a_study_that_is_no_longer_meant_is_not_listed(tmp_path):
    with Worklist(tmp_path / "l.sqlite") as ledger:
        ledger.plan([Entry(key="a", source="a", signature="1")])
        ledger.plan([Entry(key="b", source="b", signature="1")])
        assert [one.key for one in ledger.planned()] == ["b"]


def test_what_was_found_is_forgotten_when_the_place_changes(tmp_path):
    with Worklist(tmp_path / "l.sqlite") as ledger:
        ledger.keep_found("p", "1", [1])
        assert ledger.found("p", "1") == [1]
        assert ledger.found("p", "2") is None


def test_a_ledger_taken_away_is_noticed(tmp_path):
    with Worklist(tmp_path / "l.sqlite") as ledger:
        (tmp_path / "l.sqlite").unlink()
        with pytest.raises(WriteError):
            ledger.plan([])
