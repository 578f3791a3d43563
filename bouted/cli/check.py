"""`bouted check`: whether a config can be used; nothing is started."""

from pathlib import Path

import click

from bouted.cli.place import Place, pass_place, place_options
from bouted.cli.units import count


@click.command()
@place_options
@click.argument("file", required=False, type=click.Path(path_type=Path))
@pass_place
def check(place: Place, file: Path | None) -> None:
    """Check a config and list everything that is wrong with it.

    FILE defaults to the config in use. Nothing is started.
    """
    from bouted.alerts.slack import webhook_from_file
    from bouted.daemon.parts import feeds_of, load

    path = file or place.config_path()
    loaded = load(path, to_rent=True)
    config = loaded.config
    feeds_of(loaded)
    if config.alerts.slack.webhook_file is not None:
        webhook_from_file(config.alerts.slack.webhook_file)
    models, sources = count(len(config.models), "model"), count(len(config.prices.sources), "price source")
    click.echo(f"{path.name}: ok ({models}, {sources}, mode {config.mode})")
