"""`bouted logs`: what an engine writes."""

from typing import TYPE_CHECKING

import click

from bouted.cli.place import Place, pass_place, place_options

if TYPE_CHECKING:
    from bouted.cli.log_lines import LogLines


@click.command()
@place_options
@click.argument("replica")
@click.option("--follow", "-f", is_flag=True, help="Go on until the engine ends, or Ctrl-C.")
@click.option(
    "--lines", "-n", type=click.IntRange(0), default=100, show_default=True, help="How many to begin with."
)
@pass_place
def logs(place: Place, replica: str, follow: bool, lines: int) -> None:
    """Show what an engine writes.

    REPLICA is its name, or as much of the beginning or the end as tells it apart. Works with the daemon dead.
    """
    from bouted.cli.engines import opened, require_ours
    from bouted.cli.log_lines import LogLines
    from bouted.cli.named import replica_meant
    from bouted.errors import Misconfigured
    from bouted.reconcile.launcher import WithLogs

    with opened(place) as engines:
        engine = replica_meant(replica, engines.known, engines.deployment)
        require_ours(engine)
        if not isinstance(engines.launcher, WithLogs):
            raise Misconfigured("", f"the {engines.launcher.name} launcher shows no logs")
        log = LogLines(logs=engines.launcher, engine=engine, say=_say)
        if follow:
            _follow(log, lines)
            return
        text, _ = log.last(lines)
        click.echo(text, nl=not text.endswith("\n") and bool(text))
        if not text and lines:
            _say(f"{engine.name} has written nothing yet")


def _follow(log: "LogLines", lines: int) -> None:
    try:
        for text in log.follow(lines):
            click.echo(text, nl=False)
    except KeyboardInterrupt:
        click.echo("")


def _say(line: str) -> None:
    click.echo(line, err=True)
