"""How an engine comes onto a machine, and how it is called there, with real shells and a real venv."""

import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from bouted.providers.engine_options import EngineOptions, SetUp
from bouted.providers.engine_set_up import in_venv, quantised_at_load, set_up_steps

from bouted.perf.shapes import Engine

OPTIONS = EngineOptions(engine=Engine.VLLM, version="0.32.0")
IMAGE = replace(OPTIONS, set_up=SetUp.IMAGE)


def run(argv: tuple[str, ...], home: Path) -> subprocess.CompletedProcess[str]:
    """Run it on a machine that has `home` and what every Linux has."""
    words = [word.replace("{home}", str(home)) for word in argv]
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1", "PIP_NO_CACHE_DIR": "1"}
    return subprocess.run(words, env=env, capture_output=True, text=True, check=False)


def a_wheel(folder: Path) -> Path:
    """The smallest thing that pip installs."""
    wheel = folder / "engine_stub-1.0-py3-none-any.whl"
    info = "engine_stub-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("engine_stub.py", "")
        packed.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: engine-stub\nVersion: 1.0\n")
        packed.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{info}/RECORD", "")
    return wheel


def test_an_engine_is_installed_once_and_what_was_left_half_done_is_done_anew(tmp_path: Path) -> None:
    (step,) = set_up_steps(OPTIONS)
    assert (step.phase, step.argv[-1]) == ("installing", "vllm==0.32.0")
    argv = (*step.argv[:-1], str(a_wheel(tmp_path)))
    venv = tmp_path / ".bouted/engines/vllm-0.32.0"
    venv.mkdir(parents=True)
    (venv / "half-done").touch()
    done = run(argv, tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (venv / "half-done").exists()
    assert list(venv.glob("lib/*/site-packages/engine_stub.py"))
    (venv / "kept").touch()
    assert run((*step.argv[:-1], "no-such-package"), tmp_path).returncode == 0
    assert (venv / "kept").exists()


def test_an_install_that_fails_fails_the_start(tmp_path: Path) -> None:
    (step,) = set_up_steps(OPTIONS)
    done = run((*step.argv[:-1], "/no/such.whl"), tmp_path)
    assert done.returncode != 0
    assert done.stderr
    assert not (tmp_path / ".bouted/engines/vllm-0.32.0/.complete").exists()


@pytest.mark.parametrize("options", [IMAGE, replace(OPTIONS, program=("/opt/engine",))])
def test_what_is_there_already_is_not_installed(options: EngineOptions) -> None:
    assert set_up_steps(options) == ()
    assert in_venv(options, ("a", "b")) == ("a", "b")


def test_the_venvs_programs_come_first(tmp_path: Path) -> None:
    tools = tmp_path / ".bouted/engines/vllm-0.32.0/bin"
    tools.mkdir(parents=True)
    (tools / "ls").write_text('#!/bin/sh\necho "ours: $*"\n')
    (tools / "ls").chmod(0o755)
    assert run(in_venv(OPTIONS, ("ls", "a b", "$x")), tmp_path).stdout == "ours: a b $x\n"
    assert run(quantised_at_load(OPTIONS, "/x", ("ls",)), tmp_path).stdout == "ours: --quantization fp8\n"


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("config.json", '{"hidden_size": 1}', True),
        ("config.json", '{"quantization_config": {"quant_method": "fp8"}}', False),
        ("config.json", '{"compression_config": {}}', False),
        ("hf_quant_config.json", "{}", False),
        ("nothing", "", True),
    ],
)
def test_only_weights_that_are_not_quantised_are_quantised_at_load(
    tmp_path: Path, file: str, text: str, told: bool
) -> None:
    (tmp_path / file).write_text(text)
    said = run(quantised_at_load(IMAGE, "{home}", ("echo", "serve")), tmp_path).stdout
    assert said == ("serve --quantization fp8\n" if told else "serve\n")
