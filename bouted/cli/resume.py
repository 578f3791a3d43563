"""`bouted resume`: acts again after `bouted pause` or `bouted down`."""

from contextlib import closing
from datetime import UTC, datetime

import click

from bouted.cli.orders import operator, who_acts
from bouted.cli.place import Place, pass_place, place_options


@click.command()
@place_options
@pass_place
def resume(place: Place) -> None:
    """Act again, after `bouted pause` or `bouted down`."""
    from bouted.store.control import load_control, update_control

    with closing(place.store()) as store:
        before = load_control(store)
        stopped = before.paused or before.down_requested
        if stopped:
            now = datetime.now(UTC)
            update_control(store, now, operator(), paused=False, down_requested=False)
    if not stopped:
        click.echo("nothing to resume: neither paused nor down")
        return
    click.echo("resumed")
    click.echo(who_acts(place, "goes on from here"))
