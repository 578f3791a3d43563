"""`bouted down`: ends every replica and gives every node back."""

import sys
from typing import TYPE_CHECKING

import click

from bouted.cli.place import Place, nothing_here, pass_place, place_options
from bouted.errors import Misconfigured

if TYPE_CHECKING:
    from bouted.board import Board


@click.command()
@place_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_place
def down(place: Place, yes: bool) -> int:
    """Stop everything: end every replica, give every node back.

    Queries fail from then on. Works with the daemon dead. `bouted resume` starts the fleet again.
    """
    from bouted.store.read_board import read_status
    from bouted.store.urls import sqlite_path

    found = place.located()
    path = sqlite_path(found.database_url)
    if path is not None and not path.exists():
        raise nothing_here(found.state_dir)
    if not yes:
        _ask(read_status(found.database_url).board)
    from bouted.daemon.down import tear_down

    place.hand_on()
    return tear_down(found.config_path, found, click.echo)


def _ask(board: "Board | None") -> None:
    """Goes on only after a yes; click.Abort otherwise."""
    if not sys.stdin.isatty():
        raise Misconfigured("", "down stops everything, and nobody is there to ask", hint="bouted down --yes")
    what = "the deployment"
    if board is not None:
        what = f"{board.deployment}: {len(board.nodes)} nodes at ${board.usd_per_hour}/h"
    click.confirm(f"stop {what}? queries will fail", abort=True, err=True)
