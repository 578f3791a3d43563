"""`bouted backup`: the whole store in one file, while the daemon runs."""

from pathlib import Path

import click

from bouted.cli.place import Place, pass_place, place_options
from bouted.errors import Misconfigured


@click.command()
@place_options
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_place
def backup(place: Place, file: Path) -> None:
    """Copy the store to FILE: plans, fleet, money, history.

    The daemon may run meanwhile. For PostgreSQL it says which command to use.
    """
    from bouted.store.backup import back_up

    url = place.database_url()
    if file.exists():
        raise Misconfigured(str(file), "is there already", hint="name another file")
    back_up(url, file)
    click.echo(f"backed up to {file} ({file.stat().st_size / 1e6:.1f} MB)")
    click.echo(f"put it back with: bouted restore {file}")
