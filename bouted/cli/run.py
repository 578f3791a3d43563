"""`bouted run`: the daemon."""

import click

from bouted.cli.place import Place, pass_place, place_options


@click.command()
@place_options
@pass_place
def run(place: Place) -> int:
    """Run the daemon: it plans, and keeps the fleet as planned.

    It ends on SIGTERM or Ctrl-C. Stopping it never stops the fleet; `bouted down` does.
    """
    from bouted.daemon.run import run as run_daemon

    place.hand_on()
    return run_daemon(place.config_path())
