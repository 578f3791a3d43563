"""`bouted check` says that a config is fine, or everything that is wrong with it."""

from pathlib import Path

import pytest

from bouted.cli.main import run

GOOD = """\
version: 1
deployment: prod
budget: {usd_per_hour: 25}
targets: {e2e_p95_s: 12, quality_min: 0.8}
models:
  - {name: small, spec: llama-3.1-8b}
  - {name: large, spec: llama-3.1-70b}
workload: {rate_per_s: 4, prompt_tokens: 300, output_tokens: 120}
routing: {synthetic: true}
"""

Captured = pytest.CaptureFixture[str]


def test_a_good_config_is_one_line(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "bouted.yaml"
    file.write_text(GOOD)
    assert run(["check", str(file)]) == 0
    assert capsys.readouterr().out == "bouted.yaml: ok (2 models, 1 price source, mode advise)\n"


def test_a_bad_config_is_a_line_for_each_problem(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "bouted.yaml"
    file.write_text(GOOD.replace("llama-3.1-8b", "llama-3.1-9b").replace("usd_per_hour", "usd_per_hr"))
    assert run(["check", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    errors = [line for line in said.err.splitlines() if line.startswith("error: bouted.yaml:")]
    assert len(errors) >= 2
    assert any("usd_per_hr" in line and "did you mean usd_per_hour?" in line for line in errors)
    assert any("llama-3.1-9b" in line for line in errors)


def test_without_a_file_the_config_in_use_is_checked(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(GOOD)
    assert run(["--config", str(file), "check"]) == 0
    assert capsys.readouterr().out.startswith("other.yaml: ok")


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: Captured) -> None:
    assert run(["check", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("prices: {sources: [{name: file, paht: mine.csv}]}", "prices.sources.file.paht: no such option"),
        ("alerts: {slack: {webhook_file: empty}}", "holds no Slack webhook"),
    ],
    ids=["an option that its price source does not know", "a webhook file without a webhook"],
)
def test_a_config_is_checked_as_far_as_its_plug_ins_and_files(
    section: str, said: str, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "empty").write_text("")
    file = tmp_path / "bouted.yaml"
    file.write_text(GOOD + section + "\n")
    assert run(["check", str(file)]) == 1
    assert said in capsys.readouterr().err
