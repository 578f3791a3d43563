"""`bouted doctor`: whether every price source can do its work, and what it lacks."""

import json
from contextlib import closing

import click

from bouted.cli.place import Place, pass_place, place_options


@click.command()
@place_options
@click.option("--json", "as_json", is_flag=True, help="As JSON, with stable keys.")
@pass_place
def doctor(place: Place, as_json: bool) -> int:
    """Say how each price source is set up, and what it lacks.

    Credentials, reach, missing permissions, rows, age, quotas. Asks a few cheap questions, changes nothing.
    Exit 0 when all is well, 1 when something is missing.
    """
    from datetime import UTC, datetime

    from bouted.cli.doctor_rows import document, lines
    from bouted.daemon.parts import feeds_of, load
    from bouted.errors import Misconfigured
    from bouted.market.examine import examine
    from bouted.store.claims import load_courses

    loaded = load(place.config_path())
    now = datetime.now(UTC)
    examined = examine(feeds_of(loaded), now)
    try:
        with closing(place.store()) as store:
            courses = load_courses(store)
    except Misconfigured:
        courses = {}
    if as_json:
        click.echo(json.dumps({"sources": document(examined, courses)}, indent=2))
    else:
        click.echo("\n".join(lines(examined, courses, now)))
    return 0 if all(one.diagnosis.well for one in examined) else 1
