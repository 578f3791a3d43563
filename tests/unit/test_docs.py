"""Every command says what it does, in one line that fits the list and in full under --help."""

from pathlib import Path

import click
import pytest

from bouted.catalog.load import load_catalog
from bouted.cli.group import COMMANDS
from bouted.cli.main import cli, run
from bouted.config.load import load_config


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: bouted {name}")
    assert (command(name).help or "").split("\n")[0] in text


@pytest.mark.parametrize("name", COMMANDS)
def test_the_first_line_of_a_commands_help_fits_the_list(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = (command(name).help or "").split("\n")[0]
    assert first.endswith(".")
    assert len(first) <= 66
    assert run(["--help"]) == 0
    assert first in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_has_help(name: str) -> None:
    for parameter in command(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]} has no help"


def test_commands_are_named_after_their_functions() -> None:
    assert [command(name).name for name in COMMANDS] == list(COMMANDS)


README = Path(__file__).parents[2] / "README.md"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_names_every_command(name: str) -> None:
    assert f"bouted {name}" in README.read_text(encoding="utf-8")


def test_the_readmes_config_passes_every_check(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    (tmp_path / "bouted.yaml").write_text(text.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    catalog = load_catalog()
    config = load_config(
        tmp_path / "bouted.yaml",
        known_models=tuple(model.name for model in catalog.models),
        known_gpus=tuple(gpu.name for gpu in catalog.gpus),
    )
    assert config.mode == "advise"
