"""`bouted pause`: nothing is launched, moved or stopped until `bouted resume`."""

from contextlib import closing
from datetime import UTC, datetime

import click

from bouted.cli.orders import operator
from bouted.cli.place import Place, pass_place, place_options


@click.command()
@place_options
@pass_place
def pause(place: Place) -> None:
    """Stop acting: nothing is launched, moved or stopped.

    Queries go on. Works with the daemon dead: it stays paused when it starts.
    """
    from bouted.store.control import load_control, update_control

    with closing(place.store()) as store:
        before = load_control(store)
        if not before.paused:
            update_control(store, datetime.now(UTC), operator(), paused=True)
    word = "paused already" if before.paused else "paused"
    click.echo(f"{word}: nothing is launched, moved or stopped; queries go on")
    click.echo("go on with: bouted resume")
