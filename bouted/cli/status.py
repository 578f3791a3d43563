"""`bouted status`: one screen, from one row of the store; it needs no daemon."""

import json
import os
import shutil
import sys
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
from bouted.store.read_board import StoredStatus, read_status

REFRESH_S = 1.0


@click.command()
@place_options
@click.option("--json", "as_json", is_flag=True, help="The whole board as JSON, with stable keys.")
@click.option("--watch", "-w", is_flag=True, help="Show it again every second, until Ctrl-C.")
@pass_place
def status(place: Place, as_json: bool, watch: bool) -> None:
    """Show how it goes: cost, targets, split, fleet, events.

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
    life = daemon_life(stored, now)
    if as_json:
        return json.dumps({**asdict(stored.board), "daemon": life.value, **_who(stored, now)}, indent=2)
    lines = screen(stored.board, life=life, now=now, standby=_who(stored, now)["standby"])
    return "\n".join(lines if os.environ.get("NO_COLOR") else coloured(lines))


def _who(stored: StoredStatus, now: datetime) -> dict[str, str]:
    """The active daemon and the one that waits to take over, as HOST:FOLDER#MARK; "" for nobody."""
    active = stored.holder if stored.daemon_alive(now) else ""
    return {"active": active, "standby": stored.waiting(now)}


def _watch(url: str, state_dir: Path) -> None:
    """Redraws until Ctrl-C, which ends it well. What cannot be read now is said, and tried again."""
    click.clear()
    try:
        while True:
            try:
                _draw(_text(url, state_dir, as_json=False))
            except BoutedError as error:
                click.clear()
                tell(error)
            time.sleep(REFRESH_S)
    except KeyboardInterrupt:
        click.echo("")


def _draw(text: str) -> None:
    """Over what stood there before, without a flicker, as much as the terminal is high."""
    if not sys.stdout.isatty():
        click.echo(text + "\n")
        return
    lines = text.splitlines()[: shutil.get_terminal_size().lines - 1]
    click.echo("\x1b[H" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J", nl=False)
