"""`bouted cost`: what was spent on what, and how that compares with a cloud's own bill."""

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bouted.cli.moment import BEGINNING, Moment
from bouted.cli.place import Place, pass_place, place_options

if TYPE_CHECKING:
    from bouted.config.schema import Config
    from bouted.ledger.rules import BillingRule
    from bouted.ledger.shares import CostLine


@click.command()
@place_options
@click.option("--since", type=Moment(), default="7d", show_default=True, help="A span, or a date in UTC.")
@click.option(
    "--by",
    type=click.Choice(["model", "replica", "cloud", "market", "node"]),
    default="model",
    show_default=True,
    help="What to sum by.",
)
@click.option("--export", type=click.Path(dir_okay=False, path_type=Path), help="Write a FOCUS 1.2 CSV too.")
@click.option("--bill", type=click.Path(path_type=Path), help="Compare with an AWS CUR or GCP export file.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with stable keys.")
@pass_place
def cost(
    place: Place, since: datetime, by: str, export: Path | None, bill: Path | None, as_json: bool
) -> None:
    """Tell what was spent, by model, replica, cloud, market or node.

    The table counts quoted price x billed time; today and the month count what clouds bill, where --bill
    found that. Works with the daemon dead.
    """
    if bill is not None:
        _compare(place, bill, as_json)
        return
    from bouted.cli.cost_rows import Told, document, screen
    from bouted.daemon.money import spend_so_far
    from bouted.ledger.cost import By, summed
    from bouted.store.billed import billed_factors
    from bouted.store.costs import costs_between
    from bouted.store.fleet import load_fleet

    config, now = _config(place), datetime.now(UTC)
    rules = _rules(config)
    with closing(place.store()) as store:
        lines, fleet = costs_between(store, since, now, rules), load_fleet(store, now)
        told = Told(
            now=now,
            since=since,
            spend=spend_so_far(store, fleet, now, rules),
            usd_per_hour=fleet.committed_usd_per_hour(),
            usd_per_month=config.budget.usd_per_month if config is not None else None,
            table=summed(lines, By(by)),
            factors=billed_factors(store),
        )
    if export is not None:
        _export(export, lines)
    click.echo(json.dumps(document(told), indent=2) if as_json else "\n".join(screen(told)))


def _export(file: Path, lines: "tuple[CostLine, ...]") -> None:
    from bouted.errors import Misconfigured
    from bouted.ledger.focus import focus_csv

    try:
        with file.open("w", encoding="utf-8", newline="") as out:
            rows = focus_csv(lines, out)
    except OSError as error:
        why = f"cannot be written: {error.strerror}"
        raise Misconfigured(str(file), why, hint="name another file with --export") from error
    click.echo(f"{rows} charges written to {file}", err=True)


def _compare(place: Place, file: Path, as_json: bool) -> None:
    from bouted.cli.bill_file import bill_lines
    from bouted.cli.bill_rows import bill_document, bill_screen
    from bouted.ledger.bills import Matching
    from bouted.store.billed import save_billed
    from bouted.store.spend import accounts_between

    config, now = _config(place), datetime.now(UTC)
    usd_per = config.prices.usd_per if config is not None else {}
    with closing(place.store()) as store:
        accounts = accounts_between(store, BEGINNING, now)
        matching = Matching(accounts={account.node: account for account in accounts})
        with bill_lines(file, usd_per) as lines:
            for line in lines:
                matching.take(line)
        billed = matching.billed(_rules(config))
        save_billed(store, tuple(one for one in billed if not one.doubt), now)
    if as_json:
        click.echo(json.dumps(bill_document(billed, matching), indent=2))
    else:
        click.echo("\n".join(bill_screen(str(file), billed, matching)))


def _config(place: Place) -> "Config | None":
    """The config where there is one that can be read: the ledger can be read without."""
    from bouted.cli.faults import tell
    from bouted.config.load import load_config
    from bouted.errors import Misconfigured

    path = place.located().config_path
    if path is None:
        return None
    try:
        return load_config(path)
    except Misconfigured as error:
        tell(error)
        return None


def _rules(config: "Config | None") -> "tuple[BillingRule, ...]":
    from bouted.ledger.rules import SHIPPED

    return config.billing_rules() if config is not None else SHIPPED
