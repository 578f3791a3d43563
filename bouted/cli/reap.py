"""`bouted reap`: ends what runs under this deployment's mark and should not."""

import logging
import sys
from contextlib import closing

import click

from bouted.cli.place import Place, nothing_here, pass_place, place_options
from bouted.errors import Misconfigured


@click.command()
@place_options
@click.argument("name", required=False)
@click.option("--dry-run", is_flag=True, help="Only show what would be ended.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_place
def reap(place: Place, name: str | None, dry_run: bool, yes: bool) -> int:
    """End what runs and should not.

    Compares the provider's own list with what bouted knows: nodes without a row, or whose row has ended, are
    ended, and so is what needs attention. NAME picks one of them. Works with the daemon dead.
    """
    from bouted.daemon.reaping import reaper
    from bouted.store.readonly import is_there
    from bouted.store.urls import sqlite_path

    found = place.located()
    path = sqlite_path(found.database_url)
    if path is not None and not is_there(path, found.database_url):
        raise nothing_here(found.state_dir)
    logging.basicConfig(level=logging.ERROR, format="note: %(message)s")
    place.hand_on()
    one = reaper(found.config_path, found, click.echo)
    with closing(one.store):
        haul = one.find()
        if name is not None:
            haul = haul.only(name)
        lines = haul.lines()
        if not lines:
            return _nothing(name)
        for what, why in lines:
            click.echo(f"{what}: {why}")
        if dry_run:
            click.echo(f"would end {_count(len(lines))}; do it: bouted reap{f' {name}' if name else ''}")
            return 0
        if not yes:
            _ask(len(lines))
        return one.end(haul)


def _nothing(name: str | None) -> int:
    if name is not None:
        raise Misconfigured("", f"{name} is nothing to reap", hint="see: bouted reap --dry-run")
    click.echo("nothing to reap: every node that runs has its row, and none needs attention")
    return 0


def _ask(count: int) -> None:
    """Goes on only after a yes; click.Abort otherwise."""
    if not sys.stdin.isatty():
        hint = "bouted reap --yes, or look first: bouted reap --dry-run"
        raise Misconfigured("", "reap ends things, and nobody is there to ask", hint=hint)
    click.confirm(f"end {_count(count)}?", abort=True, err=True)


def _count(count: int) -> str:
    return "1 thing" if count == 1 else f"all {count}"
