"""`bouted status`: one screen, from one row of the store; it needs no daemon."""

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from bouted.cli.colour import coloured
from bouted.cli.faults import tell
from bouted.cli.life import daemon_life
from bouted.cli.place import Place, nothing_here, pass_place, place_options
from bouted.cli.screen import screen
from bouted.errors import BoutedError
from bouted.store.read_board import read_status

REFRESH_S = 1.0


@click.command()
@place_options
@click.option("--json", "as_json", is_flag=True, help="The whole board as JSON, with stable keys.")
@click.option("--watch", "-w", is_flag=True, help="Show it again every second, until Ctrl-C.")
@pass_place
def status(place: Place, as_json: bool, watch: bool) -> None:
    """Show how the deployment is: cost, targets, split, fleet, what happened.

    Works with the daemon dead, and says so. Exit status: 0, or 1 when there is nothing to show.
    """
    found = place.located()
    if watch:
        _watch(found.database_url, found.state_dir)
    else:
        click.echo(_text(found.database_url, found.state_dir, as_json))


def _text(url: str, state_dir: Path, as_json: bool) -> str:
    stored, now = read_status(url), datetime.now(UTC)
    if stored.board is None:
        raise nothing_here(state_dir)
    life = daemon_life(stored, state_dir, now)
    if as_json:
        return json.dumps({**asdict(stored.board), "daemon": life.value}, indent=2)
    return "\n".join(coloured(screen(stored.board, life=life, now=now)))


def _watch(url: str, state_dir: Path) -> None:
    """Redraws until Ctrl-C, which ends it well. What cannot be read now is said, and tried again."""
    try:
        while True:
            try:
                text = _text(url, state_dir, as_json=False)
                click.clear()
                click.echo(text)
            except BoutedError as error:
                click.clear()
                tell(error)
            time.sleep(REFRESH_S)
    except KeyboardInterrupt:
        click.echo("")
