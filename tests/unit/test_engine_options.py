"""An engine's options as a config gives them: what they default to, and every mistake told at once."""

from pathlib import Path

import pytest
from bouted.providers.engine_choice import Engines
from bouted.providers.engine_options import EngineOptions, SetUp

from bouted.config.problems import ConfigErrors
from bouted.errors import Misconfigured
from bouted.perf.shapes import Engine
from bouted.testing.orders import a_replica_order

PATH = "launcher.options.engines"


def test_nothing_said_is_a_pinned_version_in_a_venv_of_its_own() -> None:
    options = EngineOptions.from_config({}, PATH)
    assert (options.label, options.set_up, options.fetch) == ("vllm 0.32.0", SetUp.PIP, True)
    assert options.venv == "{home}/.bouted/engines/vllm-0.32.0"
    assert EngineOptions.from_config({}, PATH, engine=Engine.SGLANG).label == "sglang 0.5.23"


def test_everything_can_be_said() -> None:
    said = {
        "version": "0.33.1", "set_up": "image", "program": ["/opt/engine", "serve"], "fetch": True,
        "extra_args": ["--seed", "7"], "shutdown_s": 60.0, "cache": "s3://bucket/weights/",
        "experimental_groups": True,
    }  # fmt: skip
    assert EngineOptions.from_config(said, PATH) == EngineOptions(
        engine=Engine.VLLM,
        version="0.33.1",
        set_up=SetUp.IMAGE,
        program=("/opt/engine", "serve"),
        extra_args=("--seed", "7"),
        shutdown_s=60,
        cache="s3://bucket/weights",
        fetch=True,
        experimental_groups=True,
    )


def test_a_program_fetches_nothing_unless_told_to() -> None:
    assert not EngineOptions.from_config({"program": ["/opt/paced"]}, PATH).fetch


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"version": 0.32}, 'version: must be a version as text, got 0.32 (like "0.32.0")'),
        ({"version": "latest"}, "version: must be a version as text, got 'latest' (like \"0.32.0\")"),
        ({"set_up": "pips"}, "set_up: must be pip or image, got 'pips' (did you mean pip?)"),
        ({"program": "vllm"}, "program: must be a list of texts, got 'vllm' (like [--flag, value])"),
        ({"extra_args": [1]}, "extra_args: must be a list of texts, got [1] (like [--flag, value])"),
        ({"shutdown_s": -1}, "shutdown_s: must be a whole number of 0 to 3600, got -1"),
        ({"shutdown_s": 1.5}, "shutdown_s: must be a whole number of 0 to 3600, got 1.5"),
        ({"shutdown_s": True}, "shutdown_s: must be a whole number of 0 to 3600, got True"),
        ({"cache": "weights"}, "cache: must be an absolute folder, s3://... or gs://..., got 'weights' "
                               "(like s3://bucket/weights)"),
        ({"cache": "s3://b/$(id)"}, "cache: must be an absolute folder, s3://... or gs://..., got "
                                    "'s3://b/$(id)' (like s3://bucket/weights)"),
        ({"fetch": "no"}, "fetch: must be true or false, got 'no'"),
        ({"shutdown": 30}, "shutdown: no such option (did you mean shutdown_s?)"),
    ],
)  # fmt: skip
def test_an_option_that_makes_no_sense_is_told_in_one_line(options: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigErrors) as wrong:
        EngineOptions.from_config(options, "engines.vllm")
    assert str(wrong.value) == f"config engines.vllm.{line}"


def test_all_mistakes_of_both_engines_are_told_at_once() -> None:
    options = {
        "vllm": {"version": 1, "cash": "/x"},
        "sglang": ["0.5.23"],
        "hf_token_file": "none",
        "sglangs": {},
    }
    with pytest.raises(ConfigErrors) as wrong:
        Engines.from_config(options, PATH)
    assert [problem.path.removeprefix(f"{PATH}.") for problem in wrong.value.problems] == [
        "hf_token_file", "sglangs", "vllm.version", "vllm.cash", "sglang",
    ]  # fmt: skip


def test_the_token_is_read_when_an_engine_starts_so_a_new_one_needs_no_restart(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    engines = Engines.from_config({"hf_token_file": str(file)}, PATH)
    file.write_text("new\n")
    assert engines.start_of(a_replica_order()).secrets == {"HF_TOKEN": "new"}
    file.unlink()
    with pytest.raises(Misconfigured, match="cannot be read"):
        engines.start_of(a_replica_order())


def test_without_its_token_file_a_fleet_can_still_be_stopped_and_nothing_new_is_planned(
    tmp_path: Path,
) -> None:
    engines = Engines.from_config({"hf_token_file": str(tmp_path / "none")}, PATH)
    with pytest.raises(ConfigErrors, match=r"hf_token_file.*cannot be read"):
        engines.require_loadable(())


def test_the_shape_says_which_engine_starts() -> None:
    engines = Engines.from_config({}, PATH)
    start = engines.start_of(a_replica_order())
    assert "vllm" in start.argv
    assert start.secrets == {}
