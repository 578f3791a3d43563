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


GATED = "meta-llama/Llama-3.1-8B-Instruct is gated and there is no token"
HINT = "(hf_token_file names a file with a token that may read it)"
SKYPILOT = "launcher: {name: skypilot, options: {%s}}\n"
LOCAL = "launcher: {name: local, options: {%s}}\n"


def said_of(text: str, folder: Path, capsys: Captured) -> list[str]:
    """What is wrong with a config of this text, without "error: "; nothing: it is fine."""
    file = folder / "bouted.yaml"
    file.write_text(text)
    code = run(["check", str(file)])
    lines = capsys.readouterr().err.splitlines()
    assert (code == 0) == (not lines)
    return [line.removeprefix("error: ") for line in lines]


@pytest.mark.parametrize("launcher", [SKYPILOT % "", LOCAL % "engines: {}"], ids=["skypilot", "local"])
def test_weights_with_a_licence_need_a_token_before_anything_is_rented(
    launcher: str, tmp_path: Path, capsys: Captured
) -> None:
    lines = said_of(GOOD + launcher, tmp_path, capsys)
    assert lines[0] == f"bouted.yaml:6 models[0].weights: {GATED} {HINT}"
    assert [line.partition(" is gated")[0] for line in lines[1:]] == [
        "bouted.yaml:7 models[1].weights: meta-llama/Llama-3.1-70B-Instruct"
    ]
    (tmp_path / "token").write_text("hf_x\n")
    token = f"hf_token_file: {tmp_path / 'token'}"
    with_token = SKYPILOT if launcher.startswith("launcher: {name: skypilot") else LOCAL
    assert said_of(GOOD + with_token % f"engines: {{{token}}}", tmp_path, capsys) == []


@pytest.mark.parametrize(
    "launcher",
    ["", LOCAL % "boot_s: 2", LOCAL % "engines: {vllm: {program: [/bin/true]}}"],
    ids=["no launcher named", "paced engines", "a program that fetches nothing"],
)
def test_engines_that_fetch_nothing_need_no_token(launcher: str, tmp_path: Path, capsys: Captured) -> None:
    assert said_of(GOOD + launcher, tmp_path, capsys) == []


def test_weights_of_ones_own_need_no_token_and_each_engine_has_its_own_options(
    tmp_path: Path, capsys: Captured
) -> None:
    text = GOOD.replace("spec: llama-3.1-8b", "spec: llama-3.1-8b, weights: s3://ours/llama")
    text = text.replace("spec: llama-3.1-70b", "spec: llama-3.1-70b, engine: sglang")
    assert said_of(text + LOCAL % "engines: {sglang: {program: [/bin/true]}}", tmp_path, capsys) == []
    (line,) = said_of(text + LOCAL % "engines: {vllm: {program: [/bin/true]}}", tmp_path, capsys)
    assert line.startswith("bouted.yaml:7 models[1].weights: meta-llama/Llama-3.1-70B-Instruct is gated")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff", "holds no text"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_token_file_without_a_token_is_wrong_by_itself(
    content: bytes | None, said: str, tmp_path: Path, capsys: Captured
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    section = f"launcher:\n  name: skypilot\n  options:\n    engines:\n      hf_token_file: {file}\n"
    (line, *_) = said_of(GOOD + section, tmp_path, capsys)
    assert line.startswith(f"bouted.yaml:14 launcher.options.engines.hf_token_file: {file} {said}")


def test_what_the_launcher_says_comes_together_with_all_other_mistakes(
    tmp_path: Path, capsys: Captured
) -> None:
    text = GOOD.replace("llama-3.1-70b", "llama-3.1-71b").replace("usd_per_hour", "usd_per_hr")
    lines = said_of(text + SKYPILOT % "", tmp_path, capsys)
    assert [line.split()[1] for line in lines if line.startswith("bouted.yaml:")] == [
        "budget.usd_per_hr:", "models[0].weights:", "models[1].spec:",
    ]  # fmt: skip
    lines = said_of(text + SKYPILOT % "disk_gb: 9", tmp_path, capsys)
    assert any("launcher.options.disk_gb: no such option" in line for line in lines)


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
