"""`bouted gateway`: the endpoint that clients talk to."""

from pathlib import Path

import click

from bouted.cli.place import Place, pass_place, place_options


@click.command()
@place_options
@click.option("--host", help="The address to listen on; else the config's.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on; else the config's.")
@click.option(
    "--api-keys-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Client keys, one a line; needed to listen anywhere but on this machine.",
)
@pass_place
def gateway(place: Place, host: str | None, port: int | None, api_keys_file: Path | None) -> None:
    """Run the OpenAI-compatible endpoint that routes each query.

    A query goes to the least model that is good enough for it, as the plan in force says. Queries go on
    while the daemon is down. Several gateways may share a state folder.
    """
    from bouted.config.load import load_config
    from bouted.gateway.serve import serve

    place.hand_on()
    found = place.located()
    listen = load_config(place.config_path()).listen
    serve(
        found.state_dir,
        host or listen.gateway_host,
        listen.gateway_port if port is None else port,
        api_keys_file or listen.api_keys_file,
    )
