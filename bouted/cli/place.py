"""Which config and which state folder a command is about: --config, --state, and how they are found."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from bouted.errors import Misconfigured

if TYPE_CHECKING:
    from bouted.config.locate import Located
    from bouted.store.open import Store

CONFIG_ENV = "BOUTED_CONFIG"
STATE_ENV = "BOUTED_STATE"

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True, kw_only=True)
class Place:
    """What was asked for on the command line or in the environment; None leaves it to the usual places."""

    config: Path | None = None
    state: Path | None = None

    def located(self) -> "Located":
        """Where config, state and database are; nothing is created."""
        from bouted.config.locate import locate

        return locate(self.config, self.state, os.environ)

    def config_path(self) -> Path:
        """The config file; Misconfigured when none was found."""
        found = self.located().config_path
        if found is None:
            raise Misconfigured("", "no config file found", hint="name it: bouted --config FILE")
        return found

    def hand_on(self) -> None:
        """Lets what this command starts, in this process or in children, find the same state folder."""
        if self.state is not None:
            os.environ[STATE_ENV] = str(self.state)

    def database_url(self) -> str:
        """The database of a deployment that exists; Misconfigured where there is none."""
        from bouted.store.readonly import is_there
        from bouted.store.urls import sqlite_path

        found = self.located()
        path = sqlite_path(found.database_url)
        if path is not None and not is_there(path, found.database_url):
            raise nothing_here(found.state_dir)
        return found.database_url

    def store(self) -> "Store":
        """The store of a deployment that exists; Misconfigured where there is none, and none is made."""
        from bouted.store.open import open_store

        return open_store(self.database_url())


def nothing_here(state_dir: Path) -> Misconfigured:
    """The error of commands that need a deployment where there is none."""
    return Misconfigured(
        str(state_dir),
        "no deployment here yet",
        hint="start the daemon with `bouted run`, or name another folder with --state",
    )


def place_options(function: F) -> F:
    """Gives a command --config and --state; they may stand before or after the command's name."""
    config = click.option(
        "--config",
        "-c",
        type=click.Path(path_type=Path),
        envvar=CONFIG_ENV,
        show_envvar=True,
        expose_value=False,
        callback=_keep("config"),
        help="The YAML config.",
    )
    state = click.option(
        "--state",
        type=click.Path(path_type=Path, file_okay=False),
        envvar=STATE_ENV,
        show_envvar=True,
        expose_value=False,
        callback=_keep("state"),
        help="The state folder.",
    )
    return config(state(function))


pass_place = click.make_pass_decorator(Place, ensure=True)


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Path | None], None]:
    def keep(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
        """What is typed wins over the environment, wherever it stands."""
        place = context.ensure_object(Place)
        typed = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if value is not None and (typed or getattr(place, name) is None):
            setattr(place, name, value)

    return keep
