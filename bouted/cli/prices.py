"""`bouted prices`: what is believed about the market, what is not, and how it moved."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bouted.cli.place import Place, pass_place, place_options
from bouted.cli.span import Span

if TYPE_CHECKING:
    from bouted.cli.price_rows import Wanted

MOST_LIVES = 200  # how long prices live is worked out for this many offers at most


@click.command()
@place_options
@click.option("--gpu", help="Only GPUs whose name holds this, e.g. H100.")
@click.option("--market", type=click.Choice(["spot", "on-demand", "owned"]), help="Only this market.")
@click.option("--provider", help="Only this provider, e.g. aws.")
@click.option("--region", help="Only this region; may be a glob, e.g. 'us-*'.")
@click.option("--history", type=Span(), help="How each price moved over this span, e.g. 24h.")
@click.option("--spread", is_flag=True, help="What each type costs from place to place now.")
@click.option("--quarantined", is_flag=True, help="What is not believed, and why.")
@click.option("--source", help="Judge a file instead: file:PATH (CSV or Parquet); nothing is stored.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with stable keys.")
@pass_place
def prices(
    place: Place,
    gpu: str | None,
    market: str | None,
    provider: str | None,
    region: str | None,
    history: timedelta | None,
    spread: bool,
    quarantined: bool,
    source: str | None,
    as_json: bool,
) -> None:
    """List what can be rented, at the prices believed now."""
    from bouted.cli.price_rows import Wanted

    wanted = Wanted(gpu=gpu, market=market, provider=provider, region=region)
    if source is not None:
        _judge(place, source, wanted, quarantined, as_json)
    elif history is not None:
        _history(place, wanted, history, as_json)
    elif spread:
        _spread(place, wanted, as_json)
    elif quarantined:
        _aside(place, wanted, as_json)
    else:
        _list(place, wanted, as_json)


def _list(place: Place, wanted: "Wanted", as_json: bool) -> None:
    from bouted.cli.price_rows import document, matching, table
    from bouted.store.read_prices import read_offers

    offers = read_offers(place.database_url())
    found = matching(offers, wanted)
    if as_json:
        click.echo(json.dumps({"offers": document(found)}, indent=2))
    elif found:
        click.echo("\n".join(table(found, datetime.now(UTC))))
    else:
        _nothing("no offer fits that" if offers else "no prices yet: the daemon collects them")


def _history(place: Place, wanted: "Wanted", span: timedelta, as_json: bool) -> None:
    from bouted.cli.price_history_rows import document, table
    from bouted.cli.price_rows import matching
    from bouted.store.prices import believed_offers, price_histories
    from bouted.store.spread import dwell_time

    now = datetime.now(UTC)
    with closing(place.store()) as store:
        offers = matching(believed_offers(store), wanted)
        points = price_histories(store, (offer.id for offer in offers), now - span)
        lives = {offer.id: dwell_time(store, offer.id, now) for offer in offers[:MOST_LIVES]}
    moved = [(offer, points[offer.id]) for offer in offers]
    if as_json:
        click.echo(json.dumps({"history": document(moved, lives)}, indent=2))
        return
    lines = table(moved, lives, now - span, now)
    if lines:
        click.echo("\n".join(lines))
    else:
        _nothing("no price of these was seen in that time")


def _spread(place: Place, wanted: "Wanted", as_json: bool) -> None:
    from bouted.cli.price_spread_rows import document, matching, table
    from bouted.store.spread import spread_now

    with closing(place.store()) as store:
        found = matching(spread_now(store, datetime.now(UTC)), wanted)
    if as_json:
        click.echo(json.dumps({"spread": document(found)}, indent=2))
    elif found:
        click.echo("\n".join(table(found)))
    else:
        _nothing("no price of these was confirmed in the last 24 h")


def _aside(place: Place, wanted: "Wanted", as_json: bool) -> None:
    from bouted.cli.aside_rows import outvoted_document, quarantined_document, quarantined_table
    from bouted.store.claims import load_outvoted, load_quarantined, load_unread

    with closing(place.store()) as store:
        quarantined, unread, outvoted = load_quarantined(store), load_unread(store), load_outvoted(store)
    if as_json:
        told = {
            "quarantined": quarantined_document(quarantined, unread, wanted),
            "outvoted": outvoted_document(outvoted, wanted),
        }
        click.echo(json.dumps(told, indent=2))
        return
    lines = quarantined_table(quarantined, unread, outvoted, wanted)
    if lines:
        click.echo("\n".join(lines))
    else:
        _nothing("everything that was said is believed")


def _judge(place: Place, source: str, wanted: "Wanted", quarantined: bool, as_json: bool) -> None:
    from bouted.cli.aside_rows import quarantined_document, quarantined_table
    from bouted.cli.judge_file import judge
    from bouted.cli.price_rows import document, matching, table

    kind, _, path = source.partition(":")
    if kind != "file" or not path:
        raise click.BadParameter(f"{source!r} is not file:PATH", param_hint="--source")
    judged = judge(place, Path(path))
    found = matching(judged.belief.offers, wanted)
    if as_json:
        told = {
            "offers": document(found),
            "quarantined": quarantined_document(judged.quarantined, judged.unread, wanted),
        }
        click.echo(json.dumps(told, indent=2))
        return
    aside = quarantined_table(judged.quarantined, judged.unread, (), wanted)
    lines = aside if quarantined else table(found, datetime.now(UTC)) if found else []
    if lines:
        click.echo("\n".join(lines))
    counts = f"{len(judged.belief.offers)} offers believed after {judged.looks} looks"
    click.echo(f"{counts}, {len(judged.quarantined) + len(judged.unread)} set aside", err=True)


def _nothing(why: str) -> None:
    click.echo(why, err=True)
