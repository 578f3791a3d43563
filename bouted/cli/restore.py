"""`bouted restore`: a backup in the store's place, while no daemon runs."""

from datetime import UTC, datetime
from pathlib import Path

import click

from bouted.cli.place import Place, pass_place, place_options


@click.command()
@place_options
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_place
def restore(place: Place, file: Path) -> None:
    """Put a backup in the store's place.

    The store that is there is kept beside it. Refused while the daemon runs. The fleet goes on: what was
    launched since the backup is found by its name when the daemon starts, and taken over or ended.
    """
    from bouted.daemon.lock import StateLock
    from bouted.store.backup import restore as put_back

    found = place.located()
    if found.state_dir.is_dir():
        lock = StateLock(found.state_dir)
        lock.take()
    aside = put_back(found.database_url, file, datetime.now(UTC))
    click.echo(f"restored from {file}")
    if aside is not None:
        click.echo(f"what was there is kept as {aside}")
    click.echo("start the daemon with: bouted run")
