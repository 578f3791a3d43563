"""What goes wrong is one clear line and a hint on stderr, exit 1; only bugs have tracebacks."""

import subprocess
import sys
from pathlib import Path

import pytest

from bouted.cli.faults import told
from bouted.cli.main import run
from bouted.config.problems import ConfigErrors, Problem
from bouted.errors import BoutedError, Retryable

Captured = pytest.CaptureFixture[str]


def raises(error: Exception) -> None:
    raise error


def test_an_error_is_a_line_and_a_hint_and_exit_1(capsys: Captured) -> None:
    error = Retryable("the store is locked", after_s=1.0, hint="another process is writing")
    assert told(lambda: raises(error)) == 1
    said = capsys.readouterr()
    assert said.err == "error: the store is locked\nhint: another process is writing\n"
    assert said.out == ""


def test_an_error_without_a_hint_is_one_line(capsys: Captured) -> None:
    assert told(lambda: raises(BoutedError("no"))) == 1
    assert capsys.readouterr().err == "error: no\n"


def test_every_problem_of_a_config_is_told_on_its_own_line(capsys: Captured) -> None:
    problems = (
        Problem(path="budget.usd", message="unknown key", hint="did you mean usd_per_hour?", line=3),
        Problem(path="models", message="is missing"),
    )
    assert told(lambda: raises(ConfigErrors("bouted.yaml", problems))) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: bouted.yaml:3 budget.usd: unknown key (did you mean usd_per_hour?)",
        "error: bouted.yaml models: is missing",
    ]


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        told(lambda: 1 / 0)


def test_ctrl_c_is_no_error_message(capsys: Captured) -> None:
    assert told(lambda: raises(KeyboardInterrupt())) == 130  # type: ignore[arg-type]
    assert capsys.readouterr().err == "\n"


@pytest.mark.parametrize(
    ("args", "error", "hint"),
    [
        (["statsu"], "there is no command 'statsu', did you mean 'status'?", "bouted --help"),
        (["frobnicate"], "there is no command 'frobnicate'", "bouted --help"),
        (["status", "--jsn"], "No such option: --jsn", "bouted status --help"),
        (["history", "--since", "7x"], "Invalid value for '--since'", "bouted history --help"),
        (["--nope"], "No such option: --nope", "bouted --help"),
    ],
    ids=["a slip", "nonsense", "an unknown option", "a wrong span", "an unknown global option"],
)
def test_a_wrong_command_line_is_told_like_any_error(
    args: list[str], error: str, hint: str, capsys: Captured
) -> None:
    assert run(args) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith(f"error: {error}")
    assert said[1] == f"hint: {hint}"


def test_without_a_command_the_help_is_shown(capsys: Captured) -> None:
    assert run([]) == 0
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["status", "history", "prices", "pause", "resume", "apply"])
def test_where_there_is_no_deployment_a_command_says_so_and_makes_none(
    command: str, tmp_path: Path, capsys: Captured
) -> None:
    state = tmp_path / "none"
    assert run(["--state", str(state), command]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"error: {state}: no deployment here yet"
    assert said[1].startswith("hint: ")
    assert not state.exists()


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m bouted.cli --help | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
