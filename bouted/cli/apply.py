"""`bouted apply`: says yes to a plan; the daemon acts on it."""

from contextlib import closing
from datetime import UTC, datetime

import click

from bouted.cli.orders import operator, who_acts
from bouted.cli.place import Place, pass_place, place_options

_KEPT = 500


@click.command()
@place_options
@click.argument("plan", required=False)
@click.option("--yes", is_flag=True, help="Let it stop more at once than changes.max_stop_pct.")
@pass_place
def apply(place: Place, plan: str | None, yes: bool) -> None:
    """Act on a plan: the daemon moves the fleet to it.

    PLAN is an id from `bouted plan` or `bouted history --plans`, or the start of one; the newest
    proposed one unless given. With --yes it may stop more of what serves at once than the config allows.
    """
    from bouted.cli.accept import agree, newest_proposed, refuse_old
    from bouted.cli.units import usd
    from bouted.planner.plan import PlanStatus
    from bouted.store.control import update_control
    from bouted.store.plans import list_plans, load_plan

    with closing(place.store()) as store:
        rows = list_plans(store, _KEPT)
        row = refuse_old(load_plan(store, plan).id, rows) if plan else newest_proposed(rows)
        if yes:
            agree(store, row.plan.id, operator(), datetime.now(UTC))
        if row.status is PlanStatus.APPLIED:
            may = "; it may stop much at once" if yes else ""
            click.echo(f"plan {row.plan.id} is in force already{may}")
            return
        control = update_control(store, datetime.now(UTC), operator(), accepted_plan_id=row.plan.id)
    cost = usd(row.plan.estimate.usd_per_hour)
    click.echo(f"plan {row.plan.id} accepted: {cost}/h, {len(row.plan.design.nodes)} nodes")
    if control.paused or control.down_requested:
        click.echo(f"{'paused' if control.paused else 'down'}: nothing moves until: bouted resume")
    else:
        click.echo(who_acts(place, "moves the fleet to it"))
