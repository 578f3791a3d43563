"""`bouted down`: ends every replica and gives every node back."""

import logging
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from bouted.cli.life import Life, daemon_life
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
    from bouted.store.readonly import is_there
    from bouted.store.urls import sqlite_path

    found = place.located()
    path = sqlite_path(found.database_url)
    if path is not None and not is_there(path, found.database_url):
        raise nothing_here(found.state_dir)
    if not yes:
        _ask(read_status(found.database_url).board)
    from bouted.daemon.down import tear_down

    logging.basicConfig(level=logging.ERROR, format="note: %(message)s")
    place.hand_on()
    code = tear_down(found.config_path, found, click.echo)
    if code == 0:
        _close_board(found.database_url)
    return code


def _ask(board: "Board | None") -> None:
    """Goes on only after a yes; click.Abort otherwise."""
    if not sys.stdin.isatty():
        raise Misconfigured("", "down stops everything, and nobody is there to ask", hint="bouted down --yes")
    what = "the deployment"
    if board is not None:
        what = f"{board.deployment}: {len(board.nodes)} nodes at ${board.usd_per_hour}/h"
    click.confirm(f"stop {what}? queries will fail", abort=True, err=True)


def _close_board(url: str) -> None:
    """Where no daemon lives to write it, puts on the board that nothing of ours runs and costs."""
    from bouted.store.board import publish_board
    from bouted.store.open import open_store
    from bouted.store.read_board import read_status

    stored, now = read_status(url), datetime.now(UTC)
    if stored.board is None or daemon_life(stored, now) is not Life.GONE:
        return
    theirs = tuple(node for node in stored.board.nodes if node.where.startswith("adopted/"))
    costs = sum((Decimal(node.usd_per_hour) for node in theirs), Decimal("0.00"))
    board = replace(
        stored.board,
        written_at=now.isoformat(),
        verdict="DOWN",
        note="everything is stopped; start again with: bouted resume",
        usd_per_hour=str(costs),
        forecast_month_usd=stored.board.spent_month_usd,
        rate_per_s=None,
        routes=tuple(replace(route, ready=0, seen_share=None) for route in stored.board.routes),
        nodes=theirs,
        replicas=tuple(r for r in stored.board.replicas if r.node in {node.name for node in theirs}),
    )
    with closing(open_store(url)) as store:
        publish_board(store, board, now)
