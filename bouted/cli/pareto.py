"""`bouted pareto`: the designs a plan was chosen from, drawn."""

import json
from contextlib import closing
from pathlib import Path

import click

from bouted.cli.place import Place, pass_place, place_options


@click.command()
@click.argument("plan_id", metavar="[PLAN]", required=False)
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page that stands alone."
)
@place_options
@click.option("--json", "as_json", is_flag=True, help="As JSON, with stable keys.")
@pass_place
def pareto(place: Place, plan_id: str | None, html: Path | None, as_json: bool) -> None:
    """Draw the front that a plan was chosen from.

    Of the plan in force, else of the newest proposed one, else of PLAN (the start of its id is enough):
    $/h against P95 of the objective, marked by quality, with the plan and the one in force before it.
    """
    from bouted.cli.pareto_document import pareto_document
    from bouted.cli.pareto_html import pareto_html
    from bouted.cli.pareto_points import front_of
    from bouted.cli.pareto_text import pareto_text
    from bouted.cli.which_plan import stored_plan
    from bouted.errors import Misconfigured

    with closing(place.store()) as store:
        found = stored_plan(store, plan_id)
    if found.frontier is None:
        raise Misconfigured(
            "plan",
            f"the front of plan {found.plan.id} was not kept: it is from an older bouted",
            hint="make a new plan: bouted plan",
        )
    front = front_of(found.plan, found.problem, found.frontier)
    if html is not None:
        html.write_text(pareto_html(front), encoding="utf-8")
        click.echo(f"wrote {html}", err=True)
    if as_json:
        click.echo(json.dumps(pareto_document(front), indent=2))
    elif html is None:
        click.echo("\n".join(pareto_text(front)))
