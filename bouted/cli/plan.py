"""`bouted plan`: what would be done now, and why; nothing is started or stopped."""

import json
import logging

import click

from bouted.cli.place import Place, pass_place, place_options

NO_CHANGE, CHANGES = 0, 2


@click.command()
@place_options
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON, with stable keys.")
@pass_place
def plan(place: Place, as_json: bool) -> int:
    """Make a plan and show it; nothing is started.

    It is made from the prices and the load of now, and kept: `bouted apply` acts on it. Exit status: 0
    when nothing would change, 2 when something would, 1 on errors.
    """
    from bouted.cli.plan_document import plan_document
    from bouted.cli.plan_text import Proposed, plan_text
    from bouted.cli.progress import ProgressLine
    from bouted.cli.unheard import solvers_unheard
    from bouted.config.load import load_config
    from bouted.daemon.once import propose

    logging.basicConfig(level=logging.WARNING, format="note: %(message)s")
    place.hand_on()
    path = place.config_path()
    config = load_config(path)
    with ProgressLine() as line, solvers_unheard():
        made = propose(path, line)
    proposed = Proposed(
        plan=made.plan,
        held=made.held,
        changes=made.changes,
        current=made.current,
        frontier=made.frontier,
        targets=config.targets_s(),
        budget_usd_per_hour=made.budget_usd_per_hour,
    )
    text = json.dumps(plan_document(proposed), indent=2) if as_json else "\n".join(plan_text(proposed))
    click.echo(text)
    return CHANGES if proposed.changed else NO_CHANGE
