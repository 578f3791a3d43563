"""`bouted history`: what happened, oldest first."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import click

from bouted.cli.place import Place, pass_place, place_options
from bouted.cli.span import Span


@click.command()
@place_options
@click.option("--since", type=Span(), default="7d", show_default=True, help="How far back to look.")
@click.option("--events", "what", flag_value="events", default=True, help="What happened (the default).")
@click.option("--plans", "what", flag_value="plans", help="Plans, and what became of each.")
@click.option("--actions", "what", flag_value="actions", help="What was done to nodes and replicas.")
@click.option(
    "--limit", "-n", type=click.IntRange(1, 100_000), default=200, show_default=True, help="How many at most."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, with stable keys.")
@pass_place
def history(place: Place, since: timedelta, what: str, limit: int, as_json: bool) -> None:
    """List what happened, oldest first: events, plans or actions."""
    from bouted.cli import history_rows as rows

    now = datetime.now(UTC)
    list_them = {"events": rows.events, "plans": rows.plans, "actions": rows.actions}[what]
    with closing(place.store()) as store:
        found = list_them(store, now - since, limit)
    if as_json:
        click.echo(json.dumps({what: [dict(row) for row in found]}, indent=2))
    elif found:
        click.echo("\n".join(rows.as_lines(what, found)))
    else:
        click.echo(f"no {what} in that time", err=True)
