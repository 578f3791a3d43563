"""`bouted prices`: what is believed about the market, cheapest per GPU first."""

import json
from contextlib import closing
from datetime import UTC, datetime

import click

from bouted.cli.place import Place, pass_place, place_options


@click.command()
@place_options
@click.option("--gpu", help="Only GPUs whose name holds this, e.g. H100.")
@click.option("--market", type=click.Choice(["spot", "on-demand", "owned"]), help="Only this market.")
@click.option("--provider", help="Only this provider, e.g. aws.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with stable keys.")
@pass_place
def prices(place: Place, gpu: str | None, market: str | None, provider: str | None, as_json: bool) -> None:
    """List what can be rented, at the prices believed now."""
    from bouted.cli.price_rows import document, matching, table
    from bouted.store.prices import believed_offers

    with closing(place.store()) as store:
        offers = believed_offers(store)
    wanted = matching(offers, gpu=gpu, market=market, provider=provider)
    if as_json:
        click.echo(json.dumps({"offers": document(wanted)}, indent=2))
    elif wanted:
        click.echo("\n".join(table(wanted, datetime.now(UTC))))
    else:
        why = "no offer fits that" if offers else "no prices yet: the daemon collects them"
        click.echo(why, err=True)
