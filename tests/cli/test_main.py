import json
from contextlib import nullcontext

import pytest

from qct import cli
from qct.errors import QctError, ReadError, SegmentError, WriteError


@pytest.fixture
def refusing(monkeypatch):
    """A `qct` with one command, which raises what it is given."""

    def refuse_with(error, **parsed):
        class Parser:
            def parse_args(self, argv):
                def run(args):
                    raise error

                return type("Args", (), {"run": staticmethod(run), **parsed})

        monkeypatch.setattr(cli, "build_parser", Parser)

    return refuse_with


@pytest.mark.parametrize("kind", [QctError, ReadError, SegmentError, WriteError])
def test_a_refusal_is_a_sentence_a_hint_and_an_exit_code(kind, refusing, capsys):
    refusing(kind("no CT image in 3 files", hint="Hand in the folder of the series."))
    assert cli.main([]) == kind.exit_code
    told = capsys.readouterr()
    assert told.err == "qct: no CT image in 3 files\nhint: Hand in the folder of the series.\n"
    assert told.out == ""


def test_a_machine_gets_the_refusal_as_json_on_stdout(refusing, capsys):
    refusing(ReadError("no CT image", hint="Hand in another folder."), json=True)
    cli.main([])
    assert json.loads(capsys.readouterr().out) == {
        "error": {"kind": "ReadError", "message": "no CT image", "hint": "Hand in another folder."},
        "exit_code": 3,
    }


def test_an_interrupted_run_says_so_and_returns_130(refusing, capsys):
    refusing(KeyboardInterrupt())
    assert cli.main([]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_fault_of_ours_is_named_without_a_traceback_or_patient_data(
    refusing, capsys, monkeypatch
):
    monkeypatch.delenv("QCT_DEBUG", raising=False)
    refusing(ValueError("Doe^Jane"))
    assert cli.main([]) == 1
    told = capsys.readouterr().err
    assert "a fault of qct itself: ValueError in main, line" in told
    assert "Doe" not in told
    assert "Traceback" not in told


def test_a_fault_of_ours_shows_its_traceback_when_asked(refusing, monkeypatch):
    monkeypatch.setenv("QCT_DEBUG", "1")
    refusing(ValueError("bad"))
    with pytest.raises(ValueError, match="bad"):
        cli.main([])


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit) as done:
        cli.main(["--help"])
    assert done.value.code == 0
    shown = capsys.readouterr().out
    assert all(name.replace("_", "-") in shown for name in cli.COMMANDS)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as done:
        cli.main([command.replace("_", "-"), "--help"])
    assert done.value.code == 0
    assert "usage: qct" in capsys.readouterr().out


def test_wrong_arguments_end_with_2():
    with pytest.raises(SystemExit) as done:
        cli.main(["no-such-command"])
    assert done.value.code == 2


ABSENT = (
    ["analyze", "absent", "-o", "out"],
    ["inspect", "absent"],
    ["segment", "absent", "-o", "out.nii.gz"],
    ["batch", "absent", "-o", "out"],
    ["batch", "absent.csv", "-o", "out"],
    ["compare", "absent", "absent", "-o", "out"],
    ["coding", "absent"],
    ["cohort", "absent", "--by", "group"],
    ["export", "absent", "--source", "absent", "-o", "out"],
    ["import-labels", "absent", "absent.nii", "-o", "out"],
    ["send", "absent", "--to", "dicom://A@localhost:1", "--spool", "out"],
    ["sign", "absent", "--check"],
    ["sign", "absent", "--statements"],
    ["sign", "absent", "--interpretation", "absent.txt", "--signer", "A", "--credentials", "MD"],
)


@pytest.mark.parametrize("words", ABSENT, ids=" ".join)
def test_what_is_not_there_is_named_and_nothing_is_written(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("qct.kernels.ahead.compile_beside", lambda threads: nullcontext())
    assert cli.main(words) == ReadError.exit_code
    told = capsys.readouterr().err
    assert "absent" in told
    assert "hint: " in told
    assert not list(tmp_path.iterdir())


def test_every_command_is_listed_in_one_form():
    (listed,) = cli.build_parser()._subparsers._group_actions
    helps = [one.help for one in listed._choices_actions]
    assert len(helps) == len(cli.COMMANDS)
    assert not [told for told in helps if told[0].isupper() or told.endswith(".")]
